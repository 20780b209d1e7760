# Two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test chaos fuzz postgresql chromium axe latex bench docs notebook lint clean

FUZZ_SECONDS ?= 600

demo: $(VENV)/demo.stamp
	$(BIN)/python -m tal_search.run study=thumos_grid

# Two processes, each taking whole files: many tests wait for processes that they have killed.
test: $(VENV)/test.stamp postgresql chromium axe latex lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The driver killed 200 times at random moments: half an hour.
chaos: $(VENV)/test.stamp
	TAL_CHAOS_KILLS=200 $(BIN)/python -m pytest tests/end_to_end/test_chaos.py

# Every reader of foreign files fed with broken ones: FUZZ_SECONDS for each of the nine, an hour and a half in all.
fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# docs/api.md from the docstrings, in seconds; tests/documents/test_documents.py fails where the page is older than they are.
docs: $(VENV)/test.stamp
	$(BIN)/python docs/make_api.py

# docs/notebook.ipynb executed anew, in a minute; its pictures need Chromium.
notebook: $(VENV)/test.stamp chromium
	$(BIN)/python docs/make_notebook.py

# Tests start a PostgreSQL of their own; Debian's package is installed where it is missing and may be.
postgresql:
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql; \
	else echo "PostgreSQL is not installed: its tests will be skipped; install the package postgresql to run them"; fi

# Tests open the dashboards in a real browser: Debian's, installed where it is missing and may be.
chromium:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium fonts-dejavu-core; \
	else echo "Chromium is not installed: its tests will be skipped; install the package chromium to run them"; fi

# Tests look for obstacles to people with disabilities with axe-core, for which npm is needed.
AXE := axe-core@4.14.1
axe: $(VENV)/bin/python
	@if [ -e $(VENV)/npm/$(AXE) ]; then :; \
	elif command -v npm >/dev/null; then \
		npm install --silent --no-save --no-package-lock --ignore-scripts --prefix $(VENV)/npm $(AXE) && touch $(VENV)/npm/$(AXE); \
	else echo "npm is not installed: the test for accessibility will be skipped; install the package npm to run it"; fi

# Tests compile the exported tables with pdflatex: Debian's, 156 MB, installed where it is missing and may be.
latex:
	@if command -v pdflatex >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends texlive-latex-base texlive-latex-recommended >/dev/null; \
	else echo "pdflatex is not installed: its tests will be skipped; install texlive-latex-base and texlive-latex-recommended"; fi

# Every benchmark, half an hour; the table is kept in benchmarks/results/.
bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.record

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray,tracking,dashboards]'
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/fuzz.stamp: $(VENV)/test.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --only-binary atheris -e '.[fuzz]' || \
		{ echo "Atheris has no wheel for $$($(BIN)/python -VV | head -1), or pip could not fetch it; it has them for CPython" \
		"3.11 to 3.13 on 64-bit Intel Linux: make clean, then make PYTHON=python3.12 fuzz"; exit 1; }
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
