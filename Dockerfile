# syntax=docker/dockerfile:1
# Two images: `deputy` (the last stage) and `deputy-agent` (--target agent, what pods pull).
#
# Binaries that are built already replace the compile stage, with no registry involved:
#   --build-context build=DIR     DIR/out/{deputy,deputy-agent,ca-certificates.crt}

FROM docker.io/library/rust:1.95-bookworm AS build
# What `deputy version` says that it was built from: --build-arg DEPUTY_COMMIT=$(git rev-parse HEAD)
ARG DEPUTY_COMMIT=unknown
WORKDIR /src
COPY . .
# Static, so that the image needs nothing else. An explicit target, so that the flag does not reach build scripts and
# procedural macros, which can't be static. Each program by itself: in one build it would have the features of the other, too.
# Kernels for arm64 have pages of 4, 16 or 64 KiB. jemalloc takes the page of the machine that builds, and ends where it is larger.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(rustc -vV | sed -n 's/^host: //p')" && \
    case "$target" in aarch64-*) export JEMALLOC_SYS_WITH_LG_PAGE=16 ;; esac && \
    export RUSTFLAGS="-C target-feature=+crt-static" && \
    cargo build --locked --release --target "$target" --package deputy && \
    cargo build --locked --release --target "$target" --package deputy-agent && \
    install -D -t /out "target/$target/release/deputy" "target/$target/release/deputy-agent" && \
    cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch AS agent
COPY --from=build /out/deputy-agent /deputy-agent
USER 65532:65532
ENTRYPOINT ["/deputy-agent"]

FROM scratch AS deputy
# The roots of AWS's endpoints.
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/deputy /deputy
USER 65532:65532
ENTRYPOINT ["/deputy"]
