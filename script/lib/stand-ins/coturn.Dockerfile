# In place of coturn/coturn: Debian's, with the user and the right of the official image.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends coturn libcap2-bin && rm -rf /var/lib/apt/lists/* \
  && setcap CAP_NET_BIND_SERVICE=+ep /usr/bin/turnserver
USER nobody:nogroup
ENTRYPOINT []
CMD ["turnserver", "--log-file=stdout"]
