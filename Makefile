# `make` lists the targets. Each does all the set-up it needs.

# another interpreter: make test PYTHON=python3.12
PYTHON ?= python3
# all: what cannot run on this machine is a failure
REQUIRE ?= what-can
# processes that test at once; those that use a cluster mostly wait for it
WORKERS ?= 3
# one group of benchmarks, one file of tests: make bench ONLY=spine; make test ARGS=tests/test_spec.py
ONLY ?=
ARGS ?=

VENV := .venv/bin/python
RECENT := import sys; sys.version_info >= (3, 10) or sys.exit("jupyter-hybrid needs Python 3.10 \
	or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another: make $@ PYTHON=python3.12")
prepare = @$(PYTHON) -c '$(RECENT)' && $(PYTHON) tests/tools/prepare.py

.PHONY: help demo test coverage lint format lab bench trial clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: ## run the demo notebook, with a %%remote cell in it, as a job
	$(prepare) demo
	@$(VENV) tests/tools/demo.py

test: ## run every gate and every test (REQUIRE=all: also fail where something cannot run here)
	$(prepare) test
	@$(VENV) tests/tools/gates.py --require $(REQUIRE) --workers $(WORKERS) -- $(ARGS)

coverage: ## run the tests and say what they reach, in all processes that they start
	$(prepare) test
	@$(VENV) tests/tools/gates.py --coverage --only pytest,coverage --workers $(WORKERS) -- $(ARGS)

lint: ## run the gates, without the tests
	$(prepare) test
	@$(VENV) tests/tools/gates.py --only ruff,format,sizes,hosts,said,python3.8,imports,mypy,prettier,tsc,eslint,vitest

format: ## let ruff put the code in shape
	$(prepare) test
	@$(VENV) -m ruff check --fix-only --quiet . && $(VENV) -m ruff format .

lab: ## start JupyterLab with the extension as it is now, in binder/
	$(prepare) test
	@$(VENV) tests/tools/lab.py

bench: ## measure against the peers (ONLY=spine|images|hpc|kubernetes|jupyterlab), build/bench.json
	$(prepare) test
	@$(VENV) tests/bench/harness.py $(ONLY)

trial: ## make demo and make test in a fresh Debian (root)
	@tests/tools/fresh-debian

clean: ## remove what was built, and the virtual environment
	rm -rf labextension/dist labextension/lib labextension/node_modules
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
