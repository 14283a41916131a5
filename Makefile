# Everything a checkout needs; `make help` lists it. Written for GNU make 3.81 and newer.

VENV ?= .venv
ARGS ?=

# The first Python of this list that is 3.11 or newer and can make a virtual environment.
ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3 python3.14 python3.15; do \
    if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
    then echo $$python; break; fi; done)
endif

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input
RELEASE := .venv-release
LOG := $(VENV)/install.log
OFFLINE := the packages could not be installed: a connection to a Python package index is needed (details in $(LOG))

.DEFAULT_GOAL := help
.PHONY: help up test cluster doors contract model floods kills moves faults-cluster planted previous texts lint bench peers figures docs lock audit sbom build clean python

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s%s\n", $$1, $$2 }'

up: $(VENV)/.installed ## a private server, API, dashboard, scheduler, worker and provider sandbox, with a demo
	@exec $(BIN)/streamq up --demo $(ARGS)

test: $(VENV)/.installed-dev ## the whole suite in three processes, against real servers (ARGS="-k name" chooses)
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

doors: $(VENV)/.installed-dev ## attack the doors of the API, and print what each attack costs
	@$(BIN)/python -m pytest -q -s tests/doors $(ARGS)

contract: $(VENV)/.installed-dev ## ask the API ten times as many questions: does it do as its document says? (ARGS chooses)
	@STREAMQ_TEST_CONTRACT=40 $(BIN)/python -m pytest -q -x tests/service/test_contract.py $(ARGS)

model: $(VENV)/.installed-dev ## 300 sequences of random operations on jobs against a model of states and keys (ARGS chooses)
	@STREAMQ_TEST_SEEDS=300 $(BIN)/python -m pytest -q -x tests/lua/test_model.py $(ARGS)

cluster: $(VENV)/.installed-dev ## the suite against a cluster, and whether all that it sent stays in one slot each (ARGS chooses)
	@found=$$(mktemp -d) && trap 'rm -rf "$$found"' EXIT && STREAMQ_TEST_CLUSTER=1 STREAMQ_TEST_CROSSING="$$found" \
	    $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS) && \
	    $(BIN)/python -m tests.crossing "$$found"

floods: $(VENV)/.installed-dev ## a million kinds of errors, tasks and acts, and a hundred kills: 15 minutes (ARGS chooses)
	@STREAMQ_TEST_FLOOD=1000000 STREAMQ_TEST_KILLS=100 $(BIN)/python -m pytest -q --timeout=1800 tests/floods $(ARGS)

moves: $(VENV)/.installed-dev ## twenty runs of a queue with partitions, in each of which a slot of a cluster is moved: a minute
	@STREAMQ_TEST_MOVES=20 $(BIN)/python -m pytest -q -s --timeout=900 tests/floods/test_partitions.py $(ARGS)

kills: $(VENV)/.installed-dev ## 200 kills of workers, schedulers and the server while groups are at their limits: 2 minutes
	@STREAMQ_TEST_GROUP_KILLS=200 $(BIN)/python -m pytest -q -s --timeout=900 tests/floods/test_groups.py $(ARGS)

faults-cluster: $(VENV)/.installed-dev ## nodes of a cluster and Sentinels' servers are killed under 1,000 jobs a second, 20 times
	@STREAMQ_TEST_FAULTS=20 STREAMQ_TEST_RATE=1000 $(BIN)/python -m pytest -q -s \
	    tests/floods/test_nodes.py tests/floods/test_switches.py $(ARGS)

texts: $(VENV)/.installed-dev ## send the lines of a file through each channel, and compare what arrives (TEXTS=file)
	@STREAMQ_TEST_TEXTS="$(TEXTS)" $(BIN)/python -m pytest -q tests/service/test_real_texts.py $(ARGS)

drill: $(VENV)/.installed-dev ## 9,000 messages by all channels and from a database, fifty kills of everybody, and the balance: 5 minutes
	@STREAMQ_TEST_DRILL=1500 $(BIN)/python -m pytest -q -s --timeout=1800 tests/floods/test_drill.py $(ARGS)

planted: $(VENV)/.installed-dev ## plant each known bug in a copy: does the suite notice? (ARGS="part or name" chooses)
	@$(BIN)/python -m tests.planted $(ARGS)

previous: $(VENV)/.installed-dev ## keep the code at COMMIT as the version that may stand beside the next one in a rolling change
	@git archive $(COMMIT) streamq service | $(BIN)/python -m tests.previous

lint: $(VENV)/.installed-dev ## linter, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.installed-dev ## measure the engine on this machine, and the delivery: five minutes (ARGS="run" is the hour)
	@$(BIN)/python -m bench $(or $(ARGS),run --quick)

peers: | python ## install what `bench run peers` measures beside us, each into its own environment
	@.ci/peers "$(PYTHON)"

figures: $(VENV)/.installed-dev peers ## one full run, half an hour: the committed results, their page, and the docs' tables
	@mkdir -p docs/figures
	@$(BIN)/python -m bench run --json docs/figures/full-run.json --html docs/figures/full-run.html $(ARGS)
	@$(BIN)/python -m docs.generate

docs: $(VENV)/.installed ## write the reference pages anew from the code
	@$(BIN)/python -m docs.generate

lock: | python ## write all lock files anew (ARGS=--upgrade takes newer versions)
	@.ci/lock "$(PYTHON)" $(ARGS)

audit: $(RELEASE)/.installed ## known holes of the pinned packages; it fails when nothing can be looked up too
	@.ci/audit $(RELEASE)/bin || { code=$$?; exit $$code; }

sbom: $(RELEASE)/.installed ## what an installation consists of, as CycloneDX, into dist/sbom.json
	@mkdir -p dist
	@$(RELEASE)/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o dist/sbom.json requirements.lock

build: $(RELEASE)/.installed ## sdist and wheel, into dist/
	@$(RELEASE)/bin/python -m build --no-isolation --outdir dist .

clean: ## remove what make made; the data of `make up` in .streamq stays
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last: an installation that was interrupted starts again.
$(VENV)/.installed: requirements.lock pyproject.toml setup.py | python
	@echo "installing into $(VENV) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(INSTALL) --require-hashes -r requirements.lock >$(LOG) 2>&1 || { echo "streamq: $(OFFLINE)" >&2; exit 1; }
	@$(INSTALL) --no-index --no-deps --no-build-isolation --editable . >>$(LOG) 2>&1 || \
	    { echo "streamq: this checkout could not be installed (details in $(LOG))" >&2; exit 1; }
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@$(INSTALL) --require-hashes -r requirements-dev.lock >>$(LOG) 2>&1 || { echo "streamq: $(OFFLINE)" >&2; exit 1; }
	@touch $@

$(RELEASE)/.installed: requirements-release.lock | python
	@"$(PYTHON)" -m venv --clear $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes \
	    -r requirements-release.lock >$(RELEASE)/install.log 2>&1 || \
	    { echo "streamq: the tools of a release could not be installed: a connection to a Python package index is needed" \
	    "(details in $(RELEASE)/install.log)" >&2; exit 3; }
	@touch $@

python:
	@[ -n "$(PYTHON)" ] || { for python in python3.13 python3.12 python3.11 python3; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "streamq: $$python has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; \
	    exit 1; fi; done; \
	    echo "streamq: no Python 3.11 or newer is on the PATH: install one, or say make PYTHON=/path/to/python" >&2; \
	    exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "streamq: $(PYTHON) is not a Python 3.11 or newer" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || \
	    { echo "streamq: $(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; \
	    exit 1; }
