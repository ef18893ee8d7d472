// SPDX-License-Identifier: GPL-3.0-or-later
module opengeoai.hub/lab/rustdesk

go 1.21
