# One word for each chore. A bare `make` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LOCAL := $(HOME)/.cache/nsmlctl/runtimes
RUNTIMES ?= default tf1 $(if $(CUDA),,tf1.5) keras2 torch1 torch1.1

.PHONY: help setup demo test lint types format bench frameworks runtimes tf1 images lock clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

# tf-keras gives TensorFlow 2's v1 mode its tf.layers. It asks for the package of the other name, which is the same one.
frameworks: $(STAMP) ## add torch and TensorFlow to .venv, for examples/kin_torch and examples/kin_tensorflow
	$(BIN)/pip install --quiet -c requirements.lock -e '.[dev,frameworks]'
	$(BIN)/pip install --quiet --no-deps 'tf-keras==2.21.*'

runtimes: $(patsubst docker/runtimes/%.txt,$(LOCAL)/%/.ready,$(wildcard docker/runtimes/*.txt)) ## make the frameworks of 2018 to 2020, each with its Python, where `nsmlctl up` finds them

tf1: $(LOCAL)/tf1.5/.ready ## make the oldest of them only: TensorFlow 1.5 on Python 3.6

# Old wheels are for old Pythons only; indexes of one's own may offer some that such an old pip refuses. In a box the SDK is
# at /sdk: the line in site-packages is for children of a program that drop PYTHONPATH.
$(LOCAL)/%/.ready: docker/runtimes/%.txt
	@version=$$(sed -n 's/^# Python //p' $<); \
		python=$$(ls $(HOME)/.pyenv/versions/$$version.*/bin/python 2>/dev/null | head -1); \
		python=$${python:-$$(command -v python$$version)} \
		|| { echo "The runtime $* needs Python $$version, by pyenv or on the PATH." >&2; exit 1; }; \
		echo "Making $(LOCAL)/$* (once; half a minute) …"; \
		export PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_DISABLE_PIP_VERSION_CHECK=1; \
		$$python -m venv --clear $(@D) \
		&& $(@D)/bin/python -m pip install --quiet "pip<22" "setuptools<60" "wheel<0.38" \
		&& $(@D)/bin/python -m pip install --quiet -r $< \
		&& echo /sdk > $(@D)/lib/python$$version/site-packages/nsml_sdk.pth \
		&& touch $@

images: ## build the Docker images of docker-compose.yml and the runtimes (RUNTIMES="default tf1" a choice, CUDA=1 for GPUs)
	@CUDA="$(CUDA)" docker/images.sh $(RUNTIMES)

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
