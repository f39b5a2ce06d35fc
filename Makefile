# Needs python3 and make; everything else is fetched. Paths are relative: the tree may stand under any name.
PYTHON ?= python3
PY := .venv/bin/python
SERVERS := $(PY) -m config.embedded exec --
WORKERS ?= 2
ARGS ?=
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help run test soak check check-django bench screenshots lock demo shell clean install install-dev

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS='	' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: install  ## Start everything: servers, web, worker, simulator, demonstration data (Ctrl-C stops it)
	@$(PY) -m config.launcher

test: install-dev  ## Run the tests beside a throwaway PostgreSQL and Redis (ARGS="-k name")
	@$(SERVERS) $(PY) -m pytest -n $(WORKERS) $(ARGS)

soak: install-dev  ## Pay 2,000 orders while gateways fail and processes die, then compare the books (ARGS="--seed 1")
	@$(SERVERS) $(PY) -m tests.soak $(ARGS)

check: install-dev  ## Format, lint, types, layers, Django's checks, migrations, API schema, generated docs
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	ONETILL_ENV=test SIMULATOR_DIR=var/check $(PY) -m mypy --config-file payments/simulator/mypy.ini
	$(PY) -c 'from importlinter.cli import lint_imports_command as check; check()'
	@$(SERVERS) $(MAKE) --no-print-directory check-django

check-django: export ONETILL_ENV := production
check-django: export BASE_URL := https://shop.example
check-django: export ALLOWED_HOSTS := shop.example
check-django: export SECRET_KEY = $(shell $(PY) -c 'import secrets; print(secrets.token_urlsafe(60))')
check-django: export ENCRYPTION_KEYS = check:$(shell $(PY) -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')
check-django:
	$(PY) manage.py check --deploy --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run
	ONETILL_ENV=test SIMULATOR_DIR=var/check $(PY) -m django makemigrations --check --dry-run --settings payments.simulator.settings
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(PY) manage.py order_states --check

bench: install-dev  ## Measure the hot paths beside a bare view and hand-written SQL
	@$(PY) -m bench $(ARGS)

screenshots: export ONETILL_ENV := sandbox
screenshots: install-dev  ## Take the pictures of the back-office for the docs anew, with Debian's chromium
	@$(SERVERS) $(PY) -m tests.screenshots

lock: install-dev  ## Resolve requirements*.in anew into lock files with hashes
	@$(PY) -m uv pip compile --quiet --upgrade $(LOCK) requirements.in -o requirements.txt
	@$(PY) -m uv pip compile --quiet --upgrade $(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt
LOCK := --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 --universal

demo: install  ## Show the demonstration's log-ins and a first order, for the system that runs
	@$(PY) manage.py demo_data

shell: install  ## A Python shell inside the system that runs
	@$(PY) manage.py shell

clean: install  ## Remove the demonstration's data and what the tools remembered
	@$(PY) -m config.launcher clean
	@rm -rf .boot .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

install:
	@$(PYTHON) -m config.installation run

install-dev:
	@$(PYTHON) -m config.installation dev browser
