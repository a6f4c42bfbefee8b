# One entry point for everything; `make` alone says what there is.
# Needs python3 (3.10 or newer, with venv) and make; the rest is installed into .venv.

VENV   ?= .venv
PYTHON ?= $(shell sh scripts/find-python)
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := $(VENV)/.demo
BENCH  := $(VENV)/.bench
OTHERS := 3.10 3.11 3.12 3.13 3.14
JOBS   ?= 2
PYTEST ?= -q -n $(JOBS)
# What runs on the other Python versions: everything that needs no framework installed.
SUBSET := $(wildcard tests/unit tests/property tests/watch tests/conformance tests/process)
PIP    := -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint format map bench figures bench-quick oracle load clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO) compiled ## a real Wagtail site under refork, edited and served again (KEEP=1 leaves it running)
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

test: $(READY) ## install what is needed and run every test
	$(BIN)/python -m pytest $(PYTEST) $(ARGS)

test-all: test $(addprefix test-,$(OTHERS)) ## the same, then the subset on every other Python that is present

test-3.%: ## the subset on one Python, skipped with a word where it is not installed
	@if [ "$$($(BIN)/python -c 'import sys; print(sys.version_info[1])' 2>&1)" = "$*" ]; then \
	  echo "python 3.$* is the one of $(VENV): make test runs all tests on it"; exit 0; fi; \
	python=$$(sh scripts/find-python 3.$*); \
	if [ -z "$$python" ]; then echo "python 3.$* is not here: skipped"; exit 0; fi; \
	$(MAKE) --no-print-directory VENV=.venv-3.$* PYTHON="$$python" subset

.PHONY: subset
subset: $(VENV)/.subset
	@echo "== $$($(BIN)/python --version)"
	$(BIN)/python -m pytest $(PYTEST) $(ARGS) $(SUBSET)

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src tests benchmarks demo

format: $(READY) ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

map: ## write the map of the code into CONTRIBUTING.md
	$(PYTHON) scripts/map-code

bench: $(BENCH) compiled ## everything that is measured, as Markdown tables (about an hour)
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.idle
	$(BIN)/python -m benchmarks.steady
	$(BIN)/python -m benchmarks.ladder
	$(BIN)/python -m benchmarks.evidence
	$(BIN)/python -m benchmarks.bound --sizes 10,100,1000,5000
	$(BIN)/python -m benchmarks.hoist
	$(BIN)/python -m benchmarks.reload --sizes 10,100,1000,5000
	$(BIN)/python -m benchmarks.reload --sizes 100 --tools all --edits body

figures: $(BENCH) compiled ## measure save to served, and write the table of the README
	$(BIN)/python -m benchmarks.reload --sizes 10,100,1000 --json $(VENV)/figures.json
	$(BIN)/python -m benchmarks.figures $(VENV)/figures.json

bench-quick: $(BENCH) compiled ## the same in three minutes, on small projects
	$(BIN)/python -m benchmarks.overhead --repeat 3
	$(BIN)/python -m benchmarks.reload --sizes 10,100 --repeat 3

load: $(READY) ## nothing refused, reset or stale under load (LOAD_RELOADS=1000 for each server)
	LOAD_RELOADS=$${LOAD_RELOADS:-1000} $(BIN)/python -m pytest -q -s --timeout 0 -o faulthandler_timeout=0 -k test_nothing $(ARGS) tests/load

oracle: $(READY) ## tens of thousands of random edits, each compared with a cold start (hours)
	ORACLE_EDITS=$${ORACLE_EDITS:-20000} $(BIN)/python -m pytest -q --timeout 0 $(ARGS) tests/oracle

# What is installed editable is not compiled, and never will be where PYTHONDONTWRITEBYTECODE is set.
.PHONY: compiled
compiled: | $(BIN)/python
	@$(BIN)/python -m compileall -q src

install: $(READY) ## only create .venv with refork and its development tools

clean: ## remove what the commands here made, the virtual environments too
	rm -rf .venv .venv-3.* .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.10 or newer found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "creating $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv $(VENV) || { echo "creating a virtual environment failed; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# `--group` (PEP 735) came with pip 25.1, newer than what venv brings along.
$(READY): pyproject.toml | $(BIN)/python
	@echo "installing refork and all it is tested with into $(VENV) (once; a minute or two) …"
	@$(BIN)/python $(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable . --group dev --group apps
	@touch $@

$(VENV)/.subset: pyproject.toml | $(BIN)/python
	@$(BIN)/python $(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable . --group test
	@touch $@

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "installing refork and Wagtail into $(VENV) (once; a minute or two) …"
	@$(BIN)/python $(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable . --group demo
	@touch $@

$(BENCH): pyproject.toml | $(BIN)/python
	@echo "installing refork and what it is measured against into $(VENV) (once; a minute or two) …"
	@$(BIN)/python $(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable . --group peers --group demo
	@touch $@
