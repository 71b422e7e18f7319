# make demo   see the whole system at work        make test   everything, as CI does
# make check  quick: format, types, pure tests    make fix    mend what can be mended
# make bench  every number that the docs quote    make clean  remove what was built
# make firmware  the image for mps2-an386, which arm-none-eabi-gcc builds
# make pi-test  the package on an emulated Raspberry-Pi-class machine, from its cold boot on
# make wheel  dist/selvedge-*.whl, which installs without a compiler on any machine
# make deb    dist/*/selvedge_*.deb for Debian 12 and 13, arm64, amd64, armhf (DEB="--suite bookworm")

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# pywasm3 is C that newer compilers refuse without this.
export CFLAGS := $(CFLAGS) -Wno-error=incompatible-pointer-types
# It comes as source only: where it cannot be built the rest is wanted all the same.
NO_WASM3 := wasm3 cannot be built here: it needs gcc and python3-dev; going on with wasmtime
INSTALL = $(PIP) --editable '.[$(1)]' && \
  { $(PIP) pywasm3==0.5.0 >/dev/null 2>&1 || echo "$(NO_WASM3)" >&2; }
comma := ,
PURE := tests/unit tests/sim
ENGINE := $(shell find engine -name '*.[ch]' -o -name '*.py')
CODE := selvedge.py setup.py agent broker engine firmware_bridge toolchain benchmarks examples docs tests deploy

.PHONY: demo setup test check lint fix bench campaign docs firmware packages pi-test wheel clean

demo: $(VENV)/.demo
	$(BIN)/selvedge demo $(DEMO)

setup: $(VENV)/.dev

test: packages lint
	$(BIN)/python -m pytest $(PURE) tests/integration --durations=10

check: lint
	$(BIN)/python -m pytest --hypothesis-profile=quick $(PURE)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/ruff check --quiet $(CODE)
	$(BIN)/mypy

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix --quiet $(CODE) || true
	$(BIN)/ruff format $(CODE)
	$(BIN)/python -m docs.generate

docs: $(VENV)/.dev
	$(BIN)/python -m docs.generate

bench: $(VENV)/.dev
	@for each in benchmarks/*.py; do echo "== $$each" >&2; $(BIN)/python $$each || exit 1; done

campaign: $(VENV)/.dev
	$(BIN)/python -m pytest --hypothesis-profile=campaign --hypothesis-show-statistics tests/unit
	$(BIN)/python -m pytest -s tests/campaign

wheel: $(VENV)/bin/python
	rm -rf build
	$(PIP:install=wheel) --no-deps --wheel-dir dist .

pi-test: packages $(VENV)/.dev
	$(BIN)/python -m pytest -s tests/integration/test_pi.py tests/integration/test_pi_frozen.py \
	  tests/integration/test_pi_package.py tests/integration/test_pi_power.py \
	  tests/integration/test_pi_service.py tests/integration/test_pi_terminal.py \
	  tests/integration/test_armhf.py --durations=10

firmware:
	@image=$$($(PYTHON) firmware_bridge/firmware/build.py) && echo $$image && arm-none-eabi-size $$image

deb: $(VENV)/.dev
	$(BIN)/python -m deploy.package $(DEB)

packages:
	@tests/support/install-packages.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python3-venv is needed: sudo apt-get install python3-venv" >&2; exit 1; }

# Installing builds the engines into .cache, with a compiler that is needed just then.
$(VENV)/.demo: pyproject.toml setup.py $(ENGINE) | $(VENV)/bin/python
	@echo "installing into $(VENV) …"
	@$(call INSTALL,demo)
	@touch $@

$(VENV)/.dev: pyproject.toml setup.py | $(VENV)/bin/python
	@echo "installing into $(VENV) …"
	@$(call INSTALL,dev$(comma)oracles)
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
