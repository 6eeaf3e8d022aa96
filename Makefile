# Two commands for newcomers: `make demo` and `make test`. Each sets up its own environment in .venv first.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two test processes with one thread each: small networks gain nothing from more threads, and two runs do not fight.
JOBS ?= 2

.PHONY: demo test check bench docs install clean help

help:
	@echo "make demo    train HCSF, FCN and LCN on the embedded motion for a few minutes; pictures and a table in demo-out/"
	@echo "make test    run all tests"
	@echo "make check   ruff and mypy"
	@echo "make bench   speed of every network beside that of its matrix products"
	@echo "make docs    build the documentation site in site/"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,c3d,video,analysis,store,serve,export,test,dev,docs]'
	touch $@

demo: $(STAMP)
	$(BIN)/kinegraph demo --out demo-out

test: $(STAMP)
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --site-dir site

clean:
	rm -rf $(VENV) site build demo-out
