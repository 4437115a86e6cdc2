# Every verb does its own set-up. `make` alone says what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo up test check bench chaos lock clean baml

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Callspine needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing the locked packages into $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## place one sales call end to end and leave the evidence in out/
	@$(BIN)/callspine demo

up: $(STAMP)  ## start gateway, worker, Temporal and the stand-ins; Ctrl-C stops them
	@$(BIN)/callspine up

test: $(STAMP)  ## the tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile

check: $(STAMP)  ## formatting, lint, types, import contracts, generated code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@BAML_LOG=off $(BIN)/python -m callspine.checks.generated_code

bench: $(STAMP)  ## the benchmarks: tables and out/bench/*.json
	@$(BIN)/python -m bench

chaos: $(STAMP)  ## break the system under live calls: kills, outages, takeovers; tables and out/chaos/
	@$(BIN)/python -m chaos

lock: $(STAMP)  ## renew requirements.lock: hashes, no index, no URL
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --extra local --extra postgres --extra endpointing --extra otel --extra dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-emit-index-url --output-file requirements.lock

clean:  ## remove what the verbs made
	@rm -rf $(VENV) out var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
