# make demo | test | lint | clean; each brings the checkout up to date first (make setup).
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
SHELL := /bin/bash

.PHONY: setup demo test lint clean distclean

setup:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	  { echo "make setup: please install Python 3.10 or newer, or choose one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) tools/setup_environment.py

demo: setup
	@$(VENV_PYTHON) -m semcorr_ros demo

test: setup
	@$(VENV_PYTHON) -m pytest -n auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder

lint: setup
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy

clean:
	rm -rf build install log demo_out .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
