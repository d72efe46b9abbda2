# make help lists the targets.
GO        ?= go
TOOL       = $(GO) tool -modfile=tools/go.mod
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS    = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
STATIC     = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
# What runs in a container is linux, whatever this machine is; the processor is
# the Docker host's, or this machine's where no Docker host answers.
IMAGE_ARCH ?= $(or $(shell $(DOCKER) version --format '{{.Server.Arch}}' 2>/dev/null),$(shell $(GO) env GOARCH))
IMAGE_ARCHS ?= $(IMAGE_ARCH)
DOCKER    ?= docker
CONTEXT    = dist/image
IMAGE_ARGS = --build-arg TARGETARCH=$(IMAGE_ARCH) --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT)
# What a release consists of.
RELEASE    = dist/release
RELEASE_ARCHS = amd64 arm64
EPOCH     ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# Compose v2 where it is there, else v1 (1.29), else nothing.
COMPOSE   ?= $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; \
	elif command -v docker-compose >/dev/null 2>&1; then echo docker-compose; fi)
NO_COMPOSE = neither docker compose nor docker-compose is installed
# docker-compose.yml asks for a key and secrets even where none is used.
COMPOSE_ANY_KEY = ADMIN_KEY=$${ADMIN_KEY:-unused} AUTH0_APP_SECRET=$${AUTH0_APP_SECRET:-unused} \
	SESSION_SECRET=$${SESSION_SECRET:-unused} $(COMPOSE)
