# Targets for people; .ci/run calls `make test`.

GO ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@2026.1.1
RACE := ./flow/... ./policy/... ./internal/store/... ./internal/catalog/... ./internal/session/...

.PHONY: help run build test lint e2e bench deps

help: ## Show the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: build ## Build and serve on http://127.0.0.1:9000 with data in ./data
	./bin/weir serve --data ./data

build: ## Build bin/weir
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/weir ./cmd/weir

deps: ## Install what the tests need on a Debian machine
	./scripts/test-deps.sh

lint: ## Check format, go vet and staticcheck
	@files=$$(gofmt -l $$(find . -name '*.go' -not -path './e2e/client/*')); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

test: deps lint ## Everything: unit, both databases, browser, official client, race detector
	CI=true $(GO) test ./...
	CI=true $(GO) test -race $(RACE)

e2e: deps ## The whole program with a real browser and the official client
	CI=true $(GO) test ./e2e/...

bench: ## Run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...
