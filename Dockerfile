# Built from dist/image, which make image fills: nothing is compiled in here.
# TARGETARCH is amd64 or arm64. BuildKit sets it for each platform; make image
# gives it to builders that do not.

# The runner: a static binary that has its certificate authorities inside, and
# the directory of the socket, which only APISIX's own user (636 in its image)
# may enter.
FROM scratch AS runner
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="apisix-auth0-jwt" \
      org.opencontainers.image.description="Plugin runner of Apache APISIX that verifies Auth0 and OpenID Connect access tokens" \
      org.opencontainers.image.source="https://github.com/apisix-auth0-jwt/apisix-auth0-jwt" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --chown=636:636 dist/image/run /run
COPY dist/image/linux/$TARGETARCH/go-runner /go-runner
USER 636:636
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s \
  CMD ["/go-runner", "ping", "--listen", "unix:/run/auth0-jwt/runner.sock"]
ENTRYPOINT ["/go-runner"]
CMD ["run", "--listen", "unix:/run/auth0-jwt/runner.sock"]

# The demo's issuer and upstream; never part of the product.
FROM scratch AS testkit
ARG TARGETARCH
COPY dist/image/linux/$TARGETARCH/playground /playground
USER 636:636
ENTRYPOINT ["/playground"]

# APISIX with the runner inside, which APISIX starts itself. The tag can be moved
# by its owner: pin it by the digest that docker image inspect shows you.
FROM apache/apisix:3.18.0-debian AS apisix
ARG TARGETARCH
COPY dist/image/linux/$TARGETARCH/go-runner /usr/local/bin/go-runner
