# callvault: everything a person or a machine does with a checkout. `make help` lists it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests run side by side; two per core, since they wait for processes more than they compute.
JOBS   ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

.DEFAULT_GOAL := help

.PHONY: help
help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "callvault needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
  echo "Say which one to use: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
endef

$(BIN)/python:
	$(CHECK_PYTHON)
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }

# Hashes are required: what is installed is what was locked.
$(VENV)/run.done: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/dev.done ## Set up the virtual environment with everything a developer needs

PREFIX ?= /opt/callvault
define CHECK_PREFIX
@case "$(PREFIX)" in \
  /*[!/]*) ;; \
  *) echo "PREFIX='$(PREFIX)' is no folder to install into: nothing was done." >&2; \
     echo "Give a whole path: make install PREFIX=/opt/callvault" >&2; exit 2;; esac
endef

.PHONY: install
install: ## Install into a virtual environment of its own, PREFIX=/opt/callvault: what was locked, not editable
	$(CHECK_PREFIX)
	$(CHECK_PYTHON)
	umask 022 && $(PYTHON) -m venv "$(PREFIX)"
	umask 022 && "$(PREFIX)/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	umask 022 && "$(PREFIX)/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@echo "$$("$(PREFIX)/bin/callvault" --version) is $(PREFIX)/bin/callvault; what comes next is in docs/how-to/server.md"

.PHONY: run
run: $(VENV)/run.done ## Archive 500 calls of the sandbox provider: the main job from nothing, in about a minute
	$(BIN)/python -m worker.demo

.PHONY: test
test: $(VENV)/dev.done ## Run all tests: unit, integration and acceptance
	$(BIN)/python -m pytest -n $(JOBS)

SECONDS ?= 20
.PHONY: fuzz
fuzz: $(VENV)/dev.done ## Meet odd answers of the API for SECONDS=20; SEED=… repeats a run
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(VENV)/run.done ## Beside curl, aria2, aiohttp and arq, into docs/performance.md; QUICK=1 only sees that it runs
	$(BIN)/python -m bench.compare $(if $(QUICK),--quick)

# make chaos SEED=7 CALLS=5000 KILLS=200 FLUSHES=3; KILLS=0 FLUSHES=0 is the provider's faults alone.
SEED    ?= 1
CALLS   ?= 2000
KILLS   ?= 80
FLUSHES ?= 2

.PHONY: chaos
chaos: $(VENV)/dev.done ## Do everything bad at once, from a seed, and check that the archive is true (docs/chaos.md)
	$(BIN)/python -m tests.chaos --seed $(SEED) --calls $(CALLS) --kills $(KILLS) --flushes $(FLUSHES)

.PHONY: cluster
cluster: $(VENV)/dev.done ## Cut hosts off, kill and fill servers, in network namespaces (docs/cluster.md; needs root)
	$(BIN)/python -m tests.cluster --plan hosts --calls 9000
	$(BIN)/python -m tests.cluster --plan postgresql --calls 4000
	$(BIN)/python -m tests.cluster --plan sentinels --calls 5000

.PHONY: week
week: $(VENV)/dev.done ## Let a week of calls pass in ten minutes, with each of its sources failing in turn
	$(BIN)/python -m tests.week

.PHONY: month
month: $(VENV)/dev.done ## Let a month of nights pass under the timers' commands, with a bad one of each kind (needs cc)
	$(BIN)/python -m tests.month

.PHONY: live
live: $(VENV)/run.done ## How soon recordings are on disk, by a real run of five minutes with time pressed
	$(BIN)/python -m bench.live

ROWS   ?= 0,1000000,10000000
FOLDER ?= /tmp/callvault-scale
.PHONY: scale
scale: $(VENV)/dev.done ## How all of it grows with the catalog, ROWS=0,1000000,10000000 (takes 25 GB)
	$(BIN)/python -m bench.scale --folder $(FOLDER) --rows $(ROWS)

.PHONY: coverage
coverage: $(VENV)/dev.done ## Run all tests and show the branches that none of them takes
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: lint
lint: $(VENV)/dev.done ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/dev.done ## Put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: ## Write the locked requirements anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade -o requirements/run.txt
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade -c requirements/run.txt -o requirements/dev.txt

.PHONY: clean
clean: ## Remove what the commands above made, but no recordings
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
