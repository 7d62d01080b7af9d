# What people and CI run. Tools and virtual environments are pinned and built by hack/tools/tool into the user's cache.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# Steps share the target folder, and verify rewrites generated files while it runs.
.NOTPARALLEL:

CACHE := $(or $(DEPUTY_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deputy)
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
MDBOOK_VERSION := 0.5.4
MDBOOK := $(CACHE)/tools/mdbook-$(MDBOOK_VERSION)/bin/mdbook
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
TOOL := hack/tools/tool
# Evaluated where it is used, after `tools` has made the environment.
PYTEST = "$$($(TOOL) venv clients)/bin/python" -B -m pytest

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools: ## Build etcd, kube-apiserver, kubectl, helm and the Python environments (once; about 12 minutes on 2 cores)
	@$(TOOL) build etcd kube-apiserver kubectl helm regctl olareg
	@$(TOOL) venv clients >/dev/null
	@$(TOOL) venv release >/dev/null
	@$(TOOL) venv ministack >/dev/null
	@$(TOOL) venv moto-server >/dev/null

.PHONY: tools-node
tools-node: tools ## Build what a real node needs besides (once; about 5 minutes on 2 cores)
	@$(TOOL) build kube-controller-manager kube-scheduler kubelet kube-proxy coredns

# Workspaces of their own: the benchmarks for criterion's features, the fuzz targets for their C++. The stable toolchain builds both.
BESIDE := benches fuzz
.PHONY: check
check: ## Format, lints and unit tests, of the benchmarks and fuzz targets too
	cargo fmt --all --check
	@for workspace in $(BESIDE); do \
	  (set -x; cargo fmt --all --check --manifest-path $$workspace/Cargo.toml); \
	done
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@for workspace in $(BESIDE); do \
	  (set -x; cargo clippy --locked --workspace --all-targets --manifest-path $$workspace/Cargo.toml \
	    --target-dir "$${CARGO_TARGET_DIR:-target}" -- -D warnings); \
	done
	cargo test --locked --workspace

# The AWS managed policies, on which `make test` insists; `make check` alone takes them when they are there.
MANAGED_POLICIES := $(abspath $(or $(CARGO_TARGET_DIR),target))/bench-data/managed-policies.json
.PHONY: managed-policies
managed-policies:
	@hack/bench-data

# Two processes, because tests wait for most of their time: tests/conftest.py says which may run beside each other.
BESIDE_EACH_OTHER := -n 2 --dist loadscope

.PHONY: test
test: export DEPUTY_MANAGED_POLICIES = $(MANAGED_POLICIES)
test: lint tools managed-policies check verify ## All tests that need no root: format, lints, unit, generated files, real API server, AWS doubles, real clients
	cargo build --locked --workspace --bins
	hack/with-doubles cargo test --locked --workspace --lib -- conformance
	tests/chart/verify
	@if [ -x "$$($(TOOL) path helm4)" ]; then HELM="$$($(TOOL) path helm4)" tests/chart/verify; \
	else echo "SKIPPED: the charts by Helm 4, which takes minutes to build: hack/tools/tool build helm4"; fi
	$(PYTEST) $(BESIDE_EACH_OTHER) tests/rig tests/reference tests/gitops tests/chart tests/release tests/report tests/book tests/integration

# The example of the SDK for Rust is tried where `make check` has built it. WRITE and SDKS_REQUIRE are read by the tests.
.PHONY: sdks
sdks: ## Try the AWS SDKs with the agent, and check docs/compatibility.md (WRITE=1 writes it); skips what it has no Node.js, Go, Java for
	cargo build --locked --workspace --bins
	@$(TOOL) venv clients >/dev/null
	$(PYTEST) tests/sdks

# Pods, cgroups and iptables need root. Without it nothing is built for a run that can't be.
ROOT := $(filter 0,$(shell id -u))

.PHONY: e2e
e2e: $(if $(ROOT),tools-node) ## The end-to-end run on a real node; needs root
	$(if $(ROOT),tests/e2e/run,@echo "SKIPPED: make e2e needs root (namespaces, cgroups, iptables)")

.PHONY: demo
demo: tools ## Show the main job, or STORY=<example>, on a real API server and an AWS double (KEEP=1 leaves it running)
	cargo build --locked --workspace --bins
	hack/demo/run

.PHONY: bench
bench: ## Measure, and write the table of docs/benchmarks.md (Z3_QUESTIONS=30 of each kind)
	hack/bench

.PHONY: bench-credentials
bench-credentials: ## Measure how fast pods have their first credential, and write that table of docs/benchmarks.md (FLOOD=, GARBAGE=)
	cargo build --release --locked --bin deputy
	cargo build --release --locked --manifest-path benches/Cargo.toml -p deputy-agents-bench \
	  --target-dir "$${CARGO_TARGET_DIR:-target}"
	hack/bench-credentials "$${CARGO_TARGET_DIR:-target}"/release/{deputy,agents-at-once}

# The stub into the same folder as the program, where hack/bench-scale looks for both.
.PHONY: bench-scale
bench-scale: tools ## Measure how Deputy grows, and write that table of docs/benchmarks.md (SIZES=1000,10000 RATES=20,5 PER_ACCOUNT=250)
	cargo build --release --locked --bins
	cargo build --release --locked --manifest-path benches/Cargo.toml -p deputy-scale-bench \
	  --target-dir "$${CARGO_TARGET_DIR:-target}"
	hack/bench-scale

.PHONY: soak-credentials
soak-credentials: tools ## Broker and agents for a long time, and beside nginx; writes that table of docs/benchmarks.md (MINUTES=20 CLIENTS=200 AGENTS=5 NGINX= WRK=)
	cargo build --release --locked --bins
	hack/soak-credentials

.PHONY: bench-webhook
bench-webhook: tools ## What a review of a pod costs the webhook, over TLS; writes that table of docs/benchmarks.md (NGINX= WRK=)
	cargo build --release --locked --bin deputy
	hack/bench-webhook

.PHONY: soak
soak: soak-controllers ## Hold verdicts of containment against random requests (SOAK_SECONDS=60 or SOAK_CHECKS, SOAK_SEED, SOAK_PROFILE)
	cargo run --locked --profile soak -p deputy-policy-testing --bin soak

.PHONY: soak-controllers
soak-controllers: ## Random histories of many objects and two controllers (SOAK_SECONDS=60, SOAK_SEED, SOAK_ONE); part of soak
	cargo test --locked --profile soak -p deputy-controller --lib soak::random_histories_of_many_objects_for_a_long_time -- \
	  --ignored --nocapture

# The nightly compiler, for the fuzzing instrumentation only.
FUZZ_TARGETS := document glob arn condition contains certificate
FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: $(CARGO_FUZZ) ## Fuzz every target for FUZZ_SECONDS (60); what is found stays in target/fuzz-corpus
	@for target in $(FUZZ_TARGETS); do \
	  corpus="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/fuzz-corpus/$$target"; mkdir -p "$$corpus"; \
	  PATH="$(dir $(CARGO_FUZZ)):$$PATH" cargo +nightly fuzz run $$target "$$corpus" fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048; \
	done

$(CARGO_FUZZ):
	cargo install --locked cargo-fuzz@$(CARGO_FUZZ_VERSION) --root $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)

