# Everything runs in .venv, which is made by itself. `make PYTHON=python3.13 install` chooses another interpreter.

PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test faults fuzz deploy-check check bench lint format reference docs types floors constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.has-forwarder ## make .venv with the forwarder command in it

demo: .venv/.has-demo ## show the whole chain at work until Ctrl-C, or for SECONDS=10
	@.venv/bin/forwarder demo $(if $(SECONDS),--seconds $(SECONDS))

test: .venv/.has-test ## run all tests; ARGS=... goes to pytest
	@tests/support/need.sh
ifdef ARGS
	.venv/bin/python -m pytest $(ARGS)
else
	.venv/bin/python -m pytest -n 2 --dist loadfile -m 'not alone and not machine'
	.venv/bin/python -m pytest -m alone
endif

faults: .venv/.has-test ## break everything around a forwarder, for a minute each or SECONDS=...; a table says what came of it
	@tests/support/need.sh
	FAULT_SECONDS=$(or $(SECONDS),60) .venv/bin/python -m pytest tests/faults $(ARGS)

fuzz: .venv/.has-test ## damage configuration messages in INPUTS=... ways, those of SEED=..., and say what was believed
	@tests/support/need.sh
	$(if $(INPUTS),FUZZ_INPUTS=$(INPUTS)) $(if $(SEED),FUZZ_SEED=$(SEED)) .venv/bin/python -m pytest \
	  -o log_cli=true --log-cli-level=INFO $(ARGS) tests/unit/commands/test_fuzz.py

deploy-check: .venv/.has-test ## install both instances on a machine of its own, and check all that is under deploy/
	@tests/support/need.sh machine
	.venv/bin/python -m pytest -m 'machine or not machine' $(ARGS) tests/deploy tests/integration/deploy

check: lint types floors docs .venv/.has-bench ## what to run before a push: all but the demo
	@tests/support/need.sh
	.venv/bin/python -m benchmarks --quick
	$(MAKE) test

bench: .venv/.has-bench ## measure; IOC=... and SECONDS=... choose what and for how long
	@tests/support/need.sh
	.venv/bin/python -m benchmarks $(if $(IOC),--ioc $(IOC)) $(if $(SECONDS),--seconds $(SECONDS))

soak: .venv/.has-test ## run for MINUTES=20 with streams coming and going: does anything grow, is anything lost?
	@tests/support/need.sh
	.venv/bin/python -m benchmarks.soak $(if $(MINUTES),--minutes $(MINUTES))

lint: .venv/.has-test ## ruff: faults and format
	.venv/bin/ruff check
	.venv/bin/ruff format --check

reference: .venv/.has-forwarder ## write the pages of docs/reference anew that are made from the code
	.venv/bin/python -m docs.generate

docs: .venv/.has-docs ## the documents as HTML, in build/docs; a warning is an error
	.venv/bin/python -m sphinx -W --keep-going --quiet -E -n -c docs . build/docs

format: .venv/.has-test ## ruff: mend what it can
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

types: .venv/.has-test ## pyright
	.venv/bin/pyright

floors: .venv/.has-test ## import-linter: imports point down only
	.venv/bin/lint-imports

constraints: ## write constraints.txt anew, with the newest versions that pyproject.toml allows
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --upgrade hatchling editables setuptools '.[test,bench,docs]'
	{ sed -n 1p constraints.txt; \
	  build/constraints/bin/pip freeze --all --exclude pip --exclude epics-kafka-forwarder; } >build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove .venv and everything else that was made
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo 'needed: the module venv of $(PYTHON) (Debian: apt-get install python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv .venv

# What builds the package is pinned as well, which an isolated build would not be.
.venv/.has-build: constraints.txt | .venv/bin/python
	$(PIP) install --quiet --constraint constraints.txt hatchling editables
	@touch $@

# A stamp for each set of extras; they can be installed on top of each other in any order.
extras_forwarder :=
extras_demo := [nexus]
extras_test := [test,bench]
extras_bench := [bench]
extras_docs := [docs]

.venv/.has-%: pyproject.toml constraints.txt .venv/.has-build
	$(PIP) install --quiet --no-build-isolation --constraint constraints.txt --editable '.$(extras_$*)'
	@touch $@
