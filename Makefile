# One word for each chore. A bare `make` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TF1 := $(HOME)/.cache/nsmlctl-tf15
TF1_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.6.*/bin/python) $(shell command -v python3.6))

RUNTIMES ?= default tf1 tf1.5 keras2 torch1

.PHONY: help setup demo test lint types format bench frameworks tf1 images lock clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Python 3.11 and nothing else is assumed. Debian keeps the venv module in a package of its own.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } \
		|| { echo "Python's venv module is missing: apt-get install python3-venv, then again." >&2; exit 1; }
	@[ -x $(BIN)/pip ] || { echo "Making $(VENV) (once; about a minute) …"; $(PYTHON) -m venv --clear $(VENV); }
	@$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

setup: $(STAMP) ## make .venv with everything a developer needs (done by itself for the words below)

demo: $(STAMP) ## walk the whole road once: run, save, submit, leaderboard (KEEP=1 leaves it running)
	@KEEP="$(KEEP)" $(BIN)/python examples/demo.py

test: lint types $(STAMP) ## every check and every test that this machine can run
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

format: $(STAMP) ## mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(STAMP) ## print the table of ratios against floors and peers
	$(BIN)/python -m benchmarks

frameworks: $(STAMP) ## add torch and TensorFlow to .venv, for examples/kin_torch and examples/kin_tensorflow
	$(BIN)/pip install --quiet -c requirements.lock -e '.[dev,frameworks]'

# Its wheels are for Python 3.6 only; indexes of one's own may offer some that such an old pip refuses.
tf1: ## make ~/.cache/nsmlctl-tf15: TensorFlow 1.5 on Python 3.6, for programs of 2018 (TF1_PYTHON=/path/to/python3.6)
	@[ -f $(TF1)/.ready ] || { \
		[ -n "$(TF1_PYTHON)" ] || { echo "Python 3.6 is needed; say where: make tf1 TF1_PYTHON=/path/to/python3.6" >&2; exit 1; }; \
		export PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS=; \
		$(TF1_PYTHON) -m venv --clear $(TF1) \
		&& $(TF1)/bin/pip install --quiet "pip<22" "setuptools<60" \
		&& $(TF1)/bin/pip install --quiet "wheel<0.38" tensorflow==1.5.0 "numpy<1.17" "protobuf<3.20" \
		&& touch $(TF1)/.ready; }

images: ## build the Docker images of docker-compose.yml and the runtimes (RUNTIMES="default tf1" a choice, CUDA=1 for GPUs)
	@CUDA="$(CUDA)" docker/images.sh $(RUNTIMES)

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
