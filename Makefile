# `make help` lists what can be made. All of it happens in .venv and build, as root or as an ordinary user.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input

# A stamp is named after a hash of what it stands for, so that only a change of content installs or checks again.
hash = $(shell find $(1) -type f ! -name '*.pyc' ! -name '*.so' -print0 2>/dev/null | LC_ALL=C sort -z | \
	xargs -0 sha256sum | sha256sum | cut -c 1-16)
BUILD_TOOLS := $(STAMPS)/build-tools-$(call hash,pyproject.toml)
DEV_TOOLS := $(STAMPS)/dev-tools-$(call hash,pyproject.toml)
INSTALLED := $(STAMPS)/installed-$(call hash,pyproject.toml CMakeLists.txt README.md LICENSE src native)
TIDY := build/lint/tidy-$(call hash,pyproject.toml CMakeLists.txt .clang-tidy native tests/native)

PYTHON_FOLDERS := $(wildcard src tests benchmarks)
CPP_FILES := $(wildcard native/*.cpp native/*.hpp tests/native/*.cpp tests/native/*.hpp)
PERFORMANCE := docs/reference/performance.md
CHECKS := check-ruff check-format check-types check-clang-format check-clang-tidy

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help compare compare-quiet test test-long test-native test-kernel interop bench campaign planted install lint format clean $(CHECKS)

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 21

compare: install ## install, then compare host with macvlan on this machine
	@$(BIN)/pathgauge compare host macvlan

test: lint ## install, lint, check types, run the tests
	@$(BIN)/python -m pytest -m "not long" $(PYTEST_ARGS)

test-long: install $(DEV_TOOLS) ## run the tests that take long, most of them against a stock netperf or netserver (some 6 min)
	@$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

test-native: install $(DEV_TOOLS) ## test the native core without Python, under the sanitizers, and count its instructions (some 1 min)
	@$(BIN)/python -m pytest tests/native $(PYTEST_ARGS)

interop: install $(DEV_TOOLS) ## run every test against the stock peers, of netperf's table every cell
	@PATHGAUGE_INTEROP=whole $(BIN)/python -m pytest tests/interop $(PYTEST_ARGS)

test-kernel: install $(DEV_TOOLS) ## test the kinds of path that many kernels lack, in a guest that has them (some 5 min)
	@PYTHON=$(BIN)/python scripts/test-kernel $(PYTEST_ARGS)

compare-quiet: install $(DEV_TOOLS) ## compare host with macvlan in a guest that nothing disturbs (some 2 min)
	@QUIET=1 PYTHON=$(BIN)/python scripts/test-kernel

bench: install $(DEV_TOOLS) ## measure pathgauge against netperf, iperf3, nuttcp and sockperf, and write docs/reference/performance.md
	@$(BIN)/python -m benchmarks.startup --page $(PERFORMANCE)
	@$(BIN)/python -m benchmarks.scale --page $(PERFORMANCE)
	@$(BIN)/python -m benchmarks.engine --page $(PERFORMANCE) $(BENCH_ARGS)
	@$(BIN)/python -m benchmarks.flows --page $(PERFORMANCE)

campaign: install $(DEV_TOOLS) ## live verdicts whose answer is known, and the time to one (an hour and more, resumable)
	@$(BIN)/python -m benchmarks.verdicts
	@$(BIN)/python -m benchmarks.time_to_verdict

planted: install $(DEV_TOOLS) ## plant causes and see what explain says (an hour, resumable, root)
	@$(BIN)/python -m benchmarks.planted.campaign $(PLANTED_ARGS)

install: $(INSTALLED) ## install pathgauge into .venv
	@:

lint: install $(DEV_TOOLS) ## all linters and type checks; warnings are errors
	@$(MAKE) --no-print-directory --keep-going --output-sync=target --jobs=2 $(CHECKS)

format: $(DEV_TOOLS) ## rewrite the sources as the formatters want them
	$(BIN)/ruff check --fix --exit-zero --quiet $(PYTHON_FOLDERS) scripts
	$(BIN)/ruff format --quiet $(PYTHON_FOLDERS) scripts
	$(BIN)/clang-format -i $(CPP_FILES)

clean: ## remove .venv, build and the tools' caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(PYTHON_FOLDERS) -name __pycache__ -prune -exec rm -rf {} +

# Where the Python of .venv is gone (moved, upgraded), .venv is made anew.
ifeq ($(wildcard $(BIN)/python),)
.PHONY: $(STAMPS)/venv
endif
$(STAMPS)/venv:
	@scripts/check-machine "$(PYTHON)"
	@echo "making $(VENV)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(BUILD_TOOLS): | $(STAMPS)/venv
	@rm -f $(STAMPS)/build-tools-*
	@echo "installing build tools"
	@$(BIN)/python scripts/requirements.py build | $(PIP) install --requirement /dev/stdin
	@touch $@

$(DEV_TOOLS): | $(BUILD_TOOLS)
	@rm -f $(STAMPS)/dev-tools-*
	@echo "installing linters and test tools"
	@$(BIN)/python scripts/requirements.py dev | $(PIP) install --requirement /dev/stdin
	@touch $@

$(INSTALLED): | $(BUILD_TOOLS)
	@rm -f $(STAMPS)/installed-*
	@echo "installing pathgauge"
	@$(PIP) install --no-build-isolation .
	@touch $@

check-ruff:
	@$(BIN)/ruff check --quiet $(PYTHON_FOLDERS) scripts

check-format:
	@$(BIN)/ruff format --check --quiet $(PYTHON_FOLDERS) scripts || \
		{ echo "files are not as the formatter wants them: type \`make format\`"; exit 1; }

check-types:
	@$(BIN)/python -m mypy --no-error-summary $(PYTHON_FOLDERS)

check-clang-format:
	@$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)

check-clang-tidy: $(TIDY)

$(TIDY): | $(DEV_TOOLS)
	@rm -f build/lint/tidy-*
	@$(BIN)/python -m cmake --fresh -S . -B build/lint -G Ninja -Wno-dev --log-level=WARNING \
		-DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" >build/lint.log 2>&1 || \
		{ cat build/lint.log; exit 1; }
	@$(BIN)/python -m cmake --fresh -S tests/native -B build/lint/native -G Ninja -DSANITIZERS= --log-level=WARNING \
		-DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" >build/lint.log 2>&1 || { cat build/lint.log; exit 1; }
	@ls native/*.cpp | xargs -n 1 -P 2 $(BIN)/clang-tidy -p build/lint --quiet --warnings-as-errors='*'
	@ls tests/native/*.cpp | xargs -n 1 -P 2 $(BIN)/clang-tidy -p build/lint/native --quiet --warnings-as-errors='*'
	@touch $@
