# make and Python 3.11 or 3.12 are all it takes. The rest comes from lock files with hashes.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-citus test-long chaos failover restore rollout practice nightly lint fmt bench screenshots messages reset lock clean python

VENV := .venv
BIN := $(VENV)/bin
HOST := 127.0.0.1
PORT := 8000
ARGS :=
WORKERS := 2
SECONDS := 60
SEED := 20261122
# Other ones each time: what nobody has tried yet.
SEEDS := $(shell od -An -N20 -tu4 /dev/urandom)

# npm brings its own list of certificates; the machine's may know a proxy of the house.
export NODE_USE_SYSTEM_CA := 1

# The first that runs and is of a version we support: a name alone proves nothing (think of shims).
PYTHON ?= $(shell for name in python3.11 python3.12 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& echo $$name && break; done)
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.run build/.assets ## Start everything: servers, web, worker, beat, demo (HOST=, PORT=, ARGS=--no-demo)
	@exec $(BIN)/python manage.py up --host $(HOST) --port $(PORT) $(ARGS)

test: $(VENV)/.dev build/.assets ## Run every test, browser tests included (ARGS='tests/slas -q', WORKERS=)
	@$(call say_chromium)
	@if [ -z "$(CHROMIUM)" ] && [ "$$CI" = true ]; then echo "CI=true requires Chromium." >&2; exit 1; fi
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -n $(WORKERS) $(ARGS); status=$$?; $(call say_chromium); exit $$status

test-citus: $(VENV)/.dev build/.assets ## Run the tests on a Citus cluster (CITUS_URL=, ARGS='tests/slas -q', WORKERS=)
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python -m tests.citus -n $(WORKERS) $(ARGS)

test-long: override ARGS += --hypothesis-profile=long
test-long: export CHAOS_SECONDS = $(SECONDS)
test-long: test ## Run every test, with ten times the random examples and more, and longer chaos (ARGS=, WORKERS=, SECONDS=)

chaos: $(VENV)/.dev ## Kill and pause web, workers, servers and clients at random, fill the disk, then audit (SECONDS=, SEED=; PG_CITUS_BIN=: on a cluster)
	@if [ -z "$$PG_CITUS_BIN" ]; then \
		CHAOS_SECONDS="$(SECONDS)" CHAOS_SEED="$(SEED)" $(BIN)/python -m pytest tests/chaos -m chaos -q -s $(ARGS) \
			&& $(BIN)/python -m drills chaos; \
	else $(BIN)/python -m drills chaos --seed "$(SEED)" --seconds "$(SECONDS)" $(ARGS); fi

failover: $(VENV)/.dev ## Kill the primary of a running product, promote the standby, bring it back, audit (SEED=, ARGS=--short)
	@$(BIN)/python -m drills failover --seed "$(SEED)" $(ARGS)

restore: $(VENV)/.dev ## Delete the data folder of a running product, restore it to a second by the runbook, audit (SEED=, ARGS=)
	@$(BIN)/python -m drills restore --seed "$(SEED)" $(ARGS)

rollout: $(VENV)/.dev build/.assets ## Roll this release out over the one before, under load (SEED=, ARGS='--seconds 20')
	@$(BIN)/python -m drills rollout --seed "$(SEED)" $(ARGS)

practice: $(VENV)/.dev build/.assets ## Open a place to practise the runbook by hand: two servers, shells with its variables
	@$(BIN)/python -m drills practice

nightly: SECONDS := 120
nightly: ## Run test-long, then chaos of two minutes with five new seeds, which it prints (SEEDS=, SECONDS=, ARGS=)
	@echo "make nightly SEEDS='$(strip $(SEEDS))'"
	@failed=""; \
	$(MAKE) test-long ARGS="$(ARGS) --hypothesis-seed=$(firstword $(SEEDS))" || failed="test-long"; \
	for seed in $(SEEDS); do \
		echo "make chaos SECONDS=$(SECONDS) SEED=$$seed"; \
		$(MAKE) chaos SECONDS=$(SECONDS) SEED=$$seed ARGS= || failed="$$failed chaos:$$seed"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed: $$failed" >&2; exit 1; fi; \
	echo "Nothing failed with the seeds $(strip $(SEEDS))."

lint: $(VENV)/.dev build/.assets ## Check format, style, import directions, types, migrations and texts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py lint_migrations
	@if command -v xgettext >/dev/null; then $(BIN)/python manage.py make_messages --check; else echo "Texts to translate are not checked: that needs GNU gettext." >&2; fi

fmt: $(VENV)/.dev ## Format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev build/.assets ## Measure everything beside its floors, in a quarter of an hour (ARGS='calls tracking'; ARGS=--help lists all)
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(VENV)/.dev build/.assets ## Take the pictures in docs/images from the running product
	@if [ -z "$(CHROMIUM)" ]; then echo "Screenshots need Chromium: apt-get install chromium fonts-noto-cjk" >&2; exit 1; fi
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python manage.py screenshots $(ARGS)

messages: $(VENV)/.dev ## Collect texts for translators (needs GNU gettext)
	@$(BIN)/python manage.py make_messages

reset: $(VENV)/.run ## Drop the embedded servers' data, test mail and uploads
	@$(BIN)/python manage.py reset --yes

lock: $(VENV)/.dev ## Resolve pyproject.toml anew into both lock files
	$(BIN)/uv pip compile pyproject.toml --system-certs --python-version 3.11 --generate-hashes --no-header \
		--output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --system-certs --extra dev --python-version 3.11 --generate-hashes --no-header \
		--constraints requirements.lock --output-file requirements-dev.lock

clean: ## Remove everything that was built, except data (see reset)
	rm -rf $(VENV) build node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or 3.12 is needed, and no python3.11, python3.12 or python3 here is one: install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi

$(BIN)/python: | python
	@if [ ! -w . ]; then echo "This folder is not yours to write to: clone it into one that is." >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV) >$(VENV).log 2>&1 && rm -f $(VENV).log || { rm -rf $(VENV); rm -f $(VENV).log; \
		echo "$(PYTHON) cannot make a virtual environment here: install its venv module (Debian: apt-get install python3-venv)." >&2; \
		exit 1; }

# The development lock holds everything of the other, so it satisfies both.
$(VENV)/.run: requirements.lock | $(BIN)/python
	@echo "Installing requirements.lock ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements.lock requirements-dev.lock | $(BIN)/python
	@echo "Installing requirements-dev.lock ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(VENV)/.run $@

# Order only on the environment: a newer one does not make built assets old.
# Styles and charts are cut to what our sources use of the libraries.
build/.assets: package.json package-lock.json $(wildcard locale/*/LC_MESSAGES/*.po) \
		$(shell find assets templates alliance couriers parcels slas -name '*.html' -o -name '*.py' -o -name '*js') | $(VENV)/.run
	@$(BIN)/python manage.py build_assets
	@mkdir -p build && touch $@

define say_chromium
if [ -z "$(CHROMIUM)" ]; then \
	printf '\n%s\n%s\n%s\n\n' '************************************************************************' \
	'*  NO CHROMIUM HERE: the browser tests are SKIPPED. apt-get install chromium' \
	'************************************************************************' >&2; fi
endef
