# Every target sets itself up (tools/setup.sh: .venv, requirements, extension). `make help` lists them.

PYTHON_BIN := .venv/bin/python
WORKERS ?= 2
MINUTES ?= 10
KERNEL := $(filter-out %log2_table.h, $(wildcard src/flagcore/kernel/*.[ch]))
BINDING := $(wildcard bindings/c/*.h bindings/c/*/*.[ch])
HARNESS := $(wildcard benchmarks/*/*.c tests/*/*.c)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench bench-gate bench-baseline bench-against bench-distribution rivals build bindings sanitize debug fuzz nightly clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv with all requirements, the extension built in place
	@tools/setup.sh

demo: setup ## an example shop: its flags checked, tested, evaluated, explained and timed; then live flags under failures
	@$(PYTHON_BIN) -m examples.demo

test: setup ## all tests: unit, property, conformance, native, packaging, architecture
	$(PYTHON_BIN) -m pytest -n $(WORKERS) --dist worksteal

lint: setup ## ruff, mypy --strict, stubtest, pyright, yellow lines, strict C warnings, clang-format
	$(PYTHON_BIN) -m ruff check .
	$(PYTHON_BIN) -m ruff format --check .
	$(PYTHON_BIN) -m mypy
	$(PYTHON_BIN) -m mypy.stubtest flagcore.evaluator._program flagcore.evaluator._table
	$(PYTHON_BIN) -m pyright
	$(PYTHON_BIN) tools/yellow_lines.py
	$(CC) -std=c11 -ffreestanding -Wall -Wextra -Wconversion -Werror -fsyntax-only src/flagcore/kernel/*.c
	.venv/bin/clang-format --dry-run --Werror $(KERNEL) $(BINDING) $(HARNESS)

format: setup ## put the sources into shape
	$(PYTHON_BIN) -m ruff check --fix --exit-zero .
	$(PYTHON_BIN) -m ruff format .
	.venv/bin/clang-format -i $(KERNEL) $(BINDING) $(HARNESS)

bench: ## the workloads of benchmarks/, as ratios to a compiled method call, and instruction counts
	@tools/setup.sh valgrind
	$(PYTHON_BIN) -m benchmarks.run
	$(PYTHON_BIN) -m benchmarks.instructions
	$(PYTHON_BIN) -m benchmarks.tables

bench-gate: ## fails when instructions, sizes or allocations rose by more than 2 % (benchmarks/baseline.json)
	@tools/setup.sh valgrind
	$(PYTHON_BIN) -m benchmarks.gate $(GATE)

bench-baseline: export BECAUSE := $(BECAUSE)
bench-baseline: ## writes what is measured now as the baseline: make bench-baseline BECAUSE="why figures rose"
	@tools/setup.sh valgrind
	$(PYTHON_BIN) -m benchmarks.gate --update --because "$$BECAUSE"

bench-against: setup ## wall clock beside the last release, run in turn: REF=v1.0.0; fails when a workload is over 10 % slower
	$(PYTHON_BIN) -m benchmarks.run --against $(REF)

bench-distribution: ## how soon a change is served by every client, beside raw ZeroMQ and NATS; about 6 minutes
	@tools/setup.sh nats-server
	$(PYTHON_BIN) -m pip install --quiet --disable-pip-version-check --group bench
	$(PYTHON_BIN) -m benchmarks.bench_distribution $(ARGUMENTS)

rivals: setup ## the peers' released packages beside us: table and chart of docs/performance.md (about 10 minutes)
	$(PYTHON_BIN) -m benchmarks.rivals

build: setup ## sdist and wheel in dist/
	rm -rf dist
	$(PYTHON_BIN) tools/package.py dist

bindings: ## libflagcore for C, static and shared, in build/c: `make -C bindings/c install PREFIX=...` installs it
	$(MAKE) -C bindings/c

sanitize: setup ## unit, property and conformance tests on a build with ASan and UBSan, in build/sanitize
	FLAGCORE_SANITIZE=1 tools/rebuilt.sh build/sanitize -n $(WORKERS)

debug: setup ## the same on a build with every Cython check on, in build/debug
	FLAGCORE_DEBUG=1 tools/rebuilt.sh build/debug -n $(WORKERS)

fuzz: ## mutated programs, then compiled files, through verify and walk under ASan and UBSan, for MINUTES (10) each
	@tools/setup.sh clang
	tools/fuzz.sh $(MINUTES) program
	tools/fuzz.sh $(MINUTES) snapshot

nightly: setup ## Hypothesis with at least 50,000 cases of compiled engine against twin; a million steps of distribution; every decoder
	HYPOTHESIS_PROFILE=nightly $(PYTHON_BIN) -m pytest -n $(WORKERS) tests/property tests/distribution/test_state_machine.py tests/distribution/test_hostile_bytes.py tests/distribution/test_last_good.py

clean: ## everything that was built or cached; .venv stays
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info .venv/.built
	rm -f src/flagcore/evaluator/_*.c src/flagcore/evaluator/*.so
	find src tests tools examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
