# Thin: each target calls one tool. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.ONESHELL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Molecule, ansible-lint and the tests call further programs of the virtual environment by their names.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1
# Plain lines, one for each that Ansible writes.
export MOLECULE_COMMAND_BORDERS := false

DEMO := demo
# The whole one first: it is the one that finds most.
SCENARIOS := default debian12 docker-repository
CHAOS_PAGE := docs/reliability.md
SECURITY_SCENARIOS := security acme
OPERATIONS_SCENARIOS := operations backup upgrade offline
MUTATE := _settled _traefik _docker_container
SOURCES := lab bench roles/stack/files roles/backup/files collections/ansible_collections/opengeoai/hub/plugins

.PHONY: help venv demo demo-info demo-down lint sanity unit mutate molecule test test-security test-operations chaos bench clean

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

demo: $(VENV)/.run ## bring the stack up in a throwaway VM, and show where everything is
	$(BIN)/python -m lab up $(DEMO)
	$(BIN)/ansible-playbook site.yml -i .lab/$(DEMO)/inventory
	@$(BIN)/python -m lab show $(DEMO)

demo-info: $(VENV)/.run ## print the demo's addresses and credentials as JSON
	@$(BIN)/python -m lab info $(DEMO)

demo-down: $(VENV)/.run ## remove the demo
	$(BIN)/python -m lab down $(DEMO)

lint: $(VENV)/.dev ## check style and types
	ruff check .
	ruff format --check .
	mypy $(SOURCES)
	yamllint --strict .
	antsibull-changelog lint
	ansible-lint --strict

sanity: $(VENV)/.dev ## run ansible-test's sanity tests on the built artifact
	tools/sanity

unit: $(VENV)/.dev ## run the unit tests
	python -m lab engine
	pytest tests/unit --numprocesses 2

mutate: $(VENV)/.dev ## change pure code in every way that its unit tests should notice: make mutate MUTATE="_traefik _host"
	tools/mutate $(MUTATE)

molecule: $(VENV)/.dev ## bring the stack up on fresh VMs, and test it from outside
	python -m lab images
	for scenario in $(SCENARIOS); do molecule test --scenario-name "$$scenario"; done

test-security: $(VENV)/.dev ## change users, secrets, certificates and access on fresh VMs, and try to get in
	@begin=$$SECONDS
	$(MAKE) --no-print-directory molecule SCENARIOS="$(SECURITY_SCENARIOS)"
	echo "== test-security passed in $$((SECONDS - begin)) s"

test-operations: $(VENV)/.dev ## take fresh VMs down, lose them, restore them from backups, upgrade them, and do without a network
	@begin=$$SECONDS
	$(MAKE) --no-print-directory molecule SCENARIOS="$(OPERATIONS_SCENARIOS)"
	echo "== test-operations passed in $$((SECONDS - begin)) s"

chaos: $(VENV)/.dev ## kill, cut, fill and reboot under a client that writes, and write what came of it to docs/reliability.md
	@export CHAOS_PAGE=$(CHAOS_PAGE)
	$(MAKE) --no-print-directory molecule SCENARIOS=chaos

test: $(VENV)/.dev ## run all checks and tests but the long ones of test-security, test-operations and chaos
	@for target in lint unit molecule; do
	    echo "== $$target"
	    begin=$$SECONDS
	    $(MAKE) --no-print-directory "$$target"
	    echo "== $$target passed in $$((SECONDS - begin)) s"
	done

bench: $(VENV)/.dev ## measure speed and memory beside the shortest script and the seed's settings
	python -m bench --patience 5

clean: ## remove what was built here, and everything of the lab on this machine
	if [ -d .lab ]; then "$(PYTHON)" -m lab purge; fi
	rm -rf $(VENV) .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache opengeoai-hub-*.tar.gz
