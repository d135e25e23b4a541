# Every target makes what it needs. make and a Python from 3.11 on are all that has to be installed.

# An environment that exists keeps its Python, unless another is named.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
# As in 3.13; empty if the interpreter does not run.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
UV_VERSION := 0.13.8
BIN := .venv/bin
READY := .venv/ready-$(PYTHON_VERSION)
EMULATOR_READY := .venv-emulator/ready-$(PYTHON_VERSION)
PURE := $(addprefix tests/,domain documents publishing maintenance migration health partners push history)
FUZZ_READY := .venv-fuzz/ready-$(PYTHON_VERSION)
UV := .venv-tools/bin/uv
LOCKED := $(UV) pip sync --quiet --require-hashes --compile-bytecode
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help setup interpreter run replay sandbox quick static pure test long check docs fuzz bench soak lock clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) $(EMULATOR_READY) ## Make the environments from the locked requirements: PYTHON=python3.12

# pyenv has a python3.13 in PATH for every version that it has installed, and it fails unless that version is selected.
interpreter:
	@case "$(PYTHON_VERSION)" in \
	3.1[1-9]) ;; \
	"") printf '%s\n' "error: PYTHON=$(PYTHON) does not run: $$($(PYTHON) --version 2>&1 | grep . | head -1)" \
	  "Name a Python from 3.11 on that does, by its path if need be: make run PYTHON=/usr/bin/python3.12" \
	  "With pyenv, name an installed version (pyenv versions): PYENV_VERSION=3.12.1 make run PYTHON=python3.12" >&2; \
	  exit 1 ;; \
	*) printf '%s\n' "error: PYTHON=$(PYTHON) is Python $(PYTHON_VERSION), and 3.11 is the oldest that is supported" \
	  "Name a newer one: make run PYTHON=python3.12" >&2; \
	  exit 1 ;; \
	esac

# A stamp marks an environment as complete, so that an interrupted installation is repeated.
$(UV): | interpreter
	@echo "making the environment (a minute at the first time)"
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): requirements/dev.lock pyproject.toml clients/python/pyproject.toml | interpreter $(UV)
	$(UV) venv --quiet $(if $(wildcard $@),--allow-existing,--clear) --python $(PYTHON) .venv
	@rm -f $@
	VIRTUAL_ENV=.venv $(LOCKED) requirements/dev.lock
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation --editable . --editable ./clients/python
	@touch $@

$(EMULATOR_READY): requirements/emulator.lock | interpreter $(UV)
	$(UV) venv --quiet $(if $(wildcard $@),--allow-existing,--clear) --python $(PYTHON) .venv-emulator
	@rm -f $@
	VIRTUAL_ENV=.venv-emulator $(LOCKED) requirements/emulator.lock
	@touch $@

$(FUZZ_READY): requirements/fuzz.lock | interpreter $(UV)
	$(UV) venv --quiet $(if $(wildcard $@),--allow-existing,--clear) --python $(PYTHON) .venv-fuzz
	@rm -f $@
	VIRTUAL_ENV=.venv-fuzz $(LOCKED) requirements/fuzz.lock
	@touch $@

run: setup ## Run the demonstration: REPLAY=history.jsonl.gz SPEED=600 XMLTV=guide.xml DELIVERY_PORT=8080 WEB_PORT=3000 STORAGE=sqlite NO_OPEN=1
	@$(BIN)/python -m demo $(if $(REPLAY),--replay "$(REPLAY)") $(if $(SPEED),--speed $(SPEED)) \
		$(if $(XMLTV),--xmltv "$(XMLTV)") \
		$(if $(WEB_PORT),--web-port $(WEB_PORT)) $(if $(REDIS_PORT),--redis-port $(REDIS_PORT)) \
		$(if $(AWS_PORT),--aws-port $(AWS_PORT)) $(if $(DELIVERY_PORT),--delivery-port $(DELIVERY_PORT)) \
		$(if $(STORAGE),--storage $(STORAGE)) $(if $(NO_OPEN),--no-open)

replay: $(READY) ## Replay a recorded history at full speed, and print differences and regret: HISTORY=history.jsonl.gz BATCH=10
	@test -n "$(HISTORY)" || { echo 'error: name a recorded history: make replay HISTORY=history.jsonl.gz' >&2; exit 2; }
	@$(BIN)/python -m demo.replay "$(HISTORY)" $(if $(BATCH),--batch $(BATCH))

sandbox: $(READY) ## A broadcaster that changes all the time, and its delivery service with a published key: PORT=8080 HOST=127.0.0.1 WEBHOOK=http://127.0.0.1:9000/
	@$(BIN)/python -m demo.sandbox $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(if $(WEBHOOK),--webhook $(WEBHOOK))

quick: $(READY) ## Formatter, linter, types, and the tests of pure rules and workflows: under 30 seconds
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target static pure

static: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

pure: $(READY)
	@$(BIN)/python -m pytest --hypothesis-profile quick -m "not server and not slow and not long" $(PURE)

test: setup ## Run the whole suite, on a real Redis and an AWS emulator that it starts itself: WORKERS=3
	$(BIN)/python -m pytest $(if $(WORKERS),-n $(WORKERS))

long: setup ## Run the tests that take minutes: faults of real processes, and a short soak
	$(BIN)/python -m pytest -n 0 -m long --durations=0

check: setup ## Formatter, linter, strict types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## Build the documentation site into .site/; a broken link is an error
	$(BIN)/python -m docs.site

fuzz: $(FUZZ_READY) ## Search for input that breaks a parser, by the branches that it reaches: TIME=60 seconds each
	PYTHONPATH=.:tests .venv-fuzz/bin/python -m fuzz.coverage_guided --seconds $(or $(TIME),60)

bench: setup ## Measure, print a table, and write .bench/results.json
	$(BIN)/python -m benchmarks

soak: setup ## Thirty days of changes in 15 minutes; fails unless the memory of every part ends flat
	$(BIN)/python -m benchmarks.soak

lock: $(UV) ## Lock the newest versions that pyproject.toml allows
	$(COMPILE) --group dev --output-file requirements/dev.lock pyproject.toml
	$(COMPILE) --extra production --extra celery --extra traces --constraint requirements/dev.lock --output-file requirements/production.lock pyproject.toml
	$(COMPILE) --output-file requirements/emulator.lock requirements/emulator.in
	$(COMPILE) --constraint requirements/dev.lock --output-file requirements/fuzz.lock requirements/fuzz.in

clean: ## Remove environments, caches, and the files of earlier runs
	rm -rf .venv .venv-tools .venv-emulator .venv-fuzz .fuzz .run .run.lock schedules.db* .bench .site .site-src .tmp_dagster_home_* \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
