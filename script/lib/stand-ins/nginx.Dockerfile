# In place of nginx: Debian's, with the module that the official image has built in, and its user.
FROM debian:bookworm-slim
RUN groupadd --gid 101 nginx && useradd --uid 101 --gid 101 --no-create-home --home-dir /nonexistent --shell /bin/false nginx
RUN apt-get update && apt-get install -y --no-install-recommends curl libnginx-mod-stream nginx-light openssl && rm -rf /var/lib/apt/lists/*
CMD ["nginx", "-g", "daemon off;"]
