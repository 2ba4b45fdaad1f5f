# Every target is idempotent and says what it does. `make demo` and `make test` set up all they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HOME_DIR ?= $(CURDIR)/var
GENERATOR ?= factor_graph
# A file's tests stay together, for they share what is dear to make. The longest ones begin.
WORKERS ?= $(shell nproc)
PYTEST := $(BIN)/pytest -q --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
export STRATLAB_HOME ?= $(HOME_DIR)
PACKAGES := controller exporters sandbox_image proto/generate.py docker tests benchmarks docs/clients

.PHONY: help setup demo clients test soak check lint types arch proto proto-check unit image controller-image engine gvisor gvisor-if-possible abuse data bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(STAMP): requirements/dev.txt pyproject.toml
	@echo "setup: creating $(VENV) with the hash-pinned dependencies of requirements/dev.txt"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "setup: stratlab needs Python 3.11; install it or run make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "setup: the venv module is missing; as root run: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) engine image data ## Virtual environment, engine, sandbox image and built-in data

engine: ## Check the Docker engine; as root on Debian/Ubuntu install and start a missing one
	@bash docker/engine.sh

gvisor: engine ## Register gVisor (runsc) with the engine; as root on Debian/Ubuntu install a missing one
	@bash docker/gvisor.sh

# Its tests say why they are skipped where it cannot be had.
gvisor-if-possible: engine
	@if [ "$$(id -u)" = 0 ]; then bash docker/gvisor.sh || echo "gvisor: its tests are skipped"; fi

image: $(STAMP) engine ## Build the sandbox image when its inputs changed
	@bash docker/image.sh

controller-image: engine ## Build the controller image for docker/compose.yaml
	@bash docker/controller-image.sh

data: $(STAMP) image ## Build the built-in data set us-daily when it is missing
	@$(BIN)/stratlab data build us-daily

demo: setup ## Run a campaign end to end and show its report
	@$(BIN)/stratlab campaign run --name demo --generator $(GENERATOR) --data us-daily \
		--iterations 7 --seed 7 --prompt "Trend or reversion on large US stocks with moderate turnover"

proto: $(STAMP) ## Generate the Python stubs from the protos
	@$(BIN)/buf format -w proto
	@$(BIN)/python proto/generate.py

proto-check: $(STAMP) ## Lint the protos, compare the stubs, refuse breaking changes against main
	@$(BIN)/buf lint proto
	@$(BIN)/buf format --diff --exit-code proto
	@$(BIN)/python proto/generate.py --check
	@if git rev-parse --quiet --verify origin/main:proto/buf.yaml >/dev/null; then \
		$(BIN)/buf breaking proto --against '.git#ref=origin/main,subdir=proto'; fi

lint: $(STAMP) ## Ruff, every rule on unless pyproject gives a reason
	@$(BIN)/ruff check $(PACKAGES)
	@$(BIN)/ruff format --check $(PACKAGES)

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy

arch: $(STAMP) ## Dependencies run one way
	@$(BIN)/lint-imports --no-logo

unit: $(STAMP) ## Tests that need no engine
	@$(PYTEST) -m "not docker and not gvisor and not postgres and not slow and not load"

check: lint types arch proto-check unit ## Everything that takes seconds

clients: ## Toolchains and packages of the client programs; as root on Debian/Ubuntu install missing ones
	@bash tests/clients/setup.sh

test: setup gvisor-if-possible clients check ## Every test at CI size, Docker and gVisor ones included
	@$(PYTEST) -m "(docker or load or gvisor) and not slow and not postgres"

abuse: setup ## Run the abuse suite against this host (RUNTIME=runsc for gVisor)
	@$(BIN)/stratlab doctor --abuse --runtime $(or $(RUNTIME),runc)

soak: setup gvisor-if-possible clients ## The same suites at full size, resumable with pytest's cache; then the selftests
	@mkdir -p $(HOME_DIR)
	@STRATLAB_TEST_SIZE=full $(BIN)/pytest --stepwise -m "not postgres" --timeout 3600
	@$(BIN)/stratlab selftest --size full
	@$(BIN)/stratlab selftest --sandboxed

bench: setup ## Measure; prints tables, asserts nothing (NAME=store runs one)
	@for file in benchmarks/$(or $(NAME),*).py; do \
		echo "== $$file"; $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)"; done

clean: ## Remove caches, the virtual environment and built data (never campaigns in other homes)
	@rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		docs/clients/node/node_modules docs/clients/cpp/build docs/clients/ruby/lib
