# Everything a developer or CI needs. `make help` lists the targets.
GO      ?= go
BIN     := bin/spandrel
PEERS   := tests/peers
APP     := ui/app
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export CGO_ENABLED = 0

.PHONY: help run build test test-race test-peers shots soak bench-peer bench-ui lint check clean

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

test: ui/dist/index.html ## unit, conformance, fuzz seeds, API scripts, crash test, the real main; the UI's logic
	$(GO) vet ./...
	$(GO) test -timeout 15m ./...
	@if command -v npm >/dev/null; then cd $(APP) && npx tsc --noEmit && npx vitest run --reporter=dot; else echo "no Node (npm) here: the web UI's tests are left out"; fi

test-race: ## the tests of what is concurrent, under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./collector/... ./storage/... ./query/... ./cmd/...

test-peers: build ## real Envoys, the real Jaeger, other people's senders and clients; the web UI in Chromium
	$(GO) -C $(PEERS) test -timeout 25m -count=1 -v ./...
	$(GO) -C tests/deploy test -timeout 20m -count=1 -v ./...
	npm run --silent --prefix $(APP) test:browser

shots: build ## a picture of every view of the web UI in bin/screenshots; fails if one is broken
	npm run --silent --prefix $(APP) shots

soak: ## what takes hours: 1,000 kills, 200,000 queries, full disks; then every decoder fuzzed for a minute
	SPANDREL_SOAK=1 $(GO) test -timeout 12h -count=1 -v ./storage/badger
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$pkg || exit 1; \
	  done; \
	done

bench-peer: build $(PEERS)/bin/all-in-one ## the real Jaeger and Spandrel side by side; ARGS='-spans 100k -o docs/benchmarks'
	$(GO) run ./tests/bench $(ARGS)

$(PEERS)/bin/all-in-one: $(PEERS)/go.mod # takes minutes the first time
	$(GO) -C $(PEERS) build -o bin/all-in-one github.com/jaegertracing/jaeger/cmd/all-in-one
	@touch $@

bench-ui: build ## the web UI in Chromium: time to rows, frames, elements, heap
	npm run --silent --prefix $(APP) bench

lint: ## golangci-lint with .golangci.yml
	$(GO) run $(LINT) run ./...

check: lint test ## what a change must pass before it is pushed

.PHONY: sbom
sbom: build # what the program is made of, as CycloneDX in bin/sbom.json
	$(GO) -C tests/deploy run ./sbom ../../$(BIN) > bin/sbom.json

clean: ## remove what the other targets made
	rm -rf bin $(PEERS)/bin tests/deploy/bin ui/dist $(APP)/node_modules
