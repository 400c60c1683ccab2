# Needs Python 3.11+ with venv, make and a package index. Everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The official client of Supabase Auth pins an older HTTP library, so it lives apart.
OFFICIAL := .venv-supabase-auth
# What Renum is measured beside; each in an environment of its own.
PEERS := bench/peers/requirements
PACKAGES := apps/api apps/sandbox clients/python
# Tests wait as often as they compute: two cores run them fastest with three workers.
WORKERS ?= 3
# Given out one by one, long ones first, so that all workers end together.
IN_PARALLEL = -n $(WORKERS) --maxschedchunk 2
# The demonstration's task; read from the environment, so that any text is safe.
export PROMPT

.DEFAULT_GOAL := help
.PHONY: help demo run test chaos fuzz audit check lint format lock openapi client docs clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

$(READY): requirements/uv.txt requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Renum needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
		$(PACKAGES:%=-e %)
	@touch $@

$(OFFICIAL)/.ready: requirements/supabase-auth.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OFFICIAL)
	@$(BIN)/uv pip install --quiet --python $(OFFICIAL)/bin/python --require-hashes -r $<
	@touch $@

demo: $(READY) ## A team of three agents runs before your eyes; PROMPT="..." sets the task
	@$(BIN)/python scripts/demo.py

run: $(READY) ## The whole stack on http://127.0.0.1:8000, data under .renum/
	@exec $(BIN)/renum-api dev

test: lint $(OFFICIAL)/.ready ## Everything that `make check` does, the slow tests too, with coverage
	@$(BIN)/pytest $(IN_PARALLEL) --cov --cov-report=term --cov-report=json:.coverage.json --cov-fail-under=90
	@$(BIN)/python scripts/branches.py .coverage.json 92

chaos: $(READY) ## Kill everything at random under hundreds of executions; nothing may be lost
	@$(BIN)/python -m bench.chaos

fuzz: $(READY) ## Ask a server everything its OpenAPI document allows, and much it forbids
	@$(BIN)/python -m bench.fuzz --at-least 20000

audit: $(READY) ## Look for known vulnerabilities of what is installed; asks the index and its database
	@$(BIN)/uvx --quiet pip-audit --strict --disable-pip --require-hashes -r requirements/api.txt

check: lint ## Format, lint, types, import rules, fast tests
	@$(BIN)/pytest $(IN_PARALLEL) -q -m "not slow"

lint: $(READY) ## Format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(READY) ## Rewrite the code in the house style
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

openapi: $(READY) ## Write docs/openapi.json, asyncapi.json and team.schema.json anew
	@$(BIN)/renum-api openapi > docs/openapi.json
	@$(BIN)/renum-api asyncapi > docs/asyncapi.json
	@$(BIN)/renum-api team-schema > docs/team.schema.json

client: $(READY) ## Write the blocking client's resources anew, from the async ones
	@$(BIN)/python scripts/blocking_client.py > .blocking_resources.py
	@mv .blocking_resources.py clients/python/renum/blocking_resources.py

docs: $(READY) ## Build the site of docs/ into site/
	@$(BIN)/mkdocs build --quiet

lock: $(READY) ## Compile the requirement files anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		requirements/uv.in -o requirements/uv.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		requirements/supabase-auth.in -o requirements/supabase-auth.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		apps/api/pyproject.toml --extra otel -o requirements/api.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		-c requirements/api.txt apps/api/pyproject.toml apps/sandbox/pyproject.toml \
		-o requirements/sandbox.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		requirements/build.in -o requirements/build.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		-c requirements/api.txt $(PACKAGES:%=%/pyproject.toml) --extra dev --extra otel --group pyproject.toml:dev \
		-o requirements/dev.txt
	@cd $(PEERS) && for peer in *.in; do ../../../$(BIN)/uv pip compile -q --universal \
		--python-version 3.11 --generate-hashes --no-header -c ../../../requirements/api.txt \
		$$peer -o $${peer%.in}.txt || exit 1; done

clean: ## Remove everything that was built, installed or stored here
	@test ! -x $(BIN)/renum-api || $(BIN)/renum-api stop
	@rm -rf $(VENV) $(OFFICIAL) .venv-peers .renum site .coverage* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
