# The same names everywhere: demo, test, test-fast, bench, check. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLOORS := debian12 debian13

.PHONY: demo test test-fast test-floors bench check format clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.run ## the main job on a simulated platform; STAY=1 keeps it running
	@$(VENV)-run/bin/provisioner demo $(if $(STAY),--stay)

test: $(VENV)/.dev tools test-all test-floors ## everything, also with the versions of Debian 12 and 13
