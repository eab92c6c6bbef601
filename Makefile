# Every target sets up what it needs and is quick when nothing has changed.
#
#   make bench [SUITE=core] [TASKS=a,b] [OPTIMIZERS=x,y] [RUNS=dir] [ARGS=...]
#   make compare OPT=mine [VS=adam]    OPT is a name, path/to/file.py[:attr], pkg.mod:attr or optax:NAME
#   make study AXIS=width [TASK=mnist_5k] [OPTIMIZERS=x,y] [ARGS=--transfer]    what one thing of a task does
#   make setup EXTRAS=cuda    also for NVIDIA GPUs; EXTRAS=dask for clusters, EXTRAS=kubernetes for those, or several: cuda,dask
#   make rules [ARGS=...]    rules of thumb, each tested by an experiment
#   make report [RUNS=dir] [ARGS=...]      make test      make test-all      make microbench      make calibrate      make lint

SHELL := /bin/sh
.DEFAULT_GOAL := help

SUITE ?= core
RUNS ?= runs/$(SUITE)
ARGS ?=

# Compiled programs and prepared data sets; kept in the checkout, so that a fresh clone starts truly cold.
export OPTGRID_CACHE ?= $(CURDIR)/.cache
export UV_LINK_MODE ?= copy

# The first interpreter that is recent enough.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))

VENV := .venv
PEERS := .venv-peers
OPTGRID := $(VENV)/bin/optgrid
PYTEST := $(VENV)/bin/python -m pytest

# By way of the environment, as a spec may hold quotes: digits(activation='tanh').
export TASKS OPTIMIZERS OPT VS AXIS TASK
bench_args = $(if $(TASKS),--tasks "$$TASKS") $(if $(OPTIMIZERS),--optimizers "$$OPTIMIZERS") $(ARGS)

.PHONY: help setup bench study rules compare baselines report test test-all microbench calibrate lint golden verified mutants frozen peers browser dask clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(VENV)/.installed $(if $(EXTRAS),$(VENV)/.installed-$(EXTRAS))

bench: setup
	@$(OPTGRID) run --suite '$(SUITE)' --out '$(RUNS)' $(bench_args)

report: setup
	@$(OPTGRID) report '$(RUNS)' $(ARGS)

# Rules of thumb: experiments, and a page of verdicts; eight minutes on 2 cores, seconds when nothing has changed.
rules: setup
	@$(OPTGRID) rules $(ARGS)

compare: setup
	@test -n "$$OPT" || { echo "make compare needs an optimizer: make compare OPT=path/to/file.py [VS=adam]" >&2; exit 2; }
	@$(OPTGRID) compare "$$OPT" $(if $(VS),--vs "$$VS") $(ARGS)

study: setup
	@test -n "$$AXIS" || { echo "make study needs an axis: make study AXIS=width [TASK=mnist_5k]; make study AXIS=list" >&2; exit 2; }
	@$(OPTGRID) study "$$AXIS" $(if $(TASK),--task "$$TASK") $(if $(OPTIMIZERS),--optimizers "$$OPTIMIZERS") $(ARGS)

# The reference results that comparisons are made with, those that are missing or changed: an hour on 2 cores for all.
baselines: setup
	@$(OPTGRID) baselines $(ARGS)

test: setup
	@$(PYTEST) -n 2 --dist worksteal $(ARGS)

test-all: setup peers browser dask
	@$(PYTEST) -n 2 --dist worksteal -m 'slow or not slow' $(ARGS)

microbench: setup peers
	@$(OPTGRID) microbench --peers $(PEERS) $(ARGS)

# The constants that boards are held to, and how often verdicts are wrong: 5,500 units, half an hour on 2 cores.
calibrate: setup
	@$(OPTGRID) calibrate $(ARGS)

lint: setup
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

# Trajectories of independent packages, which the tests compare with; needed only when one is added.
golden: peers
	@$(PEERS)/bin/python tests/golden/make.py

# What the catalogue agrees with, and how closely: for `optgrid list optimizers`, after a change of an optimizer.
verified: setup
	@$(VENV)/bin/python -m tests.verify

# Whether the tests notice small changes to every update rule: ARGS='optimizers/adam.py --jobs 4'. Half an hour for all.
mutants: setup
	@$(VENV)/bin/python -m tests.mutants $(ARGS)

# The data files that the project ships, from the package that they are taken from.
frozen: peers
	@$(PEERS)/bin/python tests/frozen/make.py

