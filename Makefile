# `make` lists the targets. Every target does its own set-up first.

CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
# One target folder outside the clone: RocksDB is compiled once for all clones.
export CARGO_TARGET_DIR ?= $(CACHE)/chorale/target
BIN     := $(CARGO_TARGET_DIR)/release
CARGO   := cargo
SEED    ?= 1
SEEDS   ?= 200
ARGS    ?=

.PHONY: help setup build check fix test sim testnet mutants crash-test

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup:
	@sh scripts/setup.sh

build: setup ## compile the binaries: chorale, testnet, chaos
	$(CARGO) build --release --locked -p chorale-node -p chorale-testnet -p chorale-chaos

testnet: build ## four validators and three rollups under load, until Ctrl-C (ARGS="--seconds 30")
	$(BIN)/testnet up $(ARGS)

check: setup ## format, lints, documentation, dependencies; writes nothing
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps
	@sh scripts/optional.sh

fix: ## format and apply what the lints can apply
	$(CARGO) fmt --all
	$(CARGO) clippy --release --workspace --all-targets --fix --allow-dirty --allow-staged

test: build ## every test, and a slice of the simulator
	$(CARGO) test --release --locked --workspace
	$(BIN)/chaos sim --seeds $(SEEDS)

sim: build ## one seed of the simulator: make sim SEED=123
	$(BIN)/chaos sim --seed $(SEED)

mutants: setup ## plant four bugs, one a build, and see each caught twice
	@sh chaos/mutants.sh

crash-test: build ## kill -9 leaders, followers and everyone under load, then recount
	$(BIN)/testnet crash-test $(ARGS)
