# `make` lists the targets. Every target does its own set-up first.

CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
# One target folder outside the clone: RocksDB is compiled once for all clones.
export CARGO_TARGET_DIR ?= $(CACHE)/chorale/target
BIN     := $(CARGO_TARGET_DIR)/release
CARGO   := cargo
SEED    ?= 1
SEEDS   ?= 200
ARGS    ?=
MUTANTS := M1-quorum-one-short T1-no-commit-gate M17-two-chain-commit M14-vote-record-unwritten

.PHONY: help setup build check fix test sim twins model testnet mutants museum mutation
.PHONY: crash-test evidence

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
	$(BIN)/chaos twins --count 2000
	$(BIN)/chaos twins --members 7 --rounds 7 --count 300

sim: build ## one seed of the simulator: make sim SEED=123
	$(BIN)/chaos sim --seed $(SEED)

twins: build ## members that run twice, every way to part four of them over three rounds
	$(BIN)/chaos twins --exhaustive

model: build ## agreement in every way it can go over six views, then without each rule
	$(BIN)/chaos model --views 6
	$(BIN)/chaos model --gates

MUSEUM  := $(CARGO) run --release --locked -p chorale-chaos --features museum --bin chaos -- museum

mutants: setup ## plant four bugs, and see each found by a fixed schedule and by the simulator
	$(MUSEUM) $(addprefix --bug ,$(MUTANTS))

museum: setup ## plant every bug, see each found, write docs/museum.md (a build of its own)
	$(MUSEUM) --table docs/museum.md
	$(CARGO) test --release --locked -p chorale-chaos --features museum --lib museum::

mutation: setup ## flip each comparison of the safety code and see a test fail (ARGS="agreement")
	@sh scripts/mutation.sh $(ARGS)

crash-test: build ## kill -9 leaders, followers and everyone under load, then recount
	$(BIN)/testnet crash-test $(ARGS)

evidence: build ## everything at full size, about a quarter of an hour; writes docs/evidence.md
	@sh scripts/evidence.sh $(BIN)
