# Builds the three binaries and puts them on a small base.
#
#   docker build -t deepclone .                        from the sources, in the rust image
#   docker build -t deepclone --target prebuilt .      from binaries in docker/dist/

FROM debian:bookworm-slim AS base
RUN test -e /etc/ssl/certs/ca-certificates.crt || { apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*; }
RUN useradd --uid 7420 --create-home --home-dir /var/lib/deepclone deepclone
USER deepclone
WORKDIR /var/lib/deepclone
ENV DEEPCLONE_CONFIG=/etc/deepclone/deepclone.toml

FROM base AS prebuilt
COPY docker/dist/ /usr/local/bin/

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p deepclone -p deepclone-coordinator -p deepclone-worker

FROM base AS runtime
COPY --from=build /src/target/release/deepclone /src/target/release/deepclone-coordinator \
    /src/target/release/deepclone-worker /usr/local/bin/
