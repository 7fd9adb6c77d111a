# Every way to work on Windlass. `make help` lists the targets; the programs behind them are in tools/dev.

PYTHON ?= python3
CLUSTER ?= local
NAME ?= default
INPUT ?= examples/data/windlass.txt
IMAGE_REGISTRY ?=
TESTS ?= tests
PYTEST_ARGS ?=
SEEDS ?= 10000
FROM ?= 0
KILLS ?= 300
CALLS ?= 5000

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHONPATH := tools
export CLUSTER NAME INPUT IMAGE_REGISTRY  # so that the shell quotes them, whatever is in them
VENV := .venv/bin

.PHONY: help setup fmt lint generate verify check test soak simulate demo cluster-up cluster-down image clean python

help: ## List the targets
	@echo "make TARGET [VARIABLE=value …]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: CLUSTER=local|kind|current  NAME=cluster  INPUT=file  IMAGE_REGISTRY=prefix  TESTS=path  SEEDS=number  KILLS=number  CALLS=number  PYTHON=python3"

# The one thing that nothing of ours can bring, since all of it is written in Python.
python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "windlass: installing python3" >&2; \
	    apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	      python3 python3-venv ca-certificates >&2; \
	  else \
	    echo "windlass: $(PYTHON) is missing: install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)" >&2; \
	    exit 1; \
	  fi; }

setup: python ## Make .venv with everything in it, and install or name missing system packages
	@$(PYTHON) -m dev.bootstrap

fmt: setup ## Format the sources and mend what can be mended by itself
	@$(VENV)/ruff check --fix-only --quiet .
	@$(VENV)/ruff format .

lint: setup ## Formatting, ruff, mypy --strict, import contracts
	@$(VENV)/python -m dev.verify lint

generate: setup ## Write anew all that is derived: CRDs, the chart's copies, reference pages, goldens, snippets
	@$(VENV)/python -m dev.generate

check: setup ## lint, and generate without a change
	@$(VENV)/python -m dev.verify lint drift

verify: setup ## check, and the tests that need no cluster: what to run before a push
	@$(VENV)/python -m dev.verify lint drift fast

test: setup ## All tests, with real API servers and a real node (or of TESTS=path)
	@$(VENV)/python -m dev.prepare
	@$(VENV)/python -m dev.testing $(PYTEST_ARGS) $(TESTS)

soak: setup ## Chaos on a node: the operator is killed KILLS=300 times, and workers during CALLS=5000 calls
	@$(VENV)/python -m dev.prepare
	@WINDLASS_CHAOS_KILLS=$(KILLS) WINDLASS_CHAOS_CALLS=$(CALLS) $(VENV)/python -m pytest -s tests/e2e/test_chaos.py tests/e2e/test_actor_chaos.py

simulate: setup ## Play random histories of the operator, time and troubles included: SEEDS=100000 FROM=0
	@$(VENV)/python -m tests.simulator --seeds $(SEEDS) --from $(FROM)

demo: python ## Run an example over a text file on a real cluster, from nothing: INPUT=file CLUSTER=local|kind|current
	@$(PYTHON) -m dev.demo --cluster "$$CLUSTER" --name "$$NAME" --input "$$INPUT" --registry "$$IMAGE_REGISTRY"

cluster-up: setup ## Start a local single-node Kubernetes (NAME=…), or repair it
	@$(VENV)/python -m localcluster up --name $(NAME)

cluster-down: setup ## Remove the local cluster (NAME=…) with all its traces
	@$(VENV)/python -m localcluster down --name $(NAME)

image: setup ## Build the images and load them into the cluster: CLUSTER=local|kind, or push them for CLUSTER=current
	@$(VENV)/python -m dev.images --cluster "$$CLUSTER" --name "$$NAME" --registry "$$IMAGE_REGISTRY"

clean: ## Remove what was built in this folder; caches and clusters stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
