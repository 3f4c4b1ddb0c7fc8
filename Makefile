# make demo    the embedded run, figures under results/
# make test    every test
# make test-slurm   a small run on a throw-away SLURM cluster (root, Debian or Ubuntu)
# make test-kills   a run killed twenty times, half of them in the middle of a write
# make test-wheel   a wheel built, and run in an empty folder
# make bench   each stage beside what one would use instead; BENCH=full takes longer
# make validate     how good a depth the verdict chooses, beside other rules; some minutes
# make lint    style and lint checks alone (part of make test)
# make lock    resolve the pinned environments anew from pyproject.toml
# make wheel   a wheel that carries the workflow, in dist/; make test-wheel runs it in an empty folder
# make clean   remove results and the environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

BENCH ?= small

.PHONY: demo test test-kills test-slurm wheel test-wheel bench validate lint lock clean

# VERBOSE=1 shows Snakemake's own lines; they are in .snakemake/log in any case.
demo: $(VENV)/ready
	@$(BIN)/snakemake --cores $(CORES) $(if $(VERBOSE),,--logger depthgauge)

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slurm: $(VENV)/ready
	$(BIN)/python tests/slurm/run.py

wheel: $(VENV)/ready
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

test-wheel: wheel
	$(BIN)/python tests/wheel/run.py $$(ls -t dist/*.whl | head -n 1)

test-kills: $(VENV)/tested
	$(BIN)/python tests/kills/kill_runs.py

# Ratios, measured side by side in one run: a few minutes, or about a quarter of an hour.
ifeq ($(BENCH),full)
extraction_size := --images 768 --rounds 3
onnx_size := --images 256 --rounds 3
distances_size := --images 1000 --columns 341056
null_size := --images 4000 --permutations 999 --repeats 2
embedding_size := --images 5000 --repeats 2
growth_size := --extraction 64 128 256 --pairs 1000 2000 4000 8000
startup_size := --repeats 2
readings_size := --per-class 100
row_size := --per-class 150
else
extraction_size := --images 128 --rounds 2
onnx_size := --images 64 --rounds 2
distances_size := --images 400 --columns 100000
null_size := --images 1000 --permutations 999 --more-images 2000
embedding_size := --images 1797 --repeats 2
growth_size := --extraction 32 64 128 --pairs 500 1000 2000
startup_size := --repeats 1
readings_size := --per-class 10
row_size := --per-class 10
endif

bench: $(VENV)/tested
	mkdir -p results/bench
	$(BIN)/python tests/bench/bench_machine.py --folder results/bench --output results/bench/machine.csv
	$(BIN)/python tests/bench/bench_extraction.py $(extraction_size) --output results/bench/extraction.csv
	$(BIN)/python tests/bench/bench_onnx.py $(onnx_size) --output results/bench/onnx.csv
	$(BIN)/python tests/bench/bench_distances.py $(distances_size) --output results/bench/distances.csv
	$(BIN)/python tests/bench/bench_null.py $(null_size) --output results/bench/null.csv
	$(BIN)/python tests/bench/bench_embedding.py $(embedding_size) --output results/bench/embedding.csv
	$(BIN)/python tests/bench/bench_growth.py $(growth_size) --folder results/bench
	$(BIN)/python tests/bench/bench_startup.py $(startup_size) --output results/bench/startup.csv
	$(BIN)/python tests/bench/bench_readings.py $(readings_size) --output results/bench/readings.csv
	$(BIN)/python tests/bench/bench_row.py $(row_size) --output results/bench/row.csv
	$(BIN)/python tests/bench/ratios.py results/bench

validate: $(VENV)/tested
	mkdir -p results/validation
	$(BIN)/python tests/validation/verdict_rule.py --output results/validation/verdict_rule.csv

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

$(VENV)/ready: envs/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
	  "depthgauge needs Python 3.11 to 3.13, this is %d.%d; choose one: make PYTHON=python3.12 ..." % v)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python envs/install.py envs/requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# What only tests and timings need, on top.
$(VENV)/tested: $(VENV)/ready envs/requirements-test.lock
	@$(BIN)/python envs/install.py envs/requirements-test.lock
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: $(VENV)/ready
	$(BIN)/pip install --quiet uv
	$(COMPILE) --extra slurm --output-file envs/requirements.lock pyproject.toml
	$(COMPILE) --extra slurm --extra test --constraint envs/requirements.lock \
	  --output-file envs/requirements-test.lock pyproject.toml
	$(BIN)/python envs/conda_from_lock.py

clean:
	rm -rf $(VENV) .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
