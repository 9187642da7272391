# Two commands do all the set-up: `make demo` and `make test`. Both can be repeated at no cost. `make help` lists all.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
TORCH := torch==2.13.0
PYTEST := $(BIN)/python -m pytest
ENGINES := .venv-engines/.installed
# One thread each: several processes of several threads would wait for each other. What was compiled is kept, also where
# a container's PYTHONDONTWRITEBYTECODE says not to: every process that a test starts would compile all modules again.
ALONE = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
# It has the jars by which Spark reads s3a://, and asks for an older Spark, which is left out.
SPARK_ON_S3 := sagemaker-pyspark==1.4.5
CHROMIUM := $(or $(ENFORMER_RAY_CHROMIUM),/usr/bin/chromium)
IN_PROCESSES = -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: demo help test test-full browser chaos fuzz bench lint types rooms tests engines docs format lock clean

demo: $(INSTALLED) ## install, score a known variant and its neighbours, show which matter
	$(BIN)/enformer-ray demo --out demo-run

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: lint types rooms tests ## all that must be right before a change is handed in

lint: $(INSTALLED) ## form and slips of the code, by ruff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED) ## types, by mypy
	$(BIN)/mypy

rooms: $(INSTALLED) ## which package may import which, by import-linter
	$(BIN)/lint-imports

# In JOBS processes: a file's tests in one, those that start Ray one after another (tests/conftest.py). `JOBS=0`: in one.
# One more than two processors have use for, since the one with Ray waits for half of its time.
tests: JOBS ?= 3
tests: $(INSTALLED) $(ENGINES) ## the tests, in JOBS=3 processes
	$(ALONE) $(PYTEST) -m "not full and not gpu and not browser" $(IN_PROCESSES)

# Everything, the slow suites too: every record of the real files, every golden variant at full size.
test-full: JOBS ?= 2
test-full: $(INSTALLED) $(ENGINES) ## the tests and the slow suites, in JOBS=2 processes of up to 9 GB
	ENFORMER_RAY_THOROUGH=1 $(ALONE) $(PYTEST) -m "not gpu and not browser" --timeout=7200 $(IN_PROCESSES)

# Pages of reports and pictures as a browser shows them. The browser is the machine's own; Node.js drives it.
browser: $(INSTALLED) .venv-docs/.installed ## pages in a Chromium (ENFORMER_RAY_CHROMIUM); needs Node.js
	@test -x "$(CHROMIUM)" || { echo "There is no browser $(CHROMIUM): name a Chromium by ENFORMER_RAY_CHROMIUM."; exit 1; }
	@command -v npm >/dev/null || { echo "There is no npm: pages are tested with Node.js."; exit 1; }
	npm install --prefix tests/browser --no-audit --no-fund --no-package-lock --silent
	$(ALONE) $(PYTEST) -m browser tests/browser

# Ten thousand simulated runs under every fault, then thirty real ones while workers, nodes, drivers and the store are killed.
chaos: $(INSTALLED) ## runs in which workers, machines, drivers and the store are killed: hours
	ENFORMER_RAY_SEEDS=10000 $(PYTEST) tests/simulation --timeout=14400
	$(BIN)/python -m benchmarks.chaos --rounds 30 --races 30 --seed 1 --json benchmarks/results/chaos.json

# Twenty thousand real files with something changed, and as many made ones, whose scored rows are read a second way.
fuzz: $(INSTALLED) ## tens of thousands of odd input files: hours
	ENFORMER_RAY_FUZZ=20000 $(PYTEST) tests/variants/test_fuzz.py tests/variants/test_fuzz_alleles.py --timeout=7200

# How fast and how exact, against the port that most people use; in an environment that has both. `make bench ARGS=--quick`
bench: .venv-bench/.installed ## how fast and how exact, beside the port that most people use
	.venv-bench/bin/python -m benchmarks.engine --json benchmarks/results/engine.json --chart docs/engine.svg $(ARGS)

.venv-bench/.installed: requirements.lock pyproject.toml benchmarks/requirements.txt benchmarks/requirements-large.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt --editable .
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/requirements-large.txt
	@touch $@

engines: $(ENGINES) ## an environment for SQL engines and readers that only tests ask

# Apart: chDB brings pandas, DuckDB's reader of Iceberg is for another release of DuckDB, Spark takes 0.5 GB.
$(ENGINES): tests/requirements-engines.txt
	@echo "Installing engines that only tests ask into .venv-engines; only once."
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements-engines.txt
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(SPARK_ON_S3)
	@touch $@

docs: .venv-docs/.installed ## the documentation as a site, in site/: open site/index.html
# with --quiet warnings are neither shown nor counted, and a link that leads nowhere fails nothing
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --site-dir site

.venv-docs/.installed: docs/site/requirements.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --requirement docs/site/requirements.txt
	@touch $@

format: $(INSTALLED) ## mend of the code's form what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python 3.11-3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.11")'
	@echo "Installing $$(grep -c == requirements.lock) packages, torch and Ray among them, into .venv; only once." \
		"It takes minutes, and 3 GB of disk (7 GB with PyTorch's CUDA build, which Linux gets by default)."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --progress-bar on --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Renew the pins. A build of torch for one kind of hardware bears a local version (+cpu): it is not pinned.
lock: $(INSTALLED) ## renew the pins of requirements.lock
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --allow-unsafe --unsafe-package pip --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --no-annotate --no-header --upgrade-package $(TORCH) \
		--output-file requirements.lock pyproject.toml
	sed -i -E -e 's/^(torch==[0-9.]+)\+.*/\1/' -e '/^\# The following packages/,$$d' requirements.lock

clean: ## remove the environments, the site, the demonstration's run and all caches
	rm -rf .venv .venv-bench .venv-engines .venv-docs site demo-run .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
