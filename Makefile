# make demo    the embedded run, figures under results/
# make test    every test
# make bench   each stage beside what one would use instead; BENCH=full takes longer
# make lint    style and lint checks alone (part of make test)
# make lock    resolve the pinned environments anew from pyproject.toml
# make clean   remove results and the environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

BENCH ?= small

.PHONY: demo test bench lint lock clean

demo: $(VENV)/ready
	$(BIN)/snakemake --cores $(CORES)

test: lint
	$(BIN)/pytest

# Ratios, measured side by side in one run.
ifeq ($(BENCH),full)
distances_size := --images 1000 --columns 341056
null_size := --images 4000 --permutations 999
embedding_size := --images 5000
extraction_size := --images 512 --rounds 5
else
distances_size := --images 400 --columns 100000
null_size := --images 1000 --permutations 999
embedding_size := --images 1797 --repeats 2
extraction_size := --images 192 --rounds 2
endif

bench: $(VENV)/tested
	mkdir -p results/bench
	$(BIN)/python tests/bench/bench_extraction.py $(extraction_size) --output results/bench/extraction.csv
	$(BIN)/python tests/bench/bench_distances.py $(distances_size) --output results/bench/distances.csv
	$(BIN)/python tests/bench/bench_null.py $(null_size) --output results/bench/null.csv
	$(BIN)/python tests/bench/bench_embedding.py $(embedding_size) --output results/bench/embedding.csv

lint: $(VENV)/tested
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

# What only tests and timings need, on top.
$(VENV)/tested: $(VENV)/ready envs/requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements-test.lock
	touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: $(VENV)/ready
	$(BIN)/pip install --quiet uv
	$(COMPILE) --extra slurm --output-file envs/requirements.lock pyproject.toml
	$(COMPILE) --extra slurm --extra test --constraint envs/requirements.lock \
	  --output-file envs/requirements-test.lock pyproject.toml
	$(BIN)/python envs/conda_from_lock.py

clean:
	rm -rf $(VENV) .snakemake results/*/ results/*.csv
