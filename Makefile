# What people and CI call. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# The packages whose tests also run under the race detector.
RACY     = ./field/... ./flow/... ./policy/... ./internal/store/... ./internal/catalog/... ./internal/session/... ./internal/flowhttp/... ./internal/guard/...

.DEFAULT_GOAL := help
.PHONY: help run build test lint e2e bench deps fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/weir
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X github.com/weir-id/weir.Version=$(VERSION)" -o bin/weir ./cmd/weir

run: build ## build and serve on http://127.0.0.1:9000, data in ./data
	bin/weir serve

deps: ## install what the tests need on a Debian machine
	scripts/test-deps.sh

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

test: deps lint ## everything that has to pass: both databases, browser, official client
	CI=true WEIR_SCREENSHOTS=$(CURDIR)/artifacts/screenshots $(GO) test -timeout 14m ./...
	CI=true $(GO) test -timeout 14m -race $(RACY)
	GO="$(GO)" scripts/fuzz.sh 1s

fuzz: ## fuzz each target for a moment; FUZZTIME=1m for longer
	GO="$(GO)" scripts/fuzz.sh $(or $(FUZZTIME),2s)

e2e: deps ## the browser and the official client alone
	CI=true $(GO) test -timeout 14m -v ./e2e/...

bench: ## benchmarks; compare two runs with benchstat
	$(GO) test -run '^$$' -bench . -benchmem ./...
