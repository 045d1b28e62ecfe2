# SPDX-License-Identifier: Apache-2.0
# The front door. Meson does the work; see meson.build and docs/ARCHITECTURE.md.
BUILD ?= build
CMD ?=
FUZZ_SECONDS ?= 60
N ?= 5000000
SEED ?= -
MINUTES ?= 60

.PHONY: all deps build programs run test deb bench front-doors fuzz coverage lint install clean
all: build

deps:
	@scripts/deps.sh

build: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) | tail -n 1

# The two programs, without the tests.
programs: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) drydock drydock-egress | tail -n 1

# Without CMD: a session against servers of its own, see demo/run.sh. With CMD: that command, contained, here.
run: programs
	@if [ -n "$(CMD)" ]; then $(BUILD)/drydock run -- $(CMD); else demo/run.sh $(BUILD); fi

test: build
	@scripts/test.sh $(BUILD)

bench: build
	@bench/run.sh $(BUILD)

front-doors: build
	@bench/front_doors.py $(BUILD)

fuzz: deps
	@scripts/fuzz.sh $(FUZZ_SECONDS)

# Lines of src/net, src/proto and src/policy that their tests run.
coverage: deps
	@scripts/coverage.sh

# Long runs of what the tests do in short.
.PHONY: hostile soak faults
# N messages of a worker that obeys nothing; SEED repeats a run.
hostile: build
	@$(BUILD)/tests/hostile/hostile_worker $(BUILD)/drydock-egress $(N) $(SEED)
# Every system call of the egress that can fail, at the start and while it serves; kill -9 at 120 random moments.
faults: build
	@for mode in calls start kill run; do tests/faults/run.sh $$mode $(BUILD) || exit 1; done
# MINUTES at load with a fault every few seconds: leaks, wrong verdicts. As root.
soak: build
	@tests/soak/soak.sh $(MINUTES) $(BUILD)

# Release gates: three checks on a live session of each engine and topology; and the hosts that the installed agents ask
# for, by running them against stub APIs.
.PHONY: smoke capture
smoke: build
	@scripts/smoke.sh $(BUILD)
capture: build
	@scripts/capture.sh $(BUILD)

lint: build
	@scripts/lint.sh $(BUILD)

# A Debian package of what is committed, in build-deb/.
deb:
	@scripts/deb.sh

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) build-*
