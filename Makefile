# What people run. Every target installs what a fresh Debian or Ubuntu machine lacks, asks no question, needs no
# environment variable, and can be run again.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz

# A toolchain that rustup has just put there is found without a new shell.
export PATH := $(PATH):$(HOME)/.cargo/bin

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

# The dev profile: its first page comes about twice as early as that of an optimised build.
demo: ## build, start, play in captured traffic, print the address of the first page
	@scripts/install-needs rust compiler postgres-if-possible
	cargo run --locked --package overrun -- demo

test: ## run every test against a throw-away PostgreSQL
	@scripts/install-needs rust compiler postgres python
	@scripts/test-peers
	scripts/with-postgres cargo test --locked --workspace --no-fail-fast
	@scripts/test-watchdogs

check: ## what CI runs: format, lints, documentation, licences, tests
	@.ci/run

# Optimised, since it measures; that build takes about twice as long.
bench: ## parsing on one core, and durable records per second through HTTP against raw COPY
	@scripts/install-needs rust compiler postgres-if-possible
	cargo bench --locked -p collector --bench parse --bench otlp
	cargo run --locked --release --package overrun -- bench

# Seconds for each target.
SECONDS ?= 60
fuzz: ## feed every parser with mutations of the fixtures, a minute each
	@scripts/install-needs rust compiler
	scripts/fuzz $(SECONDS)
