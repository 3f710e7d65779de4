# Muster. `make help` lists the targets.

GO      ?= go
BIN     := bin/muster
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './bin/*') go.mod go.sum \
           $(wildcard messages/schema/* report/page/*)

.DEFAULT_GOAL := help
.PHONY: help build run test test-clients vet portable chromium proton accessibility bench bench-broker fuzz kill model clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN) ## build bin/muster

$(BIN): $(SOURCES)
	@mkdir -p bin
	$(GO) build -trimpath -o $(BIN) ./cmd/muster

run: $(BIN) ## build, and apply examples/users.csv to a simulated tenant; results in out/
	@./examples/run.sh

# The tests through the binary wait far more than they compute, hence -parallel.
test: vet chromium ## vet and run all tests with the race detector, those of the endpoint also on disk, over TLS and over WebSocket
	$(GO) test -race -parallel 8 -timeout 12m ./...
	MUSTERTEST_DURABLE=1 $(GO) test -count 1 -timeout 12m ./local/broker
	MUSTERTEST_TRANSPORT=tls $(GO) test -count 1 -timeout 12m ./local/broker
	MUSTERTEST_TRANSPORT=websocket MUSTERTEST_DURABLE=1 $(GO) test -count 1 -timeout 12m ./local/broker

CLIENTS := local/broker/clients/js
test-clients: $(BIN) proton ## hold muster local against the official JavaScript client and plain AMQP clients (needs node and npm)
	cd $(CLIENTS) && npm ci --silent --no-audit --no-fund && node run.js
	@if [ -n "$$CI" ] || $(PYTHON) -c 'import proton' 2>/dev/null; then MUSTER=$(BIN) $(PYTHON) local/broker/clients/proton/proton_test.py; fi

# Debian's Python, for which it has the package. Where Qpid Proton is not there and
# can't be installed, its tests are skipped, but in CI they fail.
PYTHON ?= /usr/bin/python3
proton: ## install Qpid Proton on Debian, for the tests with a plain AMQP client
	@if $(PYTHON) -c 'import proton' 2>/dev/null; then exit 0; fi; \
	run=; [ "$$(id -u)" = 0 ] || run='sudo -n'; \
	if command -v apt-get >/dev/null 2>&1 && $$run true 2>/dev/null && echo 'installing Qpid Proton' && \
	  $$run apt-get update -q >/dev/null && \
	  $$run env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-qpid-proton libsasl2-modules >/dev/null; \
	then exit 0; fi; \
	echo 'there is no Qpid Proton for $(PYTHON), and it could not be installed: the tests of muster local with it are left out'

vet: ## check formatting, run go vet
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

portable: ## run go vet on what Windows and macOS build, tests included
	GOOS=windows CGO_ENABLED=0 $(GO) vet ./...
	GOOS=darwin CGO_ENABLED=0 $(GO) vet ./...

# The page of muster report is tested in a browser. Where none is there and none
# can be installed, those tests are skipped, but in CI they fail.
chromium: ## install Chromium on Debian, for the tests of the report's page, if there is no browser
	@for browser in "$${CHROMIUM:-chromium}" chromium-browser google-chrome; do \
	  if command -v "$$browser" >/dev/null 2>&1; then exit 0; fi; \
	done; \
	run=; [ "$$(id -u)" = 0 ] || run='sudo -n'; \
	if command -v apt-get >/dev/null 2>&1 && $$run true 2>/dev/null && echo 'installing Chromium' && \
	  $$run apt-get update -q >/dev/null && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium >/dev/null; \
	then exit 0; fi; \
	echo 'there is no Chromium, and none could be installed: set CHROMIUM to the path of a browser to test the page of muster report'

accessibility: chromium ## hold the page of muster report against axe-core, which npm brings
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	npm install --silent --no-save --no-audit --no-fund --prefix "$$tmp" axe-core && \
	MUSTERTEST_AXE="$$tmp/node_modules/axe-core/axe.min.js" $(GO) test -count 1 -run 'TestPage' ./report

bench: $(BIN) ## commands per second through the worker and rows per second through load, beside the bare client
	$(GO) test -run '^$$' -bench . -benchtime 3s -count 1 ./cmd/muster

bench-broker: ## messages per second through the endpoint, in memory and on disk, with the bare client; PROFILE=DIR keeps CPU profiles of both
	@[ -z "$(PROFILE)" ] || mkdir -p "$(PROFILE)"
	MUSTERTEST_PROFILE=$(abspath $(PROFILE)) $(GO) test -run '^$$' -bench . -benchtime 3s -count 1 ./local/broker

# One target per core at a time, each with one worker. What a target prints comes
# out when it has ended, in one piece. Now and then go test takes the end of -fuzztime
# for a failure, without an input that fails: such a target runs again, up to three times.
FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (30s); FUZZ=NAME picks FuzzNAME…
	@grep -ro '^func Fuzz$(FUZZ)[[:alnum:]_]*' --include='*_test.go' . | sed 's|/[^/]*:func | |' | sort | \
	xargs -P "$$(getconf _NPROCESSORS_ONLN)" -L 1 sh -c '\
	  for try in 1 2 3; do \
	    said=$$($(GO) test -run "^$$" -fuzz "^$$2$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel 1 $$1 2>&1); code=$$?; \
	    [ $$code != 0 ] && echo "$$said" | grep -qx " *context deadline exceeded" && ! echo "$$said" | grep -q "Failing input" || break; \
	  done; \
	  echo "$$1 $$2"; echo "$$said" | tail -n $$([ $$code = 0 ] && echo 3 || echo 60); exit $$code' fuzz

KILLS ?= 100
kill: ## the long form of the crash tests: KILLS (100) times SIGKILL, of the worker, of the endpoint, and while it compacts its file
	MUSTERTEST_KILLS=$(KILLS) $(GO) test -count 1 -timeout 60m -run 'TestNothingIsLost(ToSIGKILL|WhileCompacting)' -v ./cmd/muster ./local/broker/...

MODELTIME ?= 5m
model: ## the long form of the model test: made-up users and commands for MODELTIME (5m) on good and bad days
	MUSTERTEST_MODEL=$(MODELTIME) $(GO) test -count 1 -timeout 24h -run 'TestUsersEndAsAsked|TestAPlanIsTheShortestWay' -v ./worker

clean: ## remove what was built and what runs left behind
	rm -rf bin out
