# `make book` builds the pages, `make quick` and `make test` check; `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
SITE := _build/html/index.html
PORT ?= 8000

# Waiting threads that spin make a build on a busy machine many times slower, and a sum that is
# split over another number of threads has other last digits.
export OMP_WAIT_POLICY := PASSIVE
export OMP_NUM_THREADS := 1
# A page shows the one line that a run prints, not its progress bar.
export TQDM_DISABLE := 1
# One step fetches MNIST and Fashion-MNIST, unless DATA=offline; nothing after it asks a server.
DATA := $(if $(filter-out 0,$(VAEBOOK_OFFLINE)),offline)
export VAEBOOK_OFFLINE := 1

# What was compiled once need not be again, in the tests least of all.
unexport PYTHONDONTWRITEBYTECODE

# Tests see the bars, and without two plugins that no test uses they begin in half the time.
pytest := env -u TQDM_DISABLE $(BIN)/python -m pytest -q -p no:nbval -p no:logging
# Tests that don't need a core for themselves. Many wait for processes that they have started, so
# that two workers leave two cores idle for a third of the time.
workers := $(shell $(PYTHON) -c 'import os; n = os.cpu_count(); print(n + n // 2)')
parallel := -n $(workers) --dist worksteal

# Who asks for what is marked `alone` waits for every file to be read: these are those with some.
with_alone = $(shell grep -rl --include='test_*.py' 'mark\.alone' tests)

nbval := $(BIN)/python -m pytest -q -n auto --dist loadfile --nbval-lax --nbval-current-env \
  --nbval-cell-timeout=120

