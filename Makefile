# run    the command line             make run ARGS="clone examples/trips /tmp/trips"
# test   every test, in the test environment, which is started and stopped
# quick  lints, the tests for tidiness and the unit tests: less than a minute when nothing else changed
# check  the one gate: what continuous integration runs
# simulate  fresh seeds of the simulations: make simulate SEEDS=100000; FIRST=N repeats a run
# bench  the side-by-side with rclone      make bench ARGS="--only small --link 20ms"
# bench-scale  what planning costs, by the size of the table and of the change
# bench-first-clone  memory and time of a first clone of a million files    make bench-first-clone ARGS="--files 50000"
# bench-rounds what a round of many tables costs that have no news
# bench-kills  a sync whose workers are killed, over a link with faults
# bench-tls  what TLS between coordinator and workers costs
# bench-machine  steps a second of the machine alone, with 10 000 workers and a million tasks
# bench-load  what a coordinator with a thousand workers takes    make bench-load ARGS="--rate 0"
# mutants  what no test notices of small changes to core and delta: takes hours
# fuzz   hostile bytes for what reads them: make fuzz SECONDS=600 TARGETS="tables"; needs a nightly Rust
# histories  random tables by Spark, synced and compared    make histories ARGS="--seeds 0..41"

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/deepclone
# Tests share no build with an editor's: its features differ, and each would undo the other's.
export CARGO_TARGET_DIR ?= $(CACHE)/target
ENVIRONMENT := tests/env/environment.py
# One build and test at a time: another would replace the binaries under a running test.
ALONE := mkdir -p $(CACHE) && flock $(CACHE)/build.lock

# Without FIRST every run takes other seeds.
SEEDS ?= 10000
FIRST ?= $(shell date +%s%N)

.PHONY: run test quick check lint tidy unit deny proto simulate bench bench-scale bench-first-clone bench-rounds bench-kills bench-tls bench-machine bench-load \
  mutants fuzz histories

run:
	cargo run --release -- $(ARGS)

# The binaries and the tests are one build: the tests' own dependencies turn on features, and
# binaries built without them would be built a second time.
test:
	$(ALONE) bash -euo pipefail -c '\
	  cargo build --workspace --locked --bins --tests && \
	  python3 $(ENVIRONMENT) run -- cargo test --workspace --locked $(TESTS)'

quick: lint tidy unit

check: lint tidy deny proto test

lint:
	cargo fmt --all --check
	$(ALONE) cargo clippy --workspace --all-targets --locked -- -D warnings

tidy:
	$(ALONE) cargo test --workspace --locked --test tidy

unit:
	$(ALONE) cargo test --workspace --locked --lib

deny:
	"$$(python3 $(ENVIRONMENT) deny)" check licenses bans sources

# The rules, and those that do not hold here, are in proto/buf.yaml.
proto:
	"$$(python3 $(ENVIRONMENT) buf)" lint proto

simulate:
	@first=$(FIRST); export DEEPCLONE_SEEDS=$$first..$$((first + $(SEEDS))); \
	  echo "DEEPCLONE_SEEDS=$$DEEPCLONE_SEEDS"; \
	  $(ALONE) cargo test --workspace --locked --no-fail-fast --test simulation --test standing -- --nocapture

bench:
	cargo build --release --locked -p deepclone -p deepclone-benches
	python3 benches/side_by_side.py --rclone "$$(python3 $(ENVIRONMENT) rclone)" $(ARGS)

bench-scale:
	cargo build --release --locked -p deepclone -p deepclone-benches --bins --examples
	python3 benches/scale.py --python "$$(python3 $(ENVIRONMENT) python)" $(ARGS)

bench-first-clone:
	cargo build --release --locked -p deepclone
	python3 benches/first_clone.py --python "$$(python3 $(ENVIRONMENT) python)" $(ARGS)

bench-rounds:
	cargo build --release --locked -p deepclone
	python3 benches/many_tables.py $(ARGS)

bench-kills:
	cargo build --release --locked -p deepclone -p deepclone-benches -p deepclone-coordinator \
	  -p deepclone-worker
	python3 benches/killed_workers.py $(ARGS)

bench-tls:
	cargo build --release --locked -p deepclone -p deepclone-benches -p deepclone-coordinator \
	  -p deepclone-worker
	python3 benches/tls.py $(ARGS)

bench-machine:
	cargo build --release --locked -p deepclone-benches --examples
	$${CARGO_TARGET_DIR}/release/examples/machine $(ARGS)

bench-load:
	cargo build --release --locked -p deepclone-benches -p deepclone-coordinator --bins --examples
	$${CARGO_TARGET_DIR}/release/examples/load $(ARGS)

# `make mutants ARGS="-f core/src/machine/deny.rs"` takes one file; .cargo/mutants.toml says what is
# left out, and why.
mutants: export CARGO_TARGET_DIR = $(CACHE)/mutants
mutants:
	command -v cargo-mutants > /dev/null || cargo install cargo-mutants --locked
	cargo mutants -p deepclone-core -p deepclone-delta --jobs 1 --output $(CACHE) $(ARGS)

# Each target for a bounded time, from its seeds; what it learns is kept in the cache. A failure
# leaves its input there, too: its path is printed, and the target runs it again as an argument.
FUZZ := $(CACHE)/fuzz
TARGETS ?= commits deletion_vectors files messages paths predicates services syncs tables
SECONDS ?= 60

fuzz: export CARGO_TARGET_DIR = $(FUZZ)/target
fuzz:
	rustup toolchain list | grep -q nightly || { echo "make fuzz needs a nightly Rust: rustup toolchain install nightly"; exit 1; }
	command -v cargo-fuzz > /dev/null || cargo install cargo-fuzz --locked
	for target in $(TARGETS); do \
	  mkdir -p $(FUZZ)/corpus/$$target $(FUZZ)/artifacts/$$target fuzz/seeds/$$target; \
	  cargo +nightly fuzz run --fuzz-dir fuzz --sanitizer none --target-dir $(FUZZ)/target $$target \
	    $(FUZZ)/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(SECONDS) -timeout=30 \
	    -rss_limit_mb=2048 -max_len=20000 -artifact_prefix=$(FUZZ)/artifacts/$$target/ $(ARGS); \
	done

histories:
	$(ALONE) cargo build --workspace --locked --bins --tests
	python3 $(ENVIRONMENT) histories $(CARGO_TARGET_DIR)/debug/deepclone $(ARGS)
