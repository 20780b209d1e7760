# Two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYSTEM ?= yes
FUZZ_SECONDS ?= 600
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.PHONY: demo test chaos fuzz postgresql chromium axe latex system bench docs hashes notebook lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/python -m tal_search.run study=thumos_grid

# Two processes, each running whole files: many tests wait for processes that they have killed.
test: system $(VENV)/test.stamp lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

# The driver killed 200 times at random moments, every command that writes 100 times in its first seconds, and 200 random
# bits flipped in the files of a finished study: an hour and a half.
chaos: $(VENV)/test.stamp
	TAL_CHAOS_KILLS=200 TAL_CHAOS_FIRST=100 TAL_FLIPS=200 $(BIN)/python -m pytest tests/end_to_end/test_chaos.py \
		tests/end_to_end/test_first_seconds.py tests/end_to_end/test_damaged_files.py

# Every reader of foreign files fed with broken ones: FUZZ_SECONDS for each of the eleven, two hours in all.
fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# docs/api.md from the docstrings, in seconds; tests/documents/test_documents.py fails where the page is out of date.
docs: $(VENV)/test.stamp
	$(BIN)/python docs/make_api.py

# Hashes of every package of an installation with all optional parts, for pip install --require-hashes.
hashes: $(VENV)/bin/python
	$(PIP) --quiet uv
	echo hatchling | $(BIN)/uv pip compile --quiet pyproject.toml - --extra all --constraints constraints.txt \
		--generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate \
		--custom-compile-command 'make hashes' --output-file constraints-hashes.txt

# docs/notebook.ipynb executed again, in a minute; its pictures need Chromium.
notebook: $(VENV)/test.stamp chromium
	$(BIN)/python docs/make_notebook.py

# Programs outside Python that tests use; it says what it installs. SYSTEM=no installs none: their tests are skipped.
system:
	@SYSTEM=$(SYSTEM) .ci/programs

postgresql chromium latex axe:
	@.ci/programs $@

# Every benchmark, half an hour; the table is written to benchmarks/results/.
bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.record

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Ray, Optuna, MLflow, Dash and PyTorch into $(VENV), nothing elsewhere: 560 MB to download and" \
		"2.3 GB on disk with a CPU build of PyTorch (several GB more with CUDA), one to three minutes."
	$(PIP) -e '.[ray,tracking,dashboards]'
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the package, its optional parts and the test tools into $(VENV), nothing elsewhere:" \
		"700 MB to download and 2.7 GB on disk with a CPU build of PyTorch, one to four minutes."
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/fuzz.stamp: $(VENV)/test.stamp
	@$(PIP) --quiet --only-binary atheris -e '.[fuzz]' || \
		{ echo "Atheris has no wheel for $$($(BIN)/python -VV | head -1), or pip could not download it. There are wheels for" \
		"CPython 3.11 to 3.13 on 64-bit Intel Linux: make clean, then make PYTHON=python3.12 fuzz"; exit 1; }
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
