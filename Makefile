# make help lists the targets.
GO        ?= go
TOOL       = $(GO) tool -modfile=tools/go.mod
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS    = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
STATIC     = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
CA_BUNDLE ?= /etc/ssl/certs/ca-certificates.crt
COMPOSE   ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# The end-to-end suite runs alone; everything else is a unit.
UNITS      = $(shell $(GO) list ./... | grep -v '/ci$$')
E2E_ENV    = GATEWAY='$(GATEWAY)' ADMIN='$(ADMIN)' MODE='$(MODE)' RUNNER='$(RUNNER)'

.DEFAULT_GOAL := help
.PHONY: help build run up down check unit e2e chaos test compose-config bench fuzz image vulncheck clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

build: ## bin/go-runner, static, version and commit stamped
	$(STATIC) -o bin/go-runner ./cmd/go-runner

run: build ## the main job on this machine, nothing else needed: make run [ARGS=--once]
	$(GO) build -o bin/playground ./cmd/playground
	@exec bin/playground $(ARGS)

up: image ## the same with the real APISIX and etcd in containers
	$(COMPOSE) up -d

down: ## end what make up started
	$(COMPOSE) --profile cmd down -v

check: ## gofumpt, vet, staticcheck
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofumpt: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...

unit: ## unit tests with the race detector, fuzz corpora included
	$(GO) test -race $(UNITS)

e2e: ## end to end, on the gateway double or with GATEWAY= ADMIN= on a real APISIX
	$(E2E_ENV) $(GO) test -count=1 -v -timeout 10m ./ci/...

chaos: ## two minutes of an issuer that is sick at random, under load
	CHAOS_SECONDS=$(or $(CHAOS_SECONDS),120) $(GO) test -count=1 -v -timeout 10m -run TestChaos ./ci/

test: check unit compose-config ## everything CI runs
	$(MAKE) e2e
	$(MAKE) e2e MODE=cmd
	$(MAKE) e2e RUNNER=official
	$(MAKE) run ARGS=--once

compose-config: ## docker-compose.yml is clean, in both profiles
	@if command -v docker-compose >/dev/null; then \
	  docker-compose config -q && docker-compose --profile cmd config -q && echo "docker-compose.yml is clean"; \
	else echo "docker-compose.yml was not checked: install docker-compose"; fi

bench: ## Go benchmarks with the tables of docs/performance.md; it takes a while
	$(GO) test -run '^$$' -bench . -benchtime $(or $(BENCHTIME),1s) -benchmem -timeout 30m ./...

fuzz: ## every fuzz target for FUZZTIME (30s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg || exit 1; \
	  done; done

.PHONY: image-context
image-context: # everything the Dockerfile copies
	rm -rf dist/image
	install -d -m 0755 dist/image/etc/ssl/certs
	install -d -m 0700 dist/image/run/auth0-jwt
	$(STATIC) -o dist/image/go-runner ./cmd/go-runner
	$(STATIC) -o dist/image/playground ./cmd/playground
	install -m 0644 $(CA_BUNDLE) dist/image/etc/ssl/certs/ca-certificates.crt

image: image-context ## the container images, FROM scratch
	docker build --target runner -t apisix-auth0-jwt:local .
	docker build --target testkit -t apisix-auth0-jwt-testkit:local .

vulncheck: ## known vulnerabilities (needs the network)
	$(TOOL) govulncheck ./...

clean: ## remove what was built
	rm -rf bin dist
