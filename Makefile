# Every command of the project. `make` alone lists them.
#   PYTHON=/path/to/python3   which Python the environment is made from
#   ONLY="tests/unit -k lane" what `make test` runs, in pytest's own words; for `make bench` the figures' names
#   PIPELINE=demo             the pipeline of `make sql` and `make status`

VENV := .venv
BIN := $(VENV)/bin
STENO := $(BIN)/steno
PIPELINE ?= demo
ONLY ?=
# Three processes even on two cores: most tests wait for a server of their own.
PARALLEL ?= -n 3
# The rules about the repository itself and its documents; quick, and part of `check`.
HOUSE_TESTS = tests/acceptance/test_house.py $(wildcard tests/acceptance/docs tests/acceptance/test_docs.py)
# What needs no server also runs on the newest Python.
PORTABLE_TESTS = $(wildcard tests/unit tests/contract)

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test313 bench check format lock sql status reset clean wheel

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: ## Make the environment that the demo needs (.venv)
	@sh scripts/setup.sh demo $(VENV)

demo: setup ## Run the whole story on this machine: kill it, watch it recover, ask the history
	@$(STENO) demo

dev: ## Make the environment that tests and checks need (.venv)
	@sh scripts/setup.sh dev $(VENV)

ifeq ($(strip $(ONLY)),)
test: dev test313 ## Run every test; ONLY="tests/unit -k lane" runs a selection
	$(BIN)/python -m pytest $(PARALLEL)
else
test: dev
	$(BIN)/python -m pytest $(ONLY)
endif

test313: dev ## Run the unit and contract tests on Python 3.13 (.venv313)
	@PARALLEL="$(PARALLEL)" sh scripts/test_on.sh 3.13 $(VENV)313 $(PORTABLE_TESTS)

bench: dev ## Measure every figure of docs/performance.md, about 8 minutes; ONLY="stream idle" measures a part
	@$(BIN)/python -m bench.run $(ONLY)

check: dev ## Check format, style, types, layers, and the rules of the house and the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q $(HOUSE_TESTS)

format: dev ## Format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Write requirements/*.txt again; UPGRADE=1 takes the newest versions
	@sh scripts/lock.sh

sql: setup ## Ask the history in SQL; PIPELINE=demo
	@$(STENO) sql -p $(PIPELINE)

status: setup ## Show how far each table is; PIPELINE=demo
	@$(STENO) status -p $(PIPELINE)

reset: ## Remove the data of the pipelines on this machine (.steno)
	@sh scripts/reset.sh

clean: ## Remove environments, caches and builds, but no data
	rm -rf .venv .venv313 dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

wheel: dev ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl
