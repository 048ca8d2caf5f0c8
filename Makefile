.DEFAULT_GOAL := help
.PHONY: help demo live-check test test-slow lint docs sandbox bench clean

PYTHON ?= python3
PORT ?= 8765
SCALE ?= small
LIVE ?=
QUICK ?=
PYTEST_ARGS ?=
LOCKED ?=

BIN := .venv/bin
READY := .venv/ready

# What pip is told about package indexes, uv has to be told by another name.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

help: ## List these commands
	@sed -n "s/^\([a-z-]*\):.*## \(.*\)/make \1 - \2/p" Makefile

demo: $(READY) ## Read a whole company through Meltano and check the books; LIVE=1 reads the demo company of e-conomic
	@$(BIN)/python -m scripts.demo $(if $(LIVE),--live)

live-check: $(READY) ## Test what e-conomic's documents leave open, with 60 calls at most
	@$(BIN)/python -m scripts.live_check

test: lint ## Lint, types, layers and the whole suite but for the slow tests
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile $(PYTEST_ARGS)

test-slow: $(READY) ## Many runs or large data
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: $(READY) ## Lint, format, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY) ## Build the documentation site into build/site, strictly
	$(BIN)/zensical build --clean --strict
	@echo "To read it: python3 -m http.server --bind 127.0.0.1 --directory build/site, and open http://127.0.0.1:8000"

sandbox: $(READY) ## Serve a local e-conomic and print the settings to use it with; PORT=8765 SCALE=small
	@$(BIN)/python -m scripts.sandbox --port $(PORT) --scale $(SCALE)

bench: $(READY) ## Measure the tap next to stock SDK classes and a bare loop; QUICK=1 takes two minutes
	@$(BIN)/python -m bench --keep $(if $(QUICK),output/bench --quick,bench)

clean: ## Remove everything that was made here
	rm -rf .venv .venv-dbt-* .meltano output build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# What uv.lock says. Where uv does not get through to PyPI, what it or pip finds in another index;
# with LOCKED=1, as in CI, nothing but uv.lock will do.
$(READY): pyproject.toml uv.lock
	@echo "Installing into .venv what is needed here, about half a minute ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --upgrade pip uv || $(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/uv sync --quiet --locked --inexact$(if $(LOCKED),, || \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev || \
	  $(BIN)/python -m pip install -qq --editable . --group dev)
	@touch $@
