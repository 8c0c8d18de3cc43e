# shellcheck shell=bash disable=SC2154 # docker_home is lib/docker.sh's.
# Sourced after lib/docker.sh: images in place of those that Dockerfile and compose.yaml name, under the same names, made
# of Debian's packages, for machines that reach no registry of images. Each is made again when its description changes.

stand_ins=$ROOT/script/lib/stand-ins
debian=debian:bookworm-slim
debian_mark=2

# Their names, as they are written there.
image_of() { sed -n "s|^FROM \($1:[^ ]*\).*|\1|p; s|^ *image: \($1:[^ ]*\)$|\1|p" "$ROOT/deploy/Dockerfile" "$ROOT/deploy/compose.yaml" | head -n 1; }

make_stand_ins() {
  has_image "$debian" "$debian_mark" || make_debian
  make_stand_in nginx "$(image_of nginx)"
  make_stand_in redis "$(image_of redis)"
  make_stand_in coturn "$(image_of coturn/coturn)"
  make_stand_in kafka "$(image_of apache/kafka)"
  make_stand_in node "$(image_of node)"
  make_stand_in rust "$(image_of rust)"
}

# has_image NAME MARK
has_image() { [ "$(docker image inspect --format '{{index .Config.Labels "hyperion.stand-in"}}' "$1" 2>/dev/null)" = "$2" ]; }

make_debian() {
  local root=$docker_home/root bundle=/etc/ssl/certs/ca-certificates.crt
  apt_install "it makes base images where no registry can be reached" debootstrap
  say "Making an image in place of $debian (2 minutes)."
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" >"$docker_home/debootstrap.log" 2>&1 ||
    die "debootstrap failed:
$(tail -n 15 "$docker_home/debootstrap.log")"
  # What this machine trusts beyond Debian's stands last, and whoever builds in a container goes the same way out.
  mkdir -p "$root/usr/local/share/ca-certificates"
  awk '/BEGIN/ { pem = "" } { pem = pem $0 "\n" } END { printf "%s", pem }' "$bundle" >"$root/usr/local/share/ca-certificates/this-machine.crt"
  # As the official image: packages leave nothing behind.
  printf '%s\n' 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };' 'Dir::Cache::pkgcache "";' \
    'Dir::Cache::srcpkgcache "";' 'Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/docker-clean"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  tar -C "$root" -c . | docker import --change 'CMD ["bash"]' --change "LABEL hyperion.stand-in=$debian_mark" - "$debian" >/dev/null
  rm -rf "$root"
}

# make_stand_in WHAT NAME
make_stand_in() {
  local context=$docker_home/context mark
  mark=$({ printf %s "$debian_mark" && cat "$stand_ins/$1"*; } | sha256sum | cut -c1-16)
  ! has_image "$2" "$mark" || return 0
  say "Making an image in place of $2."
  rm -rf "$context" && mkdir -p "$context"
  if declare -f "context_of_$1" >/dev/null; then "context_of_$1" "$context"; fi
  docker build --progress plain --label "hyperion.stand-in=$mark" --tag "$2" --file "$stand_ins/$1.Dockerfile" "$context" \
    >"$docker_home/build.log" 2>&1 || die "The image could not be made:
$(tail -n 15 "$docker_home/build.log")"
  rm -rf "$context"
}

context_of_kafka() {
  "$ROOT/script/kafka" install
  cp -r "$HYPERION_CACHE"/kafka/*/libs "$1/libs"
  cp "$stand_ins/kafka-run" "$1/run"
}

context_of_node() {
  need_node
  cp "$(readlink -f "$(command -v node)")" "$1/node"
  cp -r "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$1/npm"
}

context_of_rust() {
  local root folder
  need_rust
  root=$(rustc --print sysroot)
  for folder in bin lib libexec; do [ ! -d "$root/$folder" ] || cp -r "$root/$folder" "$1/$folder"; done
}