# The admin key is in the environment, or in .env, where make up puts it.
ADMIN_KEY_NOW = $${ADMIN_KEY:-$$(sed -n 's/^ADMIN_KEY=//p' .env 2>/dev/null | tail -n 1)}
# make up PROFILE=cmd adds the APISIX that starts the runner itself, and
# PROFILE=monitoring Prometheus and Grafana.
PROFILE   ?=
UP         = $(COMPOSE)$(if $(PROFILE), --profile $(PROFILE))
# Compose v1 has no --wait: there, bin/playground demo alone does the waiting.
WAIT       = $(if $(filter compose,$(COMPOSE)),--wait --wait-timeout 60)
PORTS      = $(if $(filter cmd,$(PROFILE)),--gateway http://127.0.0.1:19080 --admin http://127.0.0.1:19180 --without-login)
APISIX     = $(if $(filter cmd,$(PROFILE)),apisix-cmd,apisix)
# The end-to-end suite, the browser and what is shipped have targets of their own;
# everything else is a unit.
UNITS      = $(shell $(GO) list ./... | grep -v -e '/ci$$' -e '/internal/browsertest$$' -e '/internal/shiptest$$')
# Packages without goroutines of their own, and those whose tests drive other
# processes: the race detector would make them slow and find nothing.
ONE_THREAD = apisix-conf docs $(addprefix internal/,a6 archtest claim config convert dashboardtest dpop fold identity inspect jwk pattern refusal strictjson token)
ONE_THREADED = $(foreach pkg,$(ONE_THREAD),$(filter %/apisix-auth0-jwt/$(pkg),$(UNITS)))
# Tests that measure memory, and those that run the test's own binary as a command.
WITHOUT_RACE = AllocatesNothing|WithoutAllocating|^TestConnectionsAtRest|^TestScripts$$
E2E_ENV    = GATEWAY='$(GATEWAY)' ADMIN='$(ADMIN)' MODE='$(MODE)' RUNNER='$(RUNNER)' $(if $(GATEWAY),ADMIN_KEY="$(ADMIN_KEY_NOW)")

# The playground's page: TypeScript, which Node.js builds into files that Go embeds.
WEB        = cmd/playground/page/web
WEB_SOURCES = $(addprefix $(WEB)/,package.json package-lock.json tsconfig.json build.mjs size.mjs) $(shell find $(WEB)/src -type f 2>/dev/null)
# What stands in the lock, installed once for each lock.
WEB_READY  = { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci; }

.DEFAULT_GOAL := help
.PHONY: help build page run up down check unit e2e browser screenshots chaos test compose-config kubernetes bench fuzz image image-check image-digests release release-snapshot vulncheck clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

build: ## bin/go-runner, static, version and commit stamped
	$(STATIC) -o bin/go-runner ./cmd/go-runner

run: build bin/playground ## the main job on this machine, with a double of APISIX: make run [ARGS=--once]
	@exec bin/playground $(ARGS)

.PHONY: bin/playground
bin/playground: page
	$(GO) build -o bin/playground ./cmd/playground

page: $(WEB)/dist/index.html ## the playground's page (needs Node.js; make run works without, and says so)

# Without npm nothing is made, the playground says what is missing, and the next
# make asks again.
$(WEB)/dist/index.html: $(WEB_SOURCES)
	@if command -v npm >/dev/null; then cd $(WEB) && $(WEB_READY) && npm run --silent build; \
	else echo "The playground's page was not built, since npm (Node.js) is not installed; everything else works."; $(if $(CI),exit 1,true); fi

up: compose-there image demo-secrets bin/playground ## the same with the real APISIX and etcd in containers: make up [PROFILE=cmd|monitoring] [ARGS=--once]
	@# APISIX reads its config.yaml as user 636, whatever the umask of the clone was.
	@chmod -R a+rX apisix-conf
	@$(UP) up -d $(WAIT) && bin/playground demo $(PORTS) $(ARGS) || { \
	  echo; $(UP) ps; \
	  echo "make up failed. Read: $(UP) logs $(APISIX) runner"; exit 1; }

down: compose-there ## end what make up started
	$(COMPOSE_ANY_KEY) --profile cmd --profile monitoring down -v

.PHONY: compose-there
compose-there:
	@if [ -z "$(COMPOSE)" ]; then echo "$(NO_COMPOSE)"; exit 1; fi

# Fresh random values in .env, which git ignores and Compose reads, for the key of
# APISIX's Admin API and for the two secrets of the login; what is there stays, and
# the environment comes first. They begin with letters, since APISIX would read a
# key of digits alone as a number, which no X-API-KEY equals.
.PHONY: demo-secrets
demo-secrets:
	@for name in ADMIN_KEY AUTH0_APP_SECRET SESSION_SECRET; do \
	  if [ -z "$$(printenv $$name)" ]; then \
	    umask 077 && touch .env && chmod 600 .env && \
	    { grep -q "^$$name=." .env || \
	      printf '%s=demo-%s\n' $$name "$$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >>.env; } || exit 1; fi; done

check: ## gofumpt, vet, staticcheck, actionlint, and the types of the page
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofumpt: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) actionlint -shellcheck= -pyflakes= .github/workflows/*.yml
	@if command -v npm >/dev/null; then cd $(WEB) && $(WEB_READY) && npm run --silent check; \
	else echo "The types of the playground's page were not checked, since npm (Node.js) is not installed."; $(if $(CI),exit 1,true); fi

unit: ## unit tests, with the race detector where goroutines share memory; fuzz corpora included
	$(GO) test -race -skip '$(WITHOUT_RACE)' $(filter-out $(ONE_THREADED),$(UNITS))
	$(GO) test $(ONE_THREADED)
	$(GO) test -run '$(WITHOUT_RACE)' $(filter-out $(ONE_THREADED),$(UNITS))

e2e: ## end to end, on the gateway double or with GATEWAY= ADMIN= on a real APISIX
	$(E2E_ENV) $(GO) test -count=1 -v -timeout 10m ./ci/...

browser: page ## logins, attacks and the playground's page in a real Chromium (Debian: apt-get install chromium)
	$(GO) test -count=1 -v -timeout 10m ./internal/browsertest

screenshots: page ## the pictures of the playground in docs/images, taken anew
	SCREENSHOTS='$(abspath docs/images)' $(GO) test -count=1 -run TestScreenshots ./internal/browsertest

chaos: ## two minutes of an issuer that is sick at random, under load
	CHAOS_SECONDS=$(or $(CHAOS_SECONDS),120) $(GO) test -count=1 -v -timeout 10m -run TestChaos ./ci/

test: check unit compose-config kubernetes ## everything CI runs
	$(MAKE) e2e
	$(MAKE) e2e MODE=cmd
	$(MAKE) e2e RUNNER=official
	$(MAKE) browser
	$(MAKE) run ARGS=--once

compose-config: ## docker-compose.yml is clean, in every profile
	@if [ -n "$(COMPOSE)" ]; then \
	  $(COMPOSE_ANY_KEY) config -q && $(COMPOSE_ANY_KEY) --profile cmd config -q && \
	  $(COMPOSE_ANY_KEY) --profile monitoring config -q && \
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

# Everything the Dockerfile copies, for each of IMAGE_ARCHS, readable by any user
# in the image whatever the umask is here.
.PHONY: image-context
image-context:
	rm -rf $(CONTEXT)
	install -d -m 0755 $(CONTEXT) $(CONTEXT)/run $(CONTEXT)/linux $(addprefix $(CONTEXT)/linux/,$(IMAGE_ARCHS))
	install -d -m 0700 $(CONTEXT)/run/auth0-jwt
	@set -e; for arch in $(IMAGE_ARCHS); do for name in go-runner playground; do \
	  echo "linux/$$arch: $$name"; \
	  GOOS=linux GOARCH=$$arch $(STATIC) -o $(CONTEXT)/linux/$$arch/$$name ./cmd/$$name; \
	  chmod 0755 $(CONTEXT)/linux/$$arch/$$name; \
	done; done

image: image-context ## the container images, FROM scratch; with PROFILE=cmd that of APISIX with the runner inside too
	$(DOCKER) build $(IMAGE_ARGS) --target runner -t apisix-auth0-jwt:local .
	$(DOCKER) build $(IMAGE_ARGS) --target testkit -t apisix-auth0-jwt-testkit:local .
	$(if $(filter cmd,$(PROFILE)),$(DOCKER) build $(IMAGE_ARGS) --target apisix -t apisix-auth0-jwt-apisix:local .)

# Both processors take BuildKit. Docker's client has it built in until 20.10, and from
# 23 on as the plugin buildx. The image of the engine's own processor is run.
image-check: ## the images of both processors are what docs/install.md says, and run; needs a Docker engine
	@if ! $(DOCKER) version >/dev/null 2>&1; then \
	  echo "the images were not checked: no Docker engine answers ($(DOCKER) version says why)"; exit $(if $(CI),1,0); fi; \
	$(MAKE) image-context IMAGE_ARCHS='$(RELEASE_ARCHS)' && \
	for arch in $(RELEASE_ARCHS); do \
	  DOCKER_BUILDKIT=1 $(DOCKER) build --platform linux/$$arch --target runner -t apisix-auth0-jwt:check-$$arch \
	    --build-arg TARGETARCH=$$arch --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) . || exit 1; \
	done && \
	DOCKER='$(DOCKER)' IMAGES='$(addprefix apisix-auth0-jwt:check-,$(RELEASE_ARCHS))' VERSION=$(VERSION) COMMIT=$(COMMIT) \
	  $(GO) test -count=1 -v -run Image ./internal/shiptest

image-digests: ## the images of others, each with the digest that its tag names today (needs the network)
	@for image in $$(sed -nE 's/^FROM ([^ ]+:[^ ]+) .*/\1/p; s/^ +image: ([^ ]+)$$/\1/p' Dockerfile docker-compose.yml | grep -v ':local$$' | sort -u); do \
	  digest=$$($(DOCKER) buildx imagetools inspect "$$image" --format '{{.Manifest.Digest}}') || exit 1; \
	  echo "$$image@$$digest"; done

# The same bytes from the same commit, wherever and whenever it is built: no
# path, no time of the build and no user in the archives. EPOCH is the commit's
# time.
release: ## archives for linux, their SBOMs and checksums, in dist/release
	rm -rf $(RELEASE)
	mkdir -p $(RELEASE)
	@set -e; for arch in $(RELEASE_ARCHS); do \
	  name=go-runner-$(VERSION)-linux-$$arch; echo $$name; \
	  GOOS=linux GOARCH=$$arch $(STATIC) -buildvcs=false -o $(RELEASE)/$$name/go-runner ./cmd/go-runner; \
	  GOFLAGS=-trimpath $(TOOL) cyclonedx-gomod bin -json -noserial -notimestamp -std -version $(VERSION) -output $(RELEASE)/$$name.sbom.json $(RELEASE)/$$name/go-runner 2>$(RELEASE)/sbom.log || { cat $(RELEASE)/sbom.log; exit 1; }; \
	  cp -r LICENSE README.md CHANGELOG.md apisix-conf/systemd $(RELEASE)/$$name/; \
	  chmod -R u=rwX,go=rX $(RELEASE)/$$name; \
	  tar -C $(RELEASE) --sort=name --mtime=@$(EPOCH) --owner=0 --group=0 --numeric-owner --format=ustar -cf - $$name | gzip -9n >$(RELEASE)/$$name.tar.gz; \
	  rm -r $(RELEASE)/$$name; \
	done; rm -f $(RELEASE)/sbom.log
	cd $(RELEASE) && sha256sum *.tar.gz *.sbom.json >checksums.txt
	@cat $(RELEASE)/checksums.txt

# The second build has another path and an empty build cache.
release-snapshot: release ## the release read by a test, built a second time elsewhere, and compared
	RELEASE='$(abspath $(RELEASE))' VERSION=$(VERSION) $(GO) test -count=1 -v -run Release ./internal/shiptest
	@set -e; elsewhere=$$(mktemp -d); trap 'chmod -R u+w '$$elsewhere'; rm -rf '$$elsewhere EXIT; \
	mkdir $$elsewhere/source; git ls-files -co --exclude-standard -z | tar --null -T - -cf - | tar -C $$elsewhere/source -xf -; \
	GOCACHE=$$elsewhere/cache $(MAKE) -s -C $$elsewhere/source release VERSION=$(VERSION) COMMIT=$(COMMIT) EPOCH=$(EPOCH) >/dev/null; \
	if cmp $(RELEASE)/checksums.txt $$elsewhere/source/$(RELEASE)/checksums.txt; then echo "two builds are the same to the byte"; else exit 1; fi

.PHONY: flood dashboard-picture
flood: ## what floods of bad tokens write into the log: make flood [FLOOD_SECONDS=60 FLOOD_PER_SECOND=10000]
	FLOOD_SECONDS=$(or $(FLOOD_SECONDS),60) FLOOD_PER_SECOND=$(or $(FLOOD_PER_SECOND),10000) $(GO) test -count=1 -v -run TestAFlood ./cmd/go-runner

dashboard-picture: ## docs/images/dashboard.png, of three minutes of load (needs Debian's prometheus and chromium)
	$(GO) test -count=1 -v ./internal/dashboardtest -lasting 3m -picture "$(CURDIR)/docs/images/dashboard.png"

vulncheck: ## known vulnerabilities (needs the network)
	$(TOOL) govulncheck ./...

clean: ## remove what was built
	rm -rf bin dist $(WEB)/node_modules
	find $(WEB)/dist -type f ! -name .gitignore -delete
