# Thin: each target calls one tool. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.ONESHELL:

# Debian's own, where it is new enough: one that pyenv has built takes half as long again for the same. The forge names the one that it tests.
ifndef PYTHON
PYTHON := $(firstword $(shell for python in /usr/bin/python3 python3; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python; done) python3)
endif
VENV := .venv
BIN := $(VENV)/bin
# Molecule, ansible-lint and the tests call further programs of the virtual environment by their names.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1
# Plain lines, one for each that Ansible writes.
export MOLECULE_COMMAND_BORDERS := false

DEMO := demo
DOCS := .docs
VENV_DOCS := .venv-docs
# Two scenarios run at a time, and the next one begins as soon as one is over: so the longest stand first.
JOBS := 2
# Fresh installations, and the tests that inspect them.
SCENARIOS := default debian12
# Tests that change a hub.
CHANGE_SCENARIOS := upgrade backup security changes operations accounts acme chaos docker-repository
# What takes too long for each change.
DAILY_SCENARIOS := interrupted offline
CHAOS_PAGE := docs/reliability.md
# The machine of `make try`.
VM := try
TEST := tests/acceptance/inspect
SANITY := build-import-check sanity units
MUTATE := _catalogue _certificate_files _certificate_validation _database_url _docker_container _escape _extensions _extra_services \
          _firewall _host _htpasswd _image_reference _local_ca _minio _mlflow_accounts _mlflow_users _networks _other_stores _postgres _rotation _routes \
          _secret_lists _service_files _settled _sizing _specification _throwaway_container _traefik _validation _values _variable_names \
          _written

.PHONY: help venv demo demo-info demo-down lint format sanity unit mutate images molecule test test-changes test-all chaos try release-artifact \
        bench docs links pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.run ## make the virtual environment with Ansible

# Stamps: a changed list of requirements is installed again.
$(VENV)/.run: requirements.txt
	@tools/venv "$(PYTHON)" "$(VENV)" requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@tools/venv "$(PYTHON)" "$(VENV)" requirements-dev.txt
	@touch $@

$(VENV_DOCS)/.docs: requirements-docs.txt
	@tools/venv "$(PYTHON)" "$(VENV_DOCS)" requirements-docs.txt
	@touch $@

demo: $(VENV)/.run ## bring the stack up in a throwaway VM, and show where everything is
	@echo "A throwaway VM: some three minutes, and twenty more where images have to be built first."
	$(BIN)/python -m lab up $(DEMO)
	ANSIBLE_STDOUT_CALLBACK=$${ANSIBLE_STDOUT_CALLBACK:-opengeoai.hub.progress} \
	    $(BIN)/ansible-playbook site.yml -i .lab/$(DEMO)/inventory
	$(BIN)/python -m lab show $(DEMO)

demo-info: $(VENV)/.run ## print the demo's addresses and credentials as JSON
	@$(BIN)/python -m lab info $(DEMO)

demo-down: $(VENV)/.run ## remove the demo
	@$(BIN)/python -m lab down $(DEMO)
	echo "$(DEMO) and its data are gone. The lab's images and registry stay for the next one; make clean removes them, of all clones."

# With CI set, nox checks how sources are formatted, and formats none.
lint: $(VENV)/.dev ## check style, types, licenses and what runs on the forge
	CI=true nox --no-venv

format: $(VENV)/.dev ## format the sources
	CI=false nox --no-venv --session formatters

sanity: $(VENV)/.dev ## build the artifact, and try it on Galaxy's importer and ansible-test
	nox --reuse-venv yes --session $(SANITY)

unit: $(VENV)/.dev ## run the unit tests
	python -m lab engine
	python -m lab tools
	nox --no-venv --session unit

mutate: $(VENV)/.dev ## change pure code in every way that its unit tests should notice: make mutate MUTATE="_traefik _host"
	python tools/mutate.py $(MUTATE)

# Not part of the recipe below: even with --dry-run, make runs each recipe that calls make.
images: $(VENV)/.dev
	python -m lab images

molecule: images ## run scenarios on throwaway machines: make molecule SCENARIOS="backup upgrade"
	$(MAKE) --no-print-directory --jobs=$(JOBS) --output-sync $(addprefix molecule-,$(SCENARIOS))

molecule-%: $(VENV)/.dev
	@begin=$$SECONDS
	mkdir -p .cache/molecule
	molecule test --scenario-name "$*" 2>&1 | tee .cache/molecule/$*.log
	echo "== $* passed in $$((SECONDS - begin)) s"

test: $(VENV)/.dev ## check the sources, install the stack on fresh machines, and inspect it
	@for target in lint docs unit molecule; do
	    begin=$$SECONDS
	    $(MAKE) --no-print-directory "$$target"
	    echo "== $$target passed in $$((SECONDS - begin)) s"
	done

test-changes: ## change a hub: access, secrets, upgrades, backup and restore, faults
	@$(MAKE) --no-print-directory molecule SCENARIOS='$(CHANGE_SCENARIOS)'

# Of several expressions of markers, pytest takes the last one.
test-all chaos: export PYTEST_ADDOPTS := -m ""
try: export PYTEST_ADDOPTS := $(if $(DAILY),-m "")

test-all: ## run all tests, the daily ones too
	@$(MAKE) --no-print-directory lint docs unit molecule SCENARIOS='$(SCENARIOS) $(CHANGE_SCENARIOS) $(DAILY_SCENARIOS)'

chaos: export CHAOS_PAGE := $(CHAOS_PAGE)
chaos: ## strike a hub while clients write, and write docs/reliability.md
	@rm -f .cache/reliability.json
	$(MAKE) --no-print-directory molecule JOBS=1 SCENARIOS='interrupted chaos'

try: $(VENV)/.dev ## run tests on a machine that stays up: make try TEST=tests/acceptance/inspect/test_flow.py [VM=demo] [DAILY=1]
	@python -m lab up "$(VM)" --converged
	LAB_VM="$(VM)" pytest $(TEST)

release-artifact: $(VENV)/.run ## build the artifact of the release TAG, as the forge does: make release-artifact TAG=1.0.0
	tools/release-artifact "$(TAG)"

bench: $(VENV)/.dev ## measure speed and memory beside the shortest script and the seed's settings
	python -m bench --patience 5

docs: $(VENV_DOCS)/.docs ## build the site of guides and reference in .docs
	@PATH="$(CURDIR)/$(VENV_DOCS)/bin:$$PATH" tools/docs $(DOCS)

links: $(VENV_DOCS)/.docs ## ask other sites whether the pages that the guides link to are there
	@PATH="$(CURDIR)/$(VENV_DOCS)/bin:$$PATH" tools/docs $(DOCS) linkcheck

pictures: $(VENV)/.dev ## take the pictures of the documentation anew, of the demo
	PICTURES=1 LAB_VM=$(DEMO) pytest tests/acceptance/inspect/test_browser.py -k pictures

clean: ## remove what was built here, and everything of the lab on this machine
	if [ -d .lab ]; then "$(PYTHON)" -m lab purge; fi
	rm -rf $(VENV) $(VENV_DOCS) $(DOCS) .ansible .cache .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache opengeoai-hub-*.tar.gz
