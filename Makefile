# make up · make notes · make demo · make test · make clients · make prove · make bench

PROFILE ?= release
ifeq ($(PROFILE),release)
  BUILD = target/release
else
  BUILD = target/debug
endif
# The whole workspace, always: another selection would choose other features and build the libraries anew.
CARGO_BUILD = cargo build --locked --profile $(PROFILE) --workspace --bins

.PHONY: help up notes demo test clients schemathesis fuzz prove bench check down postgres build

help:
	@echo 'make up      the shop: three services, three databases, a payment provider, until Ctrl-C'
	@echo 'make notes   notes: accounts, notes, sharing; three databases, mails into a folder, until Ctrl-C'
	@echo 'make demo    the shop, and a tour that ends by itself'
	@echo 'make test    every test, with short versions of the long ones'
	@echo 'make clients two client libraries of PostgREST against a service, compared with SQL'
	@echo 'make schemathesis   the shop against its own OpenAPI documents'
	@echo 'make fuzz    the readers of what clients send, ten minutes each'
	@echo 'make prove   the long versions: many seeds, many faults'
	@echo 'make bench   figures beside their limits'
	@echo 'make check   format, lints, documentation'
	@echo 'make down    remove the shop'"'"'s private server and its data, after asking'

up: build
	@scripts/shop $(BUILD) --seed $(BUILD)/shop-seed

notes: build
	@AUTH_MAIL=folder:$(CURDIR)/systems/notes/.freehold/mail $(BUILD)/freehold up systems/notes

demo: build
	@scripts/shop $(BUILD) -- $(BUILD)/shop-tour

test: postgres
	@scripts/with-postgres scripts/test

clients: build
	@scripts/clients $(BUILD)

schemathesis: build
	@scripts/shop $(BUILD) -- scripts/schemathesis http://127.0.0.1:7101 http://127.0.0.1:7102 http://127.0.0.1:7103

fuzz:
	@for target in query headers body; do scripts/fuzz $$target 600 || exit 1; done

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
