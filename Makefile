# Muster. `make help` lists the targets.

GO      ?= go
BIN     := bin/muster
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './bin/*') go.mod go.sum \
           $(wildcard messages/schema/*)

.DEFAULT_GOAL := help
.PHONY: help build run test vet bench fuzz kill clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN) ## build bin/muster

$(BIN): $(SOURCES)
	@mkdir -p bin
	$(GO) build -trimpath -o $(BIN) ./cmd/muster

run: $(BIN) ## build, and apply examples/users.csv to a simulated tenant; results in out/
	@./examples/run.sh

test: vet ## vet and run all tests with the race detector
	$(GO) test -race -timeout 8m ./...

vet: ## check formatting, run go vet
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

bench: $(BIN) ## commands per second through the worker and rows per second through load, beside the bare client
	$(GO) test -run '^$$' -bench . -benchtime 3s -count 1 ./cmd/muster

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -e; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
	  done; \
	done

KILLS ?= 100
kill: ## the long form of the crash test: KILLS (100) times SIGKILL during one run
	MUSTERTEST_KILLS=$(KILLS) $(GO) test -count 1 -timeout 60m -run TestNothingIsLostToSIGKILL -v ./cmd/muster

clean: ## remove what was built and what runs left behind
	rm -rf bin out
