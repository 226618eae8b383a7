# Two commands matter: `make run` and `make test`. They need Python 3.11 and make, nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
ONLY ?=
SEEDS ?= 1-300
SHARE ?= 0/1

# Seconds that each check may take on two cores; over its budget it fails.
BUDGETS := style=30 format=30 types=400 imports=60 migrations=60 tests=2400 simulation=900 processes=1200 browser=900

.DEFAULT_GOAL := help
.PHONY: help run test simulate crash-pairs reset code manage bench lock format

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

# The virtual environment follows the locked requirements: its stamp holds their hash.
.PHONY: venv
venv:
	@want="$$(cat requirements/development.txt | sha256sum | cut -d' ' -f1)"; \
	if [ "$$(cat $(VENV)/requirements.sha256 2>/dev/null)" != "$$want" ] || ! $(PY) -c '' 2>/dev/null; then \
		echo "building the virtual environment in $(VENV) …"; \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 is needed"; exit 1; }; \
		[ -x $(PY) ] && $(PY) -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || exit 1; \
		$(PY) -m pip install --disable-pip-version-check --no-input \
			--require-hashes -r requirements/development.txt || exit 1; \
		echo "$$want" > $(VENV)/requirements.sha256; \
	fi

run: venv ## start everything on this machine; Ctrl-C stops it
	@exec $(PY) -m config.local run

test: venv ## run every check that CI runs
	@exec $(PY) -m config.local test $(addprefix --budget ,$(BUDGETS)) $(ONLY)

simulate: venv ## live through seeded worlds: make simulate SEEDS=1-300; SEEDS=7 replays one
	@$(PY) -m tests.simulation $(SEEDS)

crash-pairs: venv ## kill two processes one after the other at every pair of points of a buy; SHARE=17/300 for one share
	@CRASH_PAIRS=$(SHARE) $(PY) -m pytest tests/orders/test_crash_pairs.py -q

reset: venv ## delete the local data, after asking
	@$(PY) -m config.local reset

code: venv ## print a current one-time code: make code ROLE=ops
	@$(PY) -m config.local code "$(ROLE)"

manage: venv ## run a management command against the running stack: make manage COMMAND="verify_ledger"
	@$(PY) -m config.local manage $(COMMAND)

bench: venv ## print ratios against bare SQL and write bench.json; ONLY=F1 for one row, ONLY=flat for ten million postings
	@$(PY) -m tests.bench $(if $(ONLY),--only $(ONLY))

format: venv ## format the code and mend what can be mended
	@$(PY) -m ruff check --fix --quiet . ; $(PY) -m ruff format .

lock: venv ## renew the locked requirements from pyproject.toml
	@$(PY) -m config.local lock
