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
# In lanes, which run beside each other: more than two of these machines are too much for two cores.
SCENARIOS := "default" "docker-repository debian12"
CHAOS_PAGE := docs/reliability.md
SECURITY_SCENARIOS := "security" "accounts acme"
# What waits much, upgrade and backup, beside what works much.
OPERATIONS_SCENARIOS := "upgrade operations" "changes backup"
SANITY := build-import-check sanity units
MUTATE := _catalogue _certificate_files _certificate_validation _database_url _docker_container _escape _extensions _extra_services \
          _firewall _host _htpasswd _image_reference _local_ca _minio _mlflow_accounts _mlflow_users _networks _other_stores _postgres _rotation _routes \
          _secret_lists _service_files _settled _sizing _specification _throwaway_container _traefik _validation _values _variable_names \
          _written

.PHONY: help venv demo demo-info demo-down lint format sanity unit mutate molecule test test-security test-operations chaos release-artifact \
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

molecule: $(VENV)/.dev ## bring the stack up on fresh VMs, and test it from outside
	python -m lab images
	tools/lanes $(SCENARIOS)

test-security: $(VENV)/.dev ## change users, secrets, certificates and access on fresh VMs, and try to get in
	@begin=$$SECONDS
	$(MAKE) --no-print-directory molecule SCENARIOS='$(SECURITY_SCENARIOS)'
	echo "== test-security passed in $$((SECONDS - begin)) s"

test-operations: $(VENV)/.dev ## change fresh VMs, take them down, lose them, restore and upgrade them
	@begin=$$SECONDS
	$(MAKE) --no-print-directory molecule SCENARIOS='$(OPERATIONS_SCENARIOS)'
	echo "== test-operations passed in $$((SECONDS - begin)) s"

chaos: $(VENV)/.dev ## kill, cut, fill and reboot under a client that writes, and write what came of it to docs/reliability.md
	@export CHAOS_PAGE=$(CHAOS_PAGE)
	$(MAKE) --no-print-directory molecule SCENARIOS=chaos

test: $(VENV)/.dev ## run all checks and tests but sanity, and the long ones of test-security, test-operations and chaos
	@for target in lint docs unit molecule; do
	    echo "== $$target"
	    begin=$$SECONDS
	    $(MAKE) --no-print-directory "$$target"
	    echo "== $$target passed in $$((SECONDS - begin)) s"
	done

release-artifact: $(VENV)/.run ## build the artifact of the release TAG, as the forge does: make release-artifact TAG=1.0.0
	tools/release-artifact "$(TAG)"

bench: $(VENV)/.dev ## measure speed and memory beside the shortest script and the seed's settings
	python -m bench --patience 5

docs: $(VENV_DOCS)/.docs ## build the site of guides and reference in .docs
	@PATH="$(CURDIR)/$(VENV_DOCS)/bin:$$PATH" tools/docs $(DOCS)

links: $(VENV_DOCS)/.docs ## ask other sites whether the pages that the guides link to are there
	@PATH="$(CURDIR)/$(VENV_DOCS)/bin:$$PATH" tools/docs $(DOCS) linkcheck

pictures: $(VENV)/.dev ## take the pictures of the documentation anew, of the demo
	PICTURES=1 LAB_VM=$(DEMO) pytest tests/acceptance/test_browser.py -k pictures

clean: ## remove what was built here, and everything of the lab on this machine
	if [ -d .lab ]; then "$(PYTHON)" -m lab purge; fi
	rm -rf $(VENV) $(VENV_DOCS) $(DOCS) .ansible .cache .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache opengeoai-hub-*.tar.gz
