# `make` lists what can be done. Everything runs inside .venv, made from requirements.lock; nothing else is touched.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup reports test lowest attack fuzz data lab check bench calibrate mutants reference lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: .venv/.installed ## once: the exact versions of requirements.lock into .venv (needs Python 3.11 or newer)

reports: .venv/.installed ## answer every question of every study under data/; ends with where the index is
	@$(BIN)/researchkit run

test: .venv/.installed ## every test, on all cores
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lowest: ## every test on Python 3.11 with the lowest versions that pyproject.toml allows (needs uv)
	@wanted=$$(mktemp) && uv pip compile pyproject.toml --all-extras --resolution lowest-direct --python-version 3.11 --quiet -o $$wanted && \
	OPENBLAS_NUM_THREADS=1 uv run --isolated --no-project --python 3.11 --with-requirements $$wanted --with-editable . \
	  python -m pytest -n auto --dist worksteal; done=$$?; rm $$wanted; exit $$done

attack: .venv/.installed ## broken data, fuzz, injection, kills, disclosure: at length; `make test` tries a shorter version
	@table=$$(mktemp) && RESEARCHKIT_PLANTED=$$table OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal \
	  -m "attack or not attack" $$(grep -l "mark.attack" tests/test_*.py); done=$$?; \
	echo "What names each planted defect:"; sort $$table; rm $$table; exit $$done

fuzz: .venv/.installed ## inputs of the readers and the study file, guided by the branches they reach (LONG=300 seconds each)
	@$(PIP) install --require-hashes --no-deps -r tests/guided.txt
	@for what in study text; do OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/guided.py $$what $(or $(LONG),300) || exit 1; done

data: .venv/.installed ## download the published data sets that the studies name
	@$(BIN)/researchkit data get --all

lab: .venv/.installed ## JupyterLab, opened at the first notebook
	@$(BIN)/researchkit lab

check: .venv/.installed ## style, types, and the order of the house
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest tests/test_layers.py tests/test_project.py

bench: .venv/.installed ## against one model at a time, other ways to make reports, and 100 million rows; takes half an hour, and 10 GB of disk
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/bench.py; models=$$?; \
	OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/bench_reports.py; reports=$$?; \
	OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/bench_size.py && exit $$((models + reports))

calibrate: .venv/.installed ## how often intervals hold the truth, over simulated studies; takes half an hour, goes on where it was stopped
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m researchkit.calibrate; grid=$$?; \
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m researchkit.calibrate.designs && exit $$grid

mutants: .venv/.installed ## which small faults the tests notice; hours, goes on where it was stopped (ROOM=moments, SAMPLE=600, SEED=1)
	@$(PIP) install --require-hashes --no-deps -r tests/mutants.txt
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py $(ROOM) \
	  $(if $(FILE),--files $(FILE)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(LONG),--again --long $(LONG))

reference: .venv/.installed ## renew the values that R computes from simulated data (needs R and the packages it names)
	@folder=$$(mktemp -d) && $(BIN)/python tests/reference/worlds.py "$$folder" && \
	for script in tests/reference/[!c]*.R; do echo "$$script"; Rscript "$$script" "$$folder" "$${script%.R}.json" || exit 1; done; \
	rm -r "$$folder"

lock: ## renew requirements.lock and environment.yml from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --quiet -o requirements.lock
	@{ sed '/^  - pip:$$/q' environment.yml; \
	   sed -n -E 's/^([A-Za-z0-9][^ ]*==.*[^ \\]) *\\?$$/      - "\1"/p' requirements.lock; \
	   echo '      - "-e ."'; } > .environment.tmp && mv .environment.tmp environment.yml

clean: ## remove the reports and every cache (.venv and downloaded data stay)
	@find reports -mindepth 1 ! -name .gitkeep -delete
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	@find src tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

# Two steps, so that a change of pyproject.toml alone does not fetch anything anew.
.venv/.locked: requirements.lock tests/axe.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no '$(PYTHON)'. Name one: make setup PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "researchkit needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1)." >&2; \
	  echo "Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@"$(PYTHON)" -m venv .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --require-hashes --no-deps -r tests/axe.txt || echo "axe-core cannot be had; its tests will be skipped."
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
