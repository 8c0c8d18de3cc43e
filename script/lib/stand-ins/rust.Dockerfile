# In place of rust:1.95-bookworm: the context is the toolchain of this machine.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends build-essential ca-certificates && rm -rf /var/lib/apt/lists/*
COPY . /usr/local/
