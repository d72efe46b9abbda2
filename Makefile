# make help lists the targets.
GO        ?= go
TOOL       = $(GO) tool -modfile=tools/go.mod
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS    = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
STATIC     = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
CA_BUNDLE ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
# What runs in a container is linux, whatever this machine is; the processor is
# the Docker host's, or this machine's where no Docker host answers.
IMAGE_ARCH ?= $(or $(shell docker version --format '{{.Server.Arch}}' 2>/dev/null),$(shell $(GO) env GOARCH))
FOR_IMAGE  = GOOS=linux GOARCH=$(IMAGE_ARCH) $(STATIC)
CONTEXT    = dist/image
# Compose v2 where it is there, else v1 (1.29), else nothing.
COMPOSE   ?= $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; \
	elif command -v docker-compose >/dev/null 2>&1; then echo docker-compose; fi)
NO_COMPOSE = neither docker compose nor docker-compose is installed
# docker-compose.yml asks for an admin key even where none is used.
COMPOSE_ANY_KEY = ADMIN_KEY=$${ADMIN_KEY:-unused} $(COMPOSE) --profile cmd
# The admin key is in the environment, or in .env, where make up puts it.
ADMIN_KEY_NOW = $${ADMIN_KEY:-$$(sed -n 's/^ADMIN_KEY=//p' .env 2>/dev/null | tail -n 1)}
# make up PROFILE=cmd adds the APISIX that starts the runner itself.
PROFILE   ?=
UP         = $(COMPOSE)$(if $(PROFILE), --profile $(PROFILE))
# Compose v1 has no --wait: there, bin/playground demo alone does the waiting.
WAIT       = $(if $(filter compose,$(COMPOSE)),--wait --wait-timeout 60)
PORTS      = $(if $(filter cmd,$(PROFILE)),--gateway http://127.0.0.1:19080 --admin http://127.0.0.1:19180)
APISIX     = $(if $(filter cmd,$(PROFILE)),apisix-cmd,apisix)
# The end-to-end suite runs alone; everything else is a unit.
UNITS      = $(shell $(GO) list ./... | grep -v '/ci$$')
E2E_ENV    = GATEWAY='$(GATEWAY)' ADMIN='$(ADMIN)' MODE='$(MODE)' RUNNER='$(RUNNER)' $(if $(GATEWAY),ADMIN_KEY="$(ADMIN_KEY_NOW)")

.DEFAULT_GOAL := help
.PHONY: help build run up down check unit e2e chaos test compose-config kubernetes bench fuzz image vulncheck clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

build: ## bin/go-runner, static, version and commit stamped
	$(STATIC) -o bin/go-runner ./cmd/go-runner

run: build bin/playground ## the main job on this machine, with a double of APISIX: make run [ARGS=--once]
	@exec bin/playground $(ARGS)

.PHONY: bin/playground
bin/playground:
	$(GO) build -o bin/playground ./cmd/playground

up: compose-there image admin-key bin/playground ## the same with the real APISIX and etcd in containers: make up [PROFILE=cmd] [ARGS=--once]
	@# APISIX reads its config.yaml as user 636, whatever the umask of the clone was.
	@chmod a+r apisix-conf/*/config.yaml
	@$(UP) up -d $(WAIT) && bin/playground demo $(PORTS) $(ARGS) || { \
	  echo; $(UP) ps; \
	  echo "make up failed. Read: $(UP) logs $(APISIX) runner"; exit 1; }

down: compose-there ## end what make up started
	$(COMPOSE_ANY_KEY) down -v

.PHONY: compose-there
compose-there:
	@if [ -z "$(COMPOSE)" ]; then echo "$(NO_COMPOSE)"; exit 1; fi

# A fresh key for APISIX's Admin API in .env, which git ignores and Compose
# reads; the one that is there stays. It begins with letters, since APISIX would
# read a key of digits alone as a number, which no X-API-KEY equals.
.PHONY: admin-key
admin-key:
	@if [ -z "$$ADMIN_KEY" ]; then \
	  umask 077 && touch .env && chmod 600 .env && \
	  { grep -q '^ADMIN_KEY=.' .env || \
	    printf 'ADMIN_KEY=demo-%s\n' "$$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >>.env; }; fi

check: ## gofumpt, vet, staticcheck
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofumpt: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...

unit: ## unit tests with the race detector, fuzz corpora included
	$(GO) test -race $(UNITS)
	$(GO) test -run 'AllocatesNothing|WithoutAllocating' ./plugins/auth0jwt ./internal/gate

e2e: ## end to end, on the gateway double or with GATEWAY= ADMIN= on a real APISIX
	$(E2E_ENV) $(GO) test -count=1 -v -timeout 10m ./ci/...

chaos: ## two minutes of an issuer that is sick at random, under load
	CHAOS_SECONDS=$(or $(CHAOS_SECONDS),120) $(GO) test -count=1 -v -timeout 10m -run TestChaos ./ci/

test: check unit compose-config kubernetes ## everything CI runs
	$(MAKE) e2e
	$(MAKE) e2e MODE=cmd
	$(MAKE) e2e RUNNER=official
	$(MAKE) run ARGS=--once

compose-config: ## docker-compose.yml is clean, in both profiles
	@if [ -n "$(COMPOSE)" ]; then \
	  ADMIN_KEY=unused $(COMPOSE) config -q && ADMIN_KEY=unused $(COMPOSE) --profile cmd config -q && \
	  echo "docker-compose.yml is clean ($(COMPOSE))"; \
	else echo "docker-compose.yml was not checked: $(NO_COMPOSE)"; $(if $(CI),exit 1,true); fi

# The module is apart, since nothing else needs Kubernetes' types and Helm.
kubernetes: ## the Helm values are what Kubernetes takes; with CHART= the official chart is rendered with them
	cd apisix-conf/kubernetes && CHART='$(abspath $(CHART))' $(GO) test $(if $(CHART),-tags chart) ./...

bench: ## Go benchmarks with the tables of docs/performance.md; it takes a while
	$(GO) test -run '^$$' -bench . -benchtime $(or $(BENCHTIME),1s) -benchmem -timeout 30m ./...

fuzz: ## every fuzz target for FUZZTIME (30s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg || exit 1; \
	  done; done

# Everything the Dockerfile copies, readable by any user in the image whatever
# the umask is here.
.PHONY: image-context
image-context:
	@if [ -z "$(CA_BUNDLE)" ]; then echo "no CA certificates were found: name a file of them with CA_BUNDLE="; exit 1; fi
	rm -rf $(CONTEXT)
	install -d -m 0755 $(CONTEXT) $(CONTEXT)/etc $(CONTEXT)/etc/ssl $(CONTEXT)/etc/ssl/certs $(CONTEXT)/run
	install -d -m 0700 $(CONTEXT)/run/auth0-jwt
	$(FOR_IMAGE) -o $(CONTEXT)/go-runner ./cmd/go-runner
	$(FOR_IMAGE) -o $(CONTEXT)/playground ./cmd/playground
	chmod 0755 $(CONTEXT)/go-runner $(CONTEXT)/playground
	install -m 0644 $(CA_BUNDLE) $(CONTEXT)/etc/ssl/certs/ca-certificates.crt

image: image-context ## the container images, FROM scratch; with PROFILE=cmd that of APISIX with the runner inside too
	docker build --target runner -t apisix-auth0-jwt:local .
	docker build --target testkit -t apisix-auth0-jwt-testkit:local .
	$(if $(filter cmd,$(PROFILE)),docker build --target apisix -t apisix-auth0-jwt-apisix:local .)

vulncheck: ## known vulnerabilities (needs the network)
	$(TOOL) govulncheck ./...

clean: ## remove what was built
	rm -rf bin dist
