# SPDX-License-Identifier: Apache-2.0
# The everyday commands. Meson does the work: `meson setup`, `ninja -C build` and `meson install`
# are as good, and take every option that these pass on.
#
#   make            build into build/, the program is build/aldis
#   make run        and run the harbour scenario
#   make test       build and run the tests (make test-long: with the slow ones, too)
#   make test-san   the tests under the address and undefined-behaviour, then the thread sanitizer
#   make lint       the checks of the tree (make tidy: clang-tidy, a few minutes)
#   make format     lay the C files out with clang-format, in place
#   make bench      the benchmarks
#   make install    into PREFIX (default /usr/local), below DESTDIR if that is set
#   make clean      remove what was built
#
# Variables: BUILD (build), CC, PREFIX, DESTDIR, MESONFLAGS (for `meson setup`), TESTFLAGS (for
# tools/run_tests.py: TESTFLAGS="-v --suite core").

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SCENARIO ?= scenarios/harbour.yaml

# b_lundef: the shared library leaves the sanitizer's symbols to the program. -O1: readable reports.
# -w: instrumented code misleads the compiler's warnings; the plain build is the judge of those.
SANFLAGS = -Db_lundef=false -Doptimization=1 -Dc_args=-w

.PHONY: all run test test-long test-san lint tidy format bench install clean packages lint-packages

# Build $(1). Silent, but for the first time on a terminal, while there is no $(2): that takes a while.
build = @if [ -t 1 ] && [ ! -x $(2) ]; then ninja -C $(BUILD) $(1); \
	else ninja -C $(BUILD) --quiet $(1); fi

all: packages $(BUILD)/build.ninja
	$(call build,,$(BUILD)/tests/space/run_test)

run: packages $(BUILD)/build.ninja
	$(call build,aldis,$(BUILD)/aldis)
	$(BUILD)/aldis run $(SCENARIO)
	@echo; echo "What each line says: docs/running.md. To see the ships fly:"
	@echo "  $(BUILD)/aldis run $(SCENARIO) --watch"

test: all
	@tools/run_tests.py $(BUILD) $(TESTFLAGS)

test-long: all lint-packages
	@$(MAKE) --no-print-directory lint tidy
	@tools/run_tests.py $(BUILD) --long $(TESTFLAGS)

test-san: packages $(BUILD)-asan/build.ninja $(BUILD)-tsan/build.ninja
	@ninja -C $(BUILD)-asan --quiet
	@ninja -C $(BUILD)-tsan --quiet
	@failed=0; for kind in asan tsan; do \
		echo "$$kind:"; \
		tools/run_tests.py $(BUILD)-$$kind --timeout-factor 10 $(TESTFLAGS) || failed=1; \
	done; exit $$failed

lint: lint-packages
	@tools/lint.sh

tidy: all lint-packages
	@tools/tidy.sh $(BUILD)

# A table that reads better by hand stands between /* clang-format off */ and /* clang-format on */.
format: lint-packages
	@tools/lint.sh --format

bench: all
	$(BUILD)/aldis bench

# An installation is often done as root: nothing is fetched here, and nothing built that is up to
# date already; `make` comes first. ldconfig lets the loader find a new library in /usr/local/lib.
install:
	@test -f $(BUILD)/build.ninja || { echo "nothing is built yet: run make first" >&2; exit 1; }
	@test "$$(pkg-config --variable=prefix $(BUILD)/meson-private/aldis.pc)" = "$(abspath $(PREFIX))" || \
		meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX))
	meson install -C $(BUILD) --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))
	@test -n "$(DESTDIR)" -o "$$(id -u)" -ne 0 || ldconfig

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan

packages:
	@tools/setup.sh build

lint-packages:
	@tools/setup.sh build lint

$(BUILD)/build.ninja: | packages
	@echo "setting up $(BUILD)/ (details: $(BUILD)/meson-logs/meson-log.txt)"
	@said=$$(meson setup $(BUILD) --prefix $(abspath $(PREFIX)) $(MESONFLAGS) 2>&1) || \
		{ printf '%s\n' "$$said"; exit 1; }

$(BUILD)-asan/build.ninja: | packages
	meson setup $(BUILD)-asan -Db_sanitize=address,undefined $(SANFLAGS) $(MESONFLAGS)

$(BUILD)-tsan/build.ninja: | packages
	meson setup $(BUILD)-tsan -Db_sanitize=thread $(SANFLAGS) $(MESONFLAGS)
