# `make` alone lists the targets.

BIN := .venv/bin
DEMO_OUT := out/demo
# Passed through to pytest, for example: make test ARGS='-k adc -x'
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint clean

help: ## List the targets
	@awk -F ': *[^#]*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## Install ngspice where missing, and the package into .venv
	@bash scripts/setup.sh

demo: setup ## Draw 8 samples from the example network and write a report
	$(BIN)/ais run examples/digits16-kurashil.h5 --samples 8 --seed 0 --out $(DEMO_OUT) --overwrite
	@echo
	@echo "The report is in $(DEMO_OUT)/report.html"

lint: setup ## Check style, types and the layering of the imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# As many workers as there are processors, but no more than 4: every one of them holds
# an ngspice, and a container can show more processors than it may use.
test: lint ## Run the checks and the tests (ARGS=... goes to pytest)
	$(BIN)/pytest -n auto --maxprocesses 4 $(ARGS)

clean: ## Remove outputs and caches (.venv stays)
	rm -rf out build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
