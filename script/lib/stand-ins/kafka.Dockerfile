# In place of apache/kafka: Kafka's jars, of which the official image's start is one. The context has them in libs.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home appuser && mkdir -p /opt/kafka/config /var/lib/kafka/data /etc/kafka/docker /mnt/shared/config \
  && chown -R appuser /opt/kafka /var/lib/kafka /etc/kafka /mnt/shared
COPY libs /opt/kafka/libs
COPY --chmod=755 run /etc/kafka/docker/run
USER appuser
EXPOSE 9092
VOLUME ["/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"]
CMD ["/etc/kafka/docker/run"]
