// Custom JS
