# Two commands on a fresh machine: `make demo` and `make test`. Both build .venv once.
PYTHON ?= python3
PIP_FLAGS ?= --disable-pip-version-check
BIN := .venv/bin
STAMP := .venv/.installed
MIN_BIN := .venv-min/bin
# Loaded machines stall torch's OpenMP pools when idle threads spin instead of sleeping.
export OMP_WAIT_POLICY ?= passive

EXPERIMENTS := experiment-adaptation experiment-kim2017 experiment-latif2022 experiment-audit

.PHONY: demo test test-min lint venv clean $(EXPERIMENTS)

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("sklearn_ser needs Python 3.11 or newer, this is %s: make PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	@echo "Setting up .venv (some minutes the first time)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/sklearn-ser demo

# Two processes: a file's tests stay together, so that fixtures are made once.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The lower bounds of pyproject.toml, in a virtual environment of their own.
test-min:
	test -x $(MIN_BIN)/python || $(PYTHON) -m venv .venv-min
	$(MIN_BIN)/python -m pip install $(PIP_FLAGS) --constraint constraints-min.txt --editable '.[dev]'
	$(MIN_BIN)/python -m pytest -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/check_snippets.py

# Measurements of accuracy: see experiments/README.md. They resume after a kill.
experiment-adaptation: $(STAMP)
	$(BIN)/python -m experiments.adaptation.comparison
	$(BIN)/python -m experiments.adaptation.self_training

experiment-kim2017: $(STAMP)
	$(BIN)/python -m experiments.kim2017.auxiliary_tasks
	$(BIN)/python -m experiments.kim2017.clusters
	$(BIN)/python -m experiments.kim2017.loss_weighting

experiment-latif2022: $(STAMP)
	$(BIN)/python -m experiments.latif2022.mtl_aug

experiment-audit: $(STAMP)
	$(BIN)/python -m experiments.audit.known_flaws
	$(BIN)/python -m experiments.audit.planted_flaws

clean:
	rm -rf .venv .venv-min sklearn-ser-demo