chapters := $(wildcard chapters/*.ipynb)
notebooks := $(wildcard intro.ipynb) $(chapters)
# What may change a chapter's outputs beside its own cells; tools/execute.py looks closer.
inputs = $(shell find vaebook/ -type f -not -path '*/__pycache__/*' -not -name '*.py[co]' | LC_ALL=C sort) requirements.txt
builders := $(addprefix tools/,build.py execute.py execute_one.py share.py witness/sitecustomize.py)
pages := $(shell find intro.ipynb chapters _config.yml _toc.yml references.bib _static assets \
           -type f -not -path '*/.ipynb_checkpoints/*' -not -name plotly.min.js 2>/dev/null)

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book chapter serve notebooks quick test test-all lint types spelling unit chapters site \
  without-images coverage clean FORCE experiment assignments grade forget wheel zip pdf slides figures links measure

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1	/p' Makefile | expand -t 14

book: $(SITE) ## execute what has changed and render the pages (DATA=offline: download nothing)
	@echo "The book is at $(SITE)"
	@! grep -q 'missing$$' _build/data || printf '\033[31m== %s\033[0m\n' \
	  "MNIST or Fashion-MNIST could not be had: pages that would show their images say so"

chapter: _build/data assets/vendor/plotly.min.js ## execute and render one chapter: make chapter N=4
	@$(BIN)/python tools/build.py --chapter "$(N)" $(chapters)

serve: book ## show the pages at http://127.0.0.1:8000 (PORT=... for another port)
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

notebooks: .venv/installed _build/data ## execute the chapters in place, keep only the compared outputs
	$(BIN)/python tools/notebooks.py $(notebooks)

quick: .venv/installed ## seconds: style and types of the Python, the fast tests of the package
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy & types=$$!; trap "kill $$types" INT TERM; \
	  $(pytest) -n auto --dist worksteal -m "not (slow or weekly or alone)" \
	    tests/unit tests/book/test_structure.py; tests=$$?; wait $$types && exit $$tests

test: lint types spelling unit site ## run everything that decides whether a change is sound
	@echo "== all checks passed"

test-all: test chapters without-images links ## the same with coverage, what is marked weekly, the chapters as notebooks with MNIST and without, and every link that leads out

not_weekly := and not weekly
test-all: not_weekly :=
test-all coverage: covered := --cov=vaebook --cov-branch --cov-report=term:skip-covered

lint: .venv/installed
	@echo "== 1/6 style"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@if command -v npm >/dev/null; then \
	   [ node_modules/.installed -nt package-lock.json ] || \
	     { npm ci --no-audit --no-fund --silent && touch node_modules/.installed; }; \
	   npm run --silent lint; \
	 elif [ -n "$$CI" ]; then echo "npm is missing: the style of the scripts can't be checked" >&2; exit 1; \
	 else printf '\033[31m== npm is missing: the style of the scripts was NOT checked\033[0m\n'; fi

types: .venv/installed
	@echo "== 2/6 types"
	$(BIN)/mypy

spelling: .venv/installed
	@echo "== 3/6 spelling"
	$(BIN)/codespell

unit: .venv/installed
	@echo "== 4/6 mathematics, package and structure"
	$(pytest) $(parallel) $(covered) -m "not alone $(not_weekly)" --ignore=tests/site
	$(pytest) -m "alone $(not_weekly)" $(filter-out tests/site/%,$(with_alone))

chapters: .venv/installed _build/data ## nbval: each chapter runs, and its compared outputs are the same
	$(if $(chapters),$(nbval) chapters,@echo "no chapters")

# An empty folder of data, so that the images of a checkout are not found.
without-images: .venv/installed ## the chapters as notebooks where MNIST and Fashion-MNIST are missing
	@mkdir -p _build/no-images
	VAEBOOK_DATA="$(CURDIR)/_build/no-images" $(nbval) chapters

site: .venv/installed _build/data
	@echo "== 5/6 strict build"
	@$(MAKE) --no-print-directory book
	@echo "== 6/6 pages in a browser"
	$(pytest) -rs -n auto -m "not alone $(not_weekly)" tests/site
	$(pytest) -rs -m "alone $(not_weekly)" $(filter tests/site/%,$(with_alone))

coverage: unit ## which lines of the package the tests run

assignments: .venv/installed ## write the students' notebooks to _build/assignments
	$(BIN)/python assignments/course.py release --output _build/assignments

# Quoted, since folders of submissions have spaces in their names.
grade: .venv/installed ## grade SUBMISSIONS=DIR or ZIP into _build/grades or GRADES=DIR (ASSIGNMENT=, STUDENT=, SEED=, WRITTEN=FILE, COURSE=FILE, JOBS=, SCHEDULER=)
	$(BIN)/python assignments/course.py grade "$(SUBMISSIONS)" --output "$(or $(GRADES),_build/grades)" \
	  $(if $(SEED),--seed "$(SEED)") $(if $(WRITTEN),--written "$(WRITTEN)") \
	  $(if $(ASSIGNMENT),--assignment "$(ASSIGNMENT)") \
	  $(if $(STUDENT),--student "$(STUDENT)") $(if $(COURSE),--course "$(COURSE)") \
	  $(if $(JOBS),--jobs "$(JOBS)") $(if $(SCHEDULER),--scheduler "$(SCHEDULER)")

forget: .venv/installed ## remove all that is kept of STUDENT=NAME (SUBMISSIONS=DIR, COURSE=FILE, GRADES=DIR)
	$(BIN)/python assignments/course.py forget "$(STUDENT)" --output "$(or $(GRADES),_build/grades)" \
	  $(if $(SUBMISSIONS),--submissions "$(SUBMISSIONS)") $(if $(COURSE),--course "$(COURSE)")

wheel: .venv/installed ## build the package into _build/wheel
	rm -rf build _build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir _build/wheel .
	rm -rf build

zip: book ## pack the pages for reading without a network
	$(BIN)/python tools/pack.py _build/html _build/latent-space.zip

pdf: book ## print the pages into one PDF with bookmarks (needs Chromium)
	$(BIN)/python tools/print_pdf.py _build/html _build/latent-space.pdf

slides: book ## make a deck of slides of each chapter, in _build/slides
	$(BIN)/python tools/slides.py _build/html _build/slides

figures: book ## save every figure as PNG and SVG, in _build/figures (needs Chromium)
	$(BIN)/python tools/save_figures.py _build/html _build/figures

links: book ## try every link that leads out of the book (needs the network)
	$(BIN)/python tools/links.py

experiment: .venv/installed _build/data ## compute what is missing of a table: NAME=tours (JOBS=2)
	@TQDM_DISABLE= $(BIN)/python -m vaebook experiment "$(NAME)" $(if $(JOBS),--jobs "$(JOBS)")

measure: .venv/installed _build/data ## seconds and memory of each chapter on one core
	$(BIN)/python tools/measure_chapters.py $(chapters)

clean: ## remove all that was built, but neither the environment nor what has been graded
	rm -rf $(filter-out _build/grades $(patsubst %/grades.csv,%,$(wildcard _build/*/grades.csv)),$(wildcard _build/*)) .coverage assets/vendor/plotly.min.js .mypy_cache .pytest_cache .ruff_cache

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make book PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

assets/vendor/plotly.min.js: .venv/installed
	$(BIN)/python -c 'import plotly, shutil; shutil.copy(plotly.__path__[0] + "/package_data/plotly.min.js", "$@")'

# What is there decides what the pages show. Each build looks again, and where servers are silent
# that takes half a minute.
_build/data: FORCE .venv/installed
	@mkdir -p _build
	@VAEBOOK_OFFLINE= TQDM_DISABLE= $(BIN)/python -m vaebook data \
	  $(if $(filter offline,$(DATA)),--offline) > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(SITE): _build/data $(inputs) $(pages) $(builders) assets/vendor/plotly.min.js
	$(BIN)/python tools/build.py $(notebooks)

FORCE:
