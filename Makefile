# The same names everywhere: demo, test, test-fast, bench, check. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Debian 12's versions are for its Python: newer ones cannot build them.
FLOORS := $(shell $(PYTHON) -c 'import sys; print("debian12" if sys.version_info < (3, 12) else "")') debian13
RELEASES := bookworm trixie
PIP := pip --quiet --disable-pip-version-check
# Two at a time more than there are processors, since tests wait. And no authority: those whom the world trusts sign for
# nobody here, and reading them takes 20 ms each time.
WORKERS := $(shell expr $$(nproc) + 2)
PYTEST = SSL_CERT_FILE=/dev/null $(1)/pytest -q --numprocesses=$(WORKERS) --dist=worksteal \
	--ignore=tests/real --ignore=tests/systemd
QUICK := -m "not slow" --hypothesis-profile=fast

.PHONY: help demo test test-fast test-all test-systemd test-real test-floors dist deb tools bench check format clean \
	$(FLOORS:%=test-%) $(RELEASES:%=test-in-%)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)-run/.done ## the main job on a simulated platform; STAY=1 keeps it running
	@$(VENV)-run/bin/provisioner demo $(if $(STAY),--stay)

test: check test-all test-real test-systemd test-floors ## everything, also with the versions in Debian 12 and 13

test-fast: $(VENV)/.done ## what takes less than two minutes
	$(call PYTEST,$(BIN)) $(QUICK)

test-all: $(VENV)/.done tools
	$(call PYTEST,$(BIN))

# Builds the package, and makes roots of Debian 12 and 13 to boot: as root, on Debian.
test-systemd: $(VENV)/.done ## the package in booted Debian machines
	@tests/tools.sh systemd
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(RELEASES:%=test-in-%)

$(RELEASES:%=test-in-%): test-in-%:
	$(BIN)/pytest -q tests/systemd -k "not $(filter-out $*,$(RELEASES))"

# Installs phones and servers, and makes once what is no package: as root, on Debian.
test-real: $(VENV)/.done ## real softphones at a real Asterisk, configured by nothing but our files
	@tests/tools.sh real
	$(BIN)/pytest tests/real --numprocesses=3

# The product's tests with the oldest versions that it promises to run with; and not of this tree, but of the wheel that
# is made of it: from a copy of the tests, with no package beside them. Once whole; where both run, with Debian 13's what is
# fast.
test-debian13: CHOICE := $(if $(filter debian12,$(FLOORS)),$(QUICK))
test-floors: $(FLOORS:%=test-%)

$(FLOORS:%=test-%): test-%: $(VENV)-%/.done tools dist
	$(VENV)-$*/bin/$(PIP) install --no-deps --force-reinstall dist/*.whl
	rm -rf build/installed
	mkdir -p build/installed
	cp -R CHANGELOG.md LICENSE Makefile README.md config pyproject.toml systemd templates tests build/installed
	cd build/installed && $(call PYTEST,$(CURDIR)/$(VENV)-$*/bin) $(CHOICE)

dist: $(VENV)/.done ## wheel and source archive, in dist/
	rm -f dist/*.whl dist/*.tar.gz
	$(BIN)/python -m build --outdir dist >/dev/null

deb: ## the Debian package, for Debian 12 and 13, in dist/
	@tests/tools.sh deb
	rm -f dist/*.deb
	systemd/build-deb . dist

bench: $(VENV)/.done ## how fast, beside two yardsticks
	$(BIN)/python -m tests.bench

check: $(VENV)/.done ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.done ## lay the code out as `check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tools: ## what the tests need from Debian beside Python
	@tests/tools.sh

clean: ## remove what was built here
	rm -rf $(VENV) $(VENV)-* build dist demo-files

$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) install -e '.[dev]'
	@touch $@

$(VENV)-run/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)-run
	$(VENV)-run/bin/$(PIP) install -e .
	@touch $@

# Without its own requirements: Debian has fixes of newer releases in older version numbers.
$(VENV)-%/.done: pyproject.toml tests/constraints/%.txt
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/$(PIP) install -r tests/constraints/$*.txt -r tests/constraints/tests.txt
	@touch $@
