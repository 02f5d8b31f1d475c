# Each target does its own set-up, from nothing, in a virtual environment (.venv).
# The network is needed to install packages, and for nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# Two torch processes with several threads each on few cores are five times slower than with one.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup demo test check bench docs clean

help:
	@echo "make demo   install, then train and score on the embedded corpus (no data, no GPU)"
	@echo "make test   install, then run the tests that need neither data nor GPU (they skip, saying why)"
	@echo "make check  format, lint, types"
	@echo "make bench  speed and memory, as ratios"
	@echo "make docs   the documentation site, into site/ (installs the extra docs; a warning or a dead link is an error)"

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/install.sh
	PYTHON=$(PYTHON) sh scripts/install.sh $(VENV)
	@touch $@

demo: $(READY)
	$(BIN)/msadg demo -o demo

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: $(READY)
	$(BIN)/python -m benchmarks

docs: $(VENV)/docs-ready
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -j auto -c docs/site docs site
	$(BIN)/python docs/site/check_links.py site

$(VENV)/docs-ready: $(READY)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) site docs/generated demo .pytest_cache .mypy_cache .ruff_cache
