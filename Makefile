# Two commands on a fresh machine: `make demo`, `make test`. Python >= 3.11 and make are all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test lint bench attack compiled native clean help

help: ## what can be made here
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Seenby needs Python >= 3.11; try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.run: pyproject.toml verifier/pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./verifier -e .
	@touch $@

# What the ledger does most, compiled (docs/adr/0026). Everything works without it, at less than half the speed.
$(VENV)/.native: native/Cargo.toml native/Cargo.lock native/pyproject.toml $(wildcard native/src/*.rs) | $(BIN)/python
	@if cargo --version >/dev/null 2>&1; then \
	  echo "compiling seenby-native (half a minute)" && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall ./native && touch $@; \
	else \
	  echo "no Rust compiler here: the ledger's work is done in Python, and tests of seenby-native are skipped"; \
	fi

$(VENV)/.test: pyproject.toml verifier/pyproject.toml | $(BIN)/python $(VENV)/.native
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./verifier -e '.[test]'
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run ## an embedded world with two regions, a guided tour, then connection strings
	$(BIN)/seenby demo

test: $(VENV)/.test ## everything: lint, then the whole suite
	@$(MAKE) --no-print-directory -j 2 lint compiled
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

# Beside mypy, which uses one core. The tests start a few hundred programs, and each would compile Seenby anew where
# Python is told to write no bytecode; and each of pytest's workers would rewrite every assertion.
compiled: $(VENV)/.test
	@$(BIN)/python -m compileall -q src verifier/src
	-@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only -qq >/dev/null

native: ## compile what the ledger does most: needs Rust 1.88 or newer
	@cargo --version >/dev/null || { echo "make native needs cargo and rustc, 1.88 or newer"; exit 1; }
	@rm -f $(VENV)/.native
	@$(MAKE) --no-print-directory $(VENV)/.native

lint: $(VENV)/.test ## ruff, mypy --strict, import contracts; rustfmt and clippy where they are
	$(BIN)/ruff format --check src verifier tests bench
	$(BIN)/ruff check src verifier tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1; then \
	  cargo fmt --check --manifest-path native/Cargo.toml && \
	  cargo clippy --quiet --locked --manifest-path native/Cargo.toml -- -D warnings; \
	else \
	  echo "native/ is not linted: rustfmt and clippy are not here"; \
	fi

bench: $(VENV)/.test ## direct against through the gateway, then the ledger alone, each compared in one run
	$(BIN)/python -m bench.ratios
	$(BIN)/python -m bench.ledger

attack: $(VENV)/.test ## the long campaigns: oracles and attacks with many more queries
	SEENBY_CAMPAIGN=long $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup tests/oracles tests/attack tests/fuzz tests/faults

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) native/target .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
