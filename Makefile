# How to work on Ouro. `make` prints this help; every target does the set-up that it needs.

# Any Python 3 to start with: the set-up itself goes on with a 3.11 or 3.12 and says so when there is none.
PYTHON := $(or $(PYTHON),$(firstword $(foreach name,python3 python3.12 python3.11 python,$(shell command -v $(name)))))
PORT ?= 8000
ANVIL_PORT ?= 8545
CALLS ?= 100000
FILLS ?= 10000
SAMPLE ?= 800
SEED ?= 1
DEATHS ?= 1000
KILLS ?= 20
REORGS ?= 500
# The tests wait for nodes much of their time: three processes keep two cores busy.
WORKERS ?= 3

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH):$(CURDIR)/.tools/uv/bin
export PORT ANVIL_PORT
# The exchange and its tests start many processes. Where byte code is not kept, each compiles every library anew.
export PYTHONDONTWRITEBYTECODE :=
# mamushi cannot parse an `initializes` over several lines, which three files need
VYPER := $(filter-out contracts/Exchange.vy contracts/ExchangeDesk.vy contracts/ExchangeExit.vy,$(wildcard contracts/*.vy contracts/*/*.vy contracts/*/*.vyi))
BIOME := .tools/biome/node_modules/.bin/biome
COMPILE := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header $(if $(UPGRADE),--upgrade)

.PHONY: help setup web up demo test check format compiled bench fuzz chaos crash reorgs coverage mutation screenshots lock clean distclean
.DEFAULT_GOAL := help

help: ## this list
	@echo "Ouro: a non-custodial derivatives exchange. Needs Python 3.11 or 3.12, make and git; sets all else up itself."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PORT (exchange, default 8000), ANVIL_PORT (chain, default 8545), PYTHON (interpreter to build on)."

setup: ## .venv with the hashed lock, anvil in .tools, the trading app (all other targets do this themselves)
	@$(PYTHON) stack/bootstrap.py

web: setup ## the trading app from web/ into indexer/app anew (the set-up does it when web/ has changed)
	@exec python -m stack.webbuild --force

up: setup ## run the whole exchange here: chain, contracts, services, price feed, bots; Ctrl-C stops it
	@exec ouro up --port $(PORT) --anvil-port $(ANVIL_PORT)

demo: setup ## play deposits to liquidation without a person and prove that the parts agree
	@exec ouro demo

test: setup ## every test; ARGS="tests/unit -k book" for some
	@exec pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: setup ## format, lint and types of Python and of the app, imports, Vyper format, committed ABIs
	@$(PYTHON) stack/bootstrap.py --tools
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	python scripts/export_abi.py --check
	.tools/mamushi/bin/mamushi --check -l 110 $(VYPER)
	cd web && ../$(BIOME) ci .
	cd web && node_modules/.bin/tsc --noEmit

format: setup ## put Python, Vyper and web sources in the project's format
	@$(PYTHON) stack/bootstrap.py --tools
	ruff format .
	ruff check --fix .
	.tools/mamushi/bin/mamushi -l 110 $(VYPER)
	cd web && ../$(BIOME) check --write .

compiled: setup ## the matching core as extension modules in .build/compiled, out of the sources; needs a C compiler
	@exec python -m scripts.compile_core

bench: setup ## every figure anew; ARGS="gas matching" for some
	@exec python -m bench $(ARGS)

fuzz: setup ## the stateful tests with CALLS=100000 calls, and what they find shrunk
	@OURO_FUZZ_CALLS=$(CALLS) OURO_FUZZ_SHRINK=1 exec pytest tests/invariant --timeout=0 $(ARGS)

chaos: setup ## 10,000 fills (FILLS=) through a lying node, reorganisations and kills; SEED=1
	@exec python -m tests.chaos --fills $(FILLS) --seed $(SEED) $(ARGS)

crash: setup ## DEATHS=1000 deaths of the relayer on a disk that forgets, KILLS=20 of real processes
	@exec python -m tests.crash --deaths $(DEATHS) --kills $(KILLS) --seed $(SEED) $(ARGS)

reorgs: setup ## REORGS=500 random reorganisations under indexes on SQLite and PostgreSQL; SEED=1
	@exec python -m tests.reorgs --reorgs $(REORGS) --seed $(SEED) $(ARGS)

coverage: setup ## which contract lines the tests execute; fails below the threshold
	@exec python -m tests.coverage $(ARGS)

mutation: setup ## put small errors into SAMPLE contract lines drawn by SEED and see that tests notice
	@exec python -m tests.mutation --sample $(SAMPLE) --seed $(SEED) $(ARGS)

screenshots: setup ## the README's pictures anew, from a running exchange: ARGS="--url http://127.0.0.1:8000" or one of its own
	@exec python -m bench.screenshots $(ARGS)

lock: setup ## write requirements/*.txt anew from pyproject.toml; UPGRADE=1 takes the newest versions
	$(COMPILE) pyproject.toml --extra services --extra deploy --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra services -o requirements/services.txt
	$(COMPILE) pyproject.toml --extra ccxt -o requirements/ccxt.txt
	$(COMPILE) requirements/dydx.in -o requirements/dydx.txt
	$(COMPILE) requirements/mamushi.in -o requirements/mamushi.txt
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt

clean: ## forget the local chain and all state and caches (keeps the set-up)
	rm -rf .ouro .build .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -not -path './web/*' -prune -exec rm -rf {} +

distclean: clean ## clean, and the set-up as well
	rm -rf .venv .tools web/node_modules indexer/app
