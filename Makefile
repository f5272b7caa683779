# make run, make test: all a newcomer needs. The environment is rebuilt when the lock file changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 5006
JOBS ?= 2

.PHONY: run test lint bench endurance screenshots figures real env clean

run: env
	$(BIN)/lensvet demo --port $(PORT)

env: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(f"LensVet needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=python3.11 run" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || (rm -rf $(VENV); echo "no virtual environment could be made: on Debian, apt-get install python3-venv"; exit 1)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

test: env
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: env
	$(BIN)/python -m tests.benchmarks

endurance: env
	$(BIN)/python -m tests.endurance kills
	$(BIN)/python -m tests.endurance hours 2
	$(BIN)/python -m tests.endurance_scoring kills
	$(BIN)/python -m tests.endurance_scoring memory 1000000

screenshots: env
	$(BIN)/python -m tests.ui.screenshots

figures: env
	$(BIN)/python -m tests.ui.populations
	$(BIN)/python -m tests.ui.beside_real
	$(BIN)/python -m tests.ui.maps_on_real

real: env
	$(BIN)/python -m tests.real_images

clean:
	rm -rf $(VENV) build
