# Every target does its whole set-up; a second call does not set up again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tests wait more than they compute, for servers, disks and other processes: two workers a core.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
LINKS := .types/anyctrader
PACKAGES := proto wire session fake scripts

OTHER_WAYS := protobuf-websocket json-tcp json-websocket
WAY_TESTS = tests/session

.PHONY: sandbox test test-matrix test-way test-long check format lint types schema clean

# The main job: demo and live, two embedded servers, the promotion runbook. No account, no credentials.
sandbox: $(READY)
	$(BIN)/anyctrader runbook --sandbox

# All tests, then those of sessions that move the most bytes over the three other ways.
test: WAY_TESTS = tests/session/test_client.py tests/session/test_healing.py tests/session/test_link.py
test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)
	@for way in $(OTHER_WAYS); do $(MAKE) --no-print-directory test-way WAY=$$way WAY_TESTS="$(WAY_TESTS)" || exit 1; done

# All of tests/session over each combination of codec and transport.
test-matrix: $(READY)
	@for way in protobuf-tcp $(OTHER_WAYS); do $(MAKE) --no-print-directory test-way WAY=$$way || exit 1; done

test-way: $(READY)
	ANYCTRADER_CODEC=$(firstword $(subst -, ,$(WAY))) ANYCTRADER_TRANSPORT=$(lastword $(subst -, ,$(WAY))) \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(WAY_TESTS)

# All that has I/O on asyncio with uvloop too, minutes of chaos, cancellation at every turn, hundreds of crashes.
test-long: $(READY)
	ANYCTRADER_UVLOOP=1 ANYCTRADER_CHAOS_S=120 ANYCTRADER_EVERY_TURN=1 CTRADER_CRASHES=300 \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 600 tests/session $(PYTEST_ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory types
	$(BIN)/python -m anyctrader.proto.compile --check
	$(MAKE) --no-print-directory test

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff check .

# mypy does not follow the folder-to-package mapping of an editable install: a tree of links shows it the packages.
types: $(READY)
	@mkdir -p $(LINKS)
	@for package in $(PACKAGES); do ln -sfn ../../$$package $(LINKS)/$$package; done
	$(BIN)/mypy $(LINKS)

schema: $(READY)
	$(BIN)/python -m anyctrader.proto.compile

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("anyctrader needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .types build *.egg-info
