# Built from dist/image, which make image fills: nothing is compiled in here.

# The runner: static binary, CA certificates, and the directory of the socket,
# which only APISIX's own user (636 in its image) may enter.
FROM scratch AS runner
COPY --chown=636:636 dist/image/run /run
COPY dist/image/etc /etc
COPY dist/image/go-runner /go-runner
USER 636:636
ENTRYPOINT ["/go-runner"]
CMD ["run"]

# The demo's issuer and upstream; never part of the product.
FROM scratch AS testkit
COPY dist/image/playground /playground
USER 636:636
ENTRYPOINT ["/playground"]

# APISIX with the runner inside, which APISIX starts itself.
FROM apache/apisix:3.18.0-debian AS apisix
COPY dist/image/go-runner /usr/local/bin/go-runner
