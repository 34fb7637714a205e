# The project's commands. Each makes the virtual environment it needs and stops at the first error.
#
#   make quickstart   sets up everything and runs the story of examples/quickstart.py on real data
#   make test         sets up everything and runs the tests         (make test TESTS=tests/unit)
#   make check        what CI checks beside the tests: style, types, layers, docs, OpenAPI
#   make docs         builds the documentation into docs/_build
#   make bench        measures, beside MLflow, and writes docs/benchmarks.md
#   make clean        removes what these commands made, but not ./workspace
#
# PYTHON=... chooses the interpreter; it is only used when the environment is made.

.POSIX:
.PHONY: quickstart test check docs bench clean environment environment-quickstart

BIN = .venv/bin
PEERS = .venv-peers
TESTS = tests
TEST_FLAGS = -n 2 --dist loadgroup
CHECKED = amlsdk tests examples benchmarks docs

quickstart: environment-quickstart
	@$(BIN)/python examples/quickstart.py

test: environment
	@$(BIN)/python -m pytest $(TEST_FLAGS) $(TESTS)

check: environment
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check --quiet $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@$(BIN)/python -m amlsdk.server.openapi --check docs/openapi.json

docs: environment
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: environment
	@scripts/make-environment $(PEERS) --upgrade -r benchmarks/requirements-peers.txt
	@$(BIN)/python benchmarks/run.py --peers $(PEERS)/bin/python

clean:
	@rm -rf .venv $(PEERS) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@scripts/setup-system
	@scripts/make-environment .venv -e '.[check]'

environment-quickstart:
	@scripts/setup-system python
	@scripts/make-environment .venv -e '.[server,serving,models,pandas]' scikit-learn
