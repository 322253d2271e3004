# make up · make demo · make test · make prove · make bench

PROFILE ?= release
ifeq ($(PROFILE),release)
  BUILD = target/release
else
  BUILD = target/debug
endif
# The whole workspace, always: another selection would choose other features and build the libraries anew.
CARGO_BUILD = cargo build --locked --profile $(PROFILE) --workspace --bins

.PHONY: help up demo test prove bench check down postgres build

help:
	@echo 'make up      the shop: three services, three databases, a payment provider, until Ctrl-C'
	@echo 'make demo    the shop, and a tour that ends by itself'
	@echo 'make test    every test, with short versions of the long ones'
	@echo 'make prove   the long versions: many seeds, many faults'
	@echo 'make bench   figures beside their limits'
	@echo 'make check   format, lints, documentation'
	@echo 'make down    remove the shop'"'"'s private server and its data, after asking'

up: build
	@scripts/shop $(BUILD) --seed $(BUILD)/shop-seed

demo: build
	@scripts/shop $(BUILD) -- $(BUILD)/shop-tour

test: postgres
	@scripts/with-postgres scripts/test

prove: postgres
	@FREEHOLD_PROVE=1 PROPTEST_CASES=100000 scripts/with-postgres scripts/test

bench: postgres
	@scripts/bench

check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --workspace --no-deps

down:
	@$(BUILD)/freehold down systems/shop --destroy

build: postgres
	@$(CARGO_BUILD)

postgres:
	@scripts/install-postgres
