# Meldbalie: `make` tells what there is. Needs GNU make, a POSIX shell and Python 3.11 or later.

PYTHON ?= python3
ONCE ?=
SECONDS ?= 60
OPEN ?=
REPORTS ?=
SEED ?=
TESTS ?=

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := PYTHON="$(PYTHON)" sh flows/operator/system-packages.sh
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help system system-test python sound setup develop demo test check bench crash fuzz year lock migration clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: system python sound ## Install everything that running it needs, into .venv
	@$(MAKE) --silent --no-print-directory $(VENV)/.runtime

demo: setup ## Run everything on a local mail server and report as a researcher would (ONCE=1: end by itself)
	@$(BIN)/meldbalie demo $(if $(ONCE),--once)

test: develop system-test ## Run the tests (TESTS="tests/models -k due" runs some)
	@$(if $(TESTS),$(BIN)/python -m pytest $(TESTS),sh tests/halves.sh $(BIN)/python)

check: develop ## Check style, types and layout
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/python -m pytest --quiet tests/test_layout.py

bench: develop system-test ## Measure, and compare with what is promised (OPEN="1000 1000000": sweeps over a million)
	@$(BIN)/python -m meldbalie.tests.benchmarks.intake
	@$(BIN)/python -m meldbalie.tests.benchmarks.intake --key --messages 50
	@$(BIN)/python -m meldbalie.tests.benchmarks.latency
	@$(BIN)/python -m meldbalie.tests.benchmarks.memory
	@$(BIN)/python -m meldbalie.tests.benchmarks.desk
	@$(BIN)/python -m meldbalie.tests.benchmarks.sweep $(if $(OPEN),--open $(OPEN))

crash: develop system-test ## Kill intake at every statement that it passes (takes an hour)
	@$(BIN)/python -m pytest -m crash --capture=no --timeout=0 tests/flows/test_crashes.py

fuzz: develop ## Open random letters, to find one that does harm (SECONDS=600; GPG=1: with gpg)
	@$(BIN)/python -m meldbalie.tests.fuzzing.letters --seconds $(SECONDS) $(if $(GPG),--gpg)

year: develop system-test ## Live through a simulated year of 3,000 reports (takes an hour or two; REPORTS=100)
	@$(BIN)/python -m meldbalie.tests.year.whole $(if $(REPORTS),--reports $(REPORTS)) $(if $(SEED),--seed $(SEED))

migration: develop ## Write the migration to the tables of today (M="what changed")
	@test -n "$(M)" || { echo 'Say what changed: make migration M="owners have a phone number"'; exit 2; }
	@$(BIN)/python -c 'import sys; from meldbalie.models.migrate import write_migration; \
		print(write_migration(sys.argv[1]) or "the tables have not changed")' "$(M)"
	@$(BIN)/ruff format --quiet models/migrations

lock: ## Lock the dependencies anew (wants uv)
	@command -v uv >/dev/null || { echo "uv is not installed: it writes requirements.txt"; exit 1; }
	@uv $(COMPILE) --extra build --output-file requirements.txt pyproject.toml
	@uv $(COMPILE) --extra build --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt pyproject.toml
	@if grep -nE '^ *--(extra-|default-)?(index|find-links|trusted)|://' requirements.txt requirements-dev.txt; \
		then echo "An address stands in the lines above: take it out"; exit 1; fi

clean: ## Remove what make made; configuration, keys and data stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './var/*' -type d -prune -exec rm -rf {} +

system: ## Install the system packages that are missing (Debian, Ubuntu)
	@$(PACKAGES) run

system-test:
	@$(PACKAGES) run test

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>/dev/null) || found=missing; \
		echo "Python 3.11 or later is needed, and $(PYTHON) is $$found:" \
			"name another one, as in: make setup PYTHON=python3.12"; exit 1; }

# An environment whose making was interrupted, whose Python has gone, or that was moved, is made anew.
sound:
	@if [ -d $(VENV) ] && { [ -e $(VENV)/.unfinished ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1 || \
		{ [ -e $(VENV)/.runtime ] && [ "$$(cat $(VENV)/.runtime)" != "$$(pwd)" ]; }; }; then \
		echo "$(VENV) is only half there, or was made elsewhere: making it anew"; rm -rf $(VENV); fi

develop: setup
	@$(MAKE) --silent --no-print-directory $(VENV)/.development

$(BIN)/python:
	@echo "making $(VENV)"
	@mkdir -p $(VENV) && touch $(VENV)/.unfinished
	@$(PYTHON) -m venv $(VENV)

# Everything is pinned, so pip need not resolve (its resolver stumbles over extras among hashes).
$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing $$(grep -c == requirements.txt) packages into $(VENV); the first time takes some minutes"
	@touch $(VENV)/.unfinished
	@$(PIP) --no-deps --require-hashes --requirement requirements.txt
	@$(BIN)/python -m pip check >/dev/null || $(BIN)/python -m pip check
	@$(PIP) --no-deps --no-build-isolation --editable .
	@pwd >$@
	@rm $(VENV)/.unfinished
	@echo "ready: $(BIN)/meldbalie"

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@echo "installing the tools for tests and checks"
	@$(PIP) --no-deps --require-hashes --requirement requirements-dev.txt
	@$(BIN)/python -m pip check >/dev/null || $(BIN)/python -m pip check
	@touch $@
