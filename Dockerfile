# The image: one static program, no shell, no user but its own. The commands
# are those of the Makefile.
#
#   docker build -t spandrel .
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.2.3 --build-arg REVISION=… -t … .
#
# Run it with a read-only root, any uid and no capabilities; only /data, or
# /badger where the settings of Istio's addon name it, is written to.

ARG GO_VERSION=1.26.11
ARG NODE_VERSION=24
ARG DEBIAN=bookworm

# The page: as make build makes it, Go left out.
FROM --platform=$BUILDPLATFORM docker.io/library/node:${NODE_VERSION}-${DEBIAN} AS page
WORKDIR /src
COPY Makefile ./
COPY ui ui
RUN make build GO=true && mkdir -p ui/dist

# The program, compiled on the builder's machine for the one that was asked for.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:${GO_VERSION}-${DEBIAN} AS program
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=page /src/ui/dist ui/dist
ARG VERSION=dev
ARG TARGETOS TARGETARCH
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} make build VERSION=${VERSION}
RUN mkdir -p -m 1777 /volumes/badger /volumes/data /volumes/tmp

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Spandrel" \
      org.opencontainers.image.description="Tracing back end for Istio meshes, in the place of Jaeger all-in-one" \
      org.opencontainers.image.source="https://github.com/spandrel/spandrel" \
      org.opencontainers.image.documentation="https://github.com/spandrel/spandrel/tree/main/docs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# /badger and /data for the spans; /tmp for --badger.ephemeral only.
COPY --from=program /volumes /
COPY --from=program /src/bin/spandrel /spandrel
# What is set here must not stand in the way of a settings file, so the place
# of the data is given by its default and that of the ports by their host.
ENV JAEGER_LISTEN_HOST=0.0.0.0 \
    XDG_DATA_HOME=/data
USER 10001:10001
VOLUME ["/badger", "/data"]
EXPOSE 9411 4317 4318 16686 16685 14269 13133 8888
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/spandrel", "status"]
ENTRYPOINT ["/spandrel"]
