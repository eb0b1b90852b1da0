# Everything runs in .venv, made from PYTHON and installed again only when pyproject.toml changes.
SHELL := bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-output

.PHONY: help demo test lint types check rigs bench format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## Do a set of exercises on the virtual device; the report lands in demo-output/
	@$(BIN)/kinetens demo --out $(OUT)

test: $(VENV)/installed-test ## Run the tests
	@$(BIN)/python -m pytest -n auto -q $(ARGS)

lint: $(VENV)/installed-dev ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## Check types
	@$(BIN)/pyright --pythonpath $(BIN)/python

check: $(VENV)/installed-test ## Run the slower checks (they build and install the wheel, so they need the network)
	@$(BIN)/python -m pytest -m slow -n auto -q $(ARGS)

rigs: $(VENV)/installed-test ## Build MicroPython with a device's words and for an emulated board; installs compilers as root
	@$(BIN)/python -m rigs build all --install

bench: $(VENV)/installed-test ## Measure what a motion sample costs, and the orientation filter beside others on recordings
	@$(BIN)/python -m bench firmware
	@$(BIN)/python -m bench orientation

format: $(VENV)/installed-dev ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove .venv, caches and what the demo wrote
	@rm -rf $(VENV) $(OUT) build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: EXTRAS :=
$(VENV)/installed-test: EXTRAS := [test]
$(VENV)/installed-dev: EXTRAS := [dev]
$(VENV)/installed $(VENV)/installed-test $(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing kinetens$(EXTRAS) into $(VENV) (a minute or two, once):"
	@set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check --editable '.$(EXTRAS)' \
		| awk '/^Collecting/ {printf " %s", $$2; fflush()} END {print ""}'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "error: '$(PYTHON)' is not Python 3.11 or newer; install one, or name it: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "error: '$(PYTHON)' lacks its venv module; install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