.PHONY: planted-bugs
planted-bugs: ## Check that the tests notice every bug of hack/planted-bugs/bugs.toml
	hack/planted-bugs/run

.PHONY: mutants
mutants: ## Mutate the policy engine and see what no test notices (hours)
	hack/mutants

.PHONY: generate
generate: ## Write all generated files
	hack/generate

.PHONY: verify
verify: ## Check that the generated files are current
	hack/verify

.PHONY: deny
deny: $(CARGO_DENY) ## Check licences, bans and sources of the dependencies
	$(CARGO_DENY) check bans licenses sources

.PHONY: lint
lint: ## Read the Python of tests and tools for mistakes
	"$$($(TOOL) venv lint)/bin/ruff" check --no-cache .

.PHONY: docs
docs: $(MDBOOK) ## Make a site of the documents (target/docs/site), and check its links
	hack/docs $(MDBOOK) "$${CARGO_TARGET_DIR:-target}/docs"

# Without what watches and serves, which brings half of its dependencies.
$(MDBOOK):
	cargo install --locked mdbook@$(MDBOOK_VERSION) --no-default-features --features search \
	  --root $(CACHE)/tools/mdbook-$(MDBOOK_VERSION)

.PHONY: advisories
advisories: $(CARGO_DENY) ## Ask the RustSec database, which is fetched, about the dependencies
	$(CARGO_DENY) check advisories

# Words of somebody's choosing: pasted into a recipe, or expanded by make, they would be run. So they reach it as they are, in variables of the shell.
as-they-are = $(eval override $(1) := $$(value $(1)))$(eval export $(1))
$(foreach word,TAG REGISTRY OUT BINARIES PROGRAM ARCHITECTURE,$(if $(filter-out undefined,$(origin $(word))),$(call as-they-are,$(word))))

# docs/releasing.md. Without DRY_RUN=1 it pushes and signs, and wants a tag.
.PHONY: release
release: ## Make a release and publish it (TAG= REGISTRY=); DRY_RUN=1 only makes it, into OUT=, from BINARIES= or the source
	hack/release $(if $(DRY_RUN),,--push) $${TAG:+--tag="$$TAG"} $${REGISTRY:+--registry="$$REGISTRY"} \
	  $${OUT:+--out="$$OUT"} $${BINARIES:+--binaries="$$BINARIES"}

.PHONY: reproducible
reproducible: ## Compile PROGRAM=deputy-agent for ARCHITECTURE=amd64 in two folders and compare (minutes; PROGRAM=deputy many more)
	hack/reproducible "$${PROGRAM:-deputy-agent}" "$${ARCHITECTURE:-amd64}"

$(CARGO_DENY):
	cargo install --locked cargo-deny@$(CARGO_DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)
