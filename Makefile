# Everything a developer or CI needs. `make help` lists the targets.
GO      ?= go
BIN     := bin/spandrel
PEERS   := tests/peers
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
APP     := ui/app
export CGO_ENABLED = 0

.PHONY: help run build test test-race test-peers soak fuzz bench bench-peer lint check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build and start spandrel with no configuration
	./$(BIN)

build: ui/dist/index.html ## build bin/spandrel, with the web UI where Node is there
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/spandrel

# Without Node the binary serves a page that says what is missing.
ui/dist/index.html: $(shell find $(APP) -name node_modules -prune -o -type f -print)
	@if command -v npm >/dev/null; then \
	  npm ci --prefix $(APP) --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent --prefix $(APP) build -- --logLevel warn; \
	else echo "no Node (npm) here: building without the web UI"; fi

test: ## unit, conformance, fuzz seeds, API scripts, crash test, the real main
	$(GO) vet ./...
	$(GO) test -timeout 15m ./...

test-race: ## the tests of what is concurrent, under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./collector/... ./storage/... ./query/... ./cmd/...

soak: ## the long forms of the store's tests: 1,000 kills, 200,000 queries, full disks (hours)
	SPANDREL_SOAK=1 $(GO) test -timeout 12h -count=1 -v ./storage/badger

test-peers: ## real Envoys, the real Jaeger, other people's senders and clients
	$(GO) -C $(PEERS) test -timeout 25m -count=1 -v ./...

fuzz: ## fuzz every decoder for 30 s each
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s $$pkg || exit 1; \
	  done; \
	done

bench: ## micro benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-peer: build $(PEERS)/bin/all-in-one ## the real Jaeger and Spandrel side by side; ARGS='-spans 100k -o docs/benchmarks'
	$(GO) run ./tests/bench $(ARGS)

$(PEERS)/bin/all-in-one: $(PEERS)/go.mod # takes minutes the first time
	$(GO) -C $(PEERS) build -o bin/all-in-one github.com/jaegertracing/jaeger/cmd/all-in-one
	@touch $@

lint: ## golangci-lint with .golangci.yml
	$(GO) run $(LINT) run ./...

check: lint test ## what a change must pass before it is pushed

clean: ## remove what the other targets made
	rm -rf bin $(PEERS)/bin ui/dist $(APP)/node_modules