peers: $(PEERS)/.installed

# For the tests of the page: Playwright, and a Chromium where there is none yet. What cannot be had is said and skipped.
browser: setup
	@$(VENV)/bin/python -c 'import playwright' 2>/dev/null || { extras=browser; $(install); } >>.cache/install.log 2>&1 || \
	  echo "optgrid: Playwright could not be installed (see .cache/install.log): the tests in a browser are skipped" >&2
	@command -v chromium chromium-browser google-chrome chrome >/dev/null || { \
	  { test "$$(id -u)" = 0 && command -v apt-get && apt-get update -qq && apt-get install -y -qq chromium; } || \
	  $(VENV)/bin/python -m playwright install chromium; } >>.cache/install.log 2>&1 || \
	  echo "optgrid: no Chromium could be installed (see .cache/install.log): the tests in a browser are skipped" >&2

# For the tests on a cluster. What cannot be had is said, and those tests are skipped.
dask: setup
	@$(VENV)/bin/python -c 'import distributed' 2>/dev/null || { extras=dask; $(install); } >>.cache/install.log 2>&1 || \
	  echo "optgrid: Dask could not be installed (see .cache/install.log): the tests on a cluster are skipped" >&2

clean:
	rm -rf $(VENV) $(PEERS) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks *.egg-info build

# The stamp is written last: an interrupted installation leaves none and is taken up again by the next call.
# uv installs in a tenth of pip's time; where it is absent pip fetches it, and where that fails pip does it all.
define install
command -v uv >/dev/null && uv="uv" || uv=""; \
if [ -n "$$uv" ]; then \
  test -x $(VENV)/bin/python || uv venv -q --clear --python $(PYTHON) $(VENV); \
else \
  test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV) || \
    { echo "$(PYTHON) has no working venv module (on Debian or Ubuntu install python3-venv)"; exit 2; }; \
  $(VENV)/bin/pip install -q --disable-pip-version-check uv >/dev/null 2>&1 && uv=$(VENV)/bin/uv; \
fi; \
if [ -n "$$uv" ]; then $$uv pip install -q --python $(VENV)/bin/python -c constraints.txt -e ".[$${extras:-dev}]"; \
else $(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e ".[$${extras:-dev}]"; fi
endef

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(if $(PYTHON),:,echo "optgrid: needs Python 3.11 or newer; none found on PATH (set PYTHON=/path/to/python3)" >&2; exit 2)
	@echo "setting up $(VENV)"
	@mkdir -p .cache && { { $(install); } >.cache/install.log 2>&1; } || { echo "optgrid: $(VENV) could not be set up:" \
	  "$$(grep . .cache/install.log | tail -n 1); see .cache/install.log; the same command tries again" >&2; exit 2; }
	@touch $@

$(VENV)/.installed-$(EXTRAS): $(VENV)/.installed
	@$(PYTHON) -c 'import sys, tomllib; known = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	  wrong = set(sys.argv[1].split(",")) - set(known); wrong and sys.exit(f"optgrid: there is no extra {wrong.pop()!r}; \
	there are {str.join(chr(44) + chr(32), known)}")' '$(EXTRAS)' || exit 2
	@{ extras='$(EXTRAS)'; $(install); } >>.cache/install.log 2>&1 || { echo "optgrid: the extras $(EXTRAS) could not be" \
	  "installed: $$(grep . .cache/install.log | tail -n 1); see .cache/install.log" >&2; exit 2; }
	@touch $@

# PyTorch, Keras, TensorFlow and packages of optimizers, which the suite is measured against and never imports itself.
# pip, not uv: it honours a machine's own choice of PyTorch build. The dependencies of some would bring torchvision.
$(PEERS)/.installed: tests/peers/requirements.txt tests/peers/requirements-no-deps.txt
	@$(if $(PYTHON),:,echo "optgrid: needs Python 3.11 or newer; none found on PATH (set PYTHON=/path/to/python3)" >&2; exit 2)
	@echo "setting up $(PEERS) (a minute or two)"
	@test -x $(PEERS)/bin/pip || $(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/pip install -q --disable-pip-version-check -r tests/peers/requirements.txt && \
	  $(PEERS)/bin/pip install -q --disable-pip-version-check --no-deps -r tests/peers/requirements-no-deps.txt || \
	  { echo "optgrid: the peers' packages could not be installed; the same command tries again" >&2; exit 2; }
	@touch $@
