# Every target makes what it needs; nothing but Python 3.11 or later and make has to be there.

PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
UV := .venv-tools/bin/uv
LOCKED := $(UV) pip sync --quiet --require-hashes --compile-bytecode

.DEFAULT_GOAL := help
.PHONY: help setup run test check fuzz bench lock clean

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/ready .venv-emulator/ready ## Make the environments from the locked requirements

# One shell each, so that a half-made environment is never taken for a whole one.
$(UV):
	@echo "making the environment (a minute at the first time)"
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/ready: requirements/dev.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	VIRTUAL_ENV=.venv $(LOCKED) requirements/dev.lock
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv-emulator/ready: requirements/emulator.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-emulator
	VIRTUAL_ENV=.venv-emulator $(LOCKED) requirements/emulator.lock
	@touch $@

run: setup ## Run the main job on this machine: REPLAY=history.jsonl.gz SPEED=600 XMLTV=guide.xml DELIVERY_PORT=8080 WEB_PORT=3000 NO_OPEN=1
	@$(BIN)/python -m demo $(if $(REPLAY),--replay "$(REPLAY)") $(if $(SPEED),--speed $(SPEED)) \
		$(if $(XMLTV),--xmltv "$(XMLTV)") \
		$(if $(WEB_PORT),--web-port $(WEB_PORT)) $(if $(REDIS_PORT),--redis-port $(REDIS_PORT)) \
		$(if $(AWS_PORT),--aws-port $(AWS_PORT)) $(if $(DELIVERY_PORT),--delivery-port $(DELIVERY_PORT)) \
		$(if $(NO_OPEN),--no-open)

test: setup ## Run the whole suite, on a real Redis and the emulator that it starts itself
	$(BIN)/python -m pytest

check: setup ## Formatter, linter, strict types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv-fuzz/ready: requirements/fuzz.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-fuzz
	VIRTUAL_ENV=.venv-fuzz $(LOCKED) requirements/fuzz.lock
	@touch $@

fuzz: .venv-fuzz/ready ## Search for input that breaks a parser, by the branches that it reaches: TIME=60 seconds each
	PYTHONPATH=.:tests .venv-fuzz/bin/python -m fuzz.coverage_guided --seconds $(or $(TIME),60)

bench: setup ## Measure, print a table, and write .bench/results.json
	$(BIN)/python -m benchmarks

lock: $(UV) ## Lock the newest versions that pyproject.toml allows
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev --output-file requirements/dev.lock pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra production --constraint requirements/dev.lock --output-file requirements/production.lock pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--output-file requirements/emulator.lock requirements/emulator.in
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--constraint requirements/dev.lock --output-file requirements/fuzz.lock requirements/fuzz.in

clean: ## Remove environments, caches and what runs have left
	rm -rf .venv .venv-tools .venv-emulator .venv-fuzz .fuzz .run .run.lock .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
