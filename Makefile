# Each target does its own set-up first (Debian packages, .venv); a second start does none.
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help run test check lint format bench soak sim screenshots lock clean

BIN := .venv/bin
TEST_JOBS ?= 2
SEEDS ?= 20000

help: ## list the targets
	grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 20

run: ## start a demonstration: central, sync, virtual card readers and the kiosk's screen
	deploy/setup.sh run
	$(BIN)/kmc-kiosk demo

test: ## everything that CI runs: lint, types, import directions, QML, then all tests
	deploy/setup.sh test
	deploy/check.sh
	$(BIN)/python -m pytest tests -n $(TEST_JOBS)

check: ## the quick part of test: lint, types, import directions, QML
	deploy/setup.sh test
	deploy/check.sh

lint: check ## the same as check

format: ## rewrite the Python files in the house's layout
	deploy/setup.sh test
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .

bench: ## measure speed and memory
	deploy/setup.sh test
	$(BIN)/python -m bench

soak: ## the long tests with full counts
	deploy/setup.sh test
	$(BIN)/python -m pytest tests -m soak -rP -o faulthandler_timeout=7200

sim: ## random schedules on kiosks and central, SEEDS=20000 of them
	deploy/setup.sh test
	$(BIN)/python -m tests.sim.run --seeds $(SEEDS) --jobs $(TEST_JOBS)

screenshots: ## pictures of every screen in build/screenshots
	deploy/setup.sh run
	$(BIN)/python tests/ui/screenshots.py build/screenshots

lock: ## pin the newest versions that deploy/requirements*.in allow, with hashes
	deploy/setup.sh test
	deploy/lock.sh

clean: ## remove what make made
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
