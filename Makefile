# make demo    the embedded run, figures under results/
# make test    every test
# make lint    style and lint checks alone (part of make test)
# make lock    resolve the pinned environments anew from pyproject.toml
# make clean   remove results and the environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

.PHONY: demo test lint lock clean

demo: $(VENV)/ready
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/ready lint
	$(BIN)/pytest

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

$(VENV)/ready: envs/requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
	  "depthgauge needs Python 3.11 to 3.13, this is %d.%d; choose one: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --extra test --no-header --output-file envs/requirements.lock pyproject.toml
	$(BIN)/python envs/conda_from_lock.py

clean:
	rm -rf $(VENV) .snakemake results/*/ results/*.csv
