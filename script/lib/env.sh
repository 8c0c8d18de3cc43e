# shellcheck shell=bash
# Sourced by every script: where things are kept, and the tools that the machine may lack.
#
# Downloads and build outputs live outside the clone, so that a clean clone is not a cold build.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HYPERION_CACHE=${HYPERION_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/hyperion}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HYPERION_CACHE/target}
# What rustup installed comes before a distribution's Rust, which is often too old.
# shellcheck source=/dev/null
if [ -f "${HOME:-}/.cargo/env" ]; then . "$HOME/.cargo/env"; fi
# Node and cargo tools that these scripts installed come first.
export PATH="$HYPERION_CACHE/node/bin:$HYPERION_CACHE/tools/bin:$PATH"
mkdir -p "$HYPERION_CACHE"
export npm_config_update_notifier=false

# Newest majors that this project is tested with.
RUST_MIN=1.95
NODE_MIN=22
NODE_VERSION=22.23.3
# shellcheck disable=SC2034 # script/lint's
CARGO_DENY_VERSION=0.20.2
# shellcheck disable=SC2034 # script/fuzz's
CARGO_FUZZ_VERSION=0.13.2
RUSTUP_COMMAND="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"

step() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
say() { printf '%s\n' "$*" >&2; }
die() { printf '\n%s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    die "This needs root: $*. Run it yourself, or install sudo, then start again."
  fi
}

# apt_install WHY PACKAGE...: installs Debian packages that are missing.
apt_install() {
  local why=$1; shift
  local missing=() package
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "Missing: ${missing[*]} ($why). Only Debian and Ubuntu are set up by themselves; install them and start again."
  say "Installing ${missing[*]}: $why."
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# apt_install_tool WHY PACKAGE...: the same for packages that bring a service. We start our own, on ports of our own; one
# that was there before stays as it is.
apt_install_tool() {
  local why=$1 policy=/usr/sbin/policy-rc.d made='' failed='' package missing=()
  shift
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  if [ -d /usr/sbin ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=1
  fi
  # In a subshell, since a failure must not leave the policy behind.
  (apt_install "$why" "${missing[@]}") || failed=1
  [ -z "$made" ] || as_root rm -f "$policy"
  [ -z "$failed" ] || exit 1
  # Nor at the next start of the machine.
  if command -v systemctl >/dev/null; then
    for package in "${missing[@]}"; do as_root systemctl disable "$package" >/dev/null 2>&1 || true; done
  fi
}

# has_package PACKAGE: whether apt offers it.
has_package() {
  command -v apt-get >/dev/null || return 1
  apt-cache show "$1" >/dev/null 2>&1 && return
  # A fresh system has no lists yet.
  (as_root apt-get -qq update) >/dev/null 2>&1 && apt-cache show "$1" >/dev/null 2>&1
}

version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

need_rust() {
  if ! command -v cargo >/dev/null; then
    if ! command -v rustup >/dev/null; then
      # Debian 13 and Ubuntu 24.04 are the first with this package.
      has_package rustup || die "Rust $RUST_MIN or newer is missing, and this system has no package 'rustup'. Install it and start again:

  $RUSTUP_COMMAND"
      apt_install "the Rust toolchain is installed by rustup" rustup
    fi
    say "Installing the stable Rust toolchain: the server is written in Rust."
    rustup default stable
  fi
  local have update
  have=$(rustc --version | cut -d' ' -f2)
  if command -v rustup >/dev/null; then update='rustup update stable && rustup default stable'; else update=$RUSTUP_COMMAND; fi
  version_at_least "$RUST_MIN" "$have" || die "Rust $have is too old: $RUST_MIN or newer is needed. Install it and start again:

  $update"
  apt_install "the crypto library and the client of Kafka have parts in C" build-essential
}

# The npm package `node-linux-…` is Node itself; the npm that is there brings it, whatever its own Node.
need_node() {
  local major=0 arch
  command -v node >/dev/null && major=$(node --version | sed 's/^v//; s/\..*//')
  [ "$major" -ge "$NODE_MIN" ] && return
  command -v npm >/dev/null || apt_install "the web client is built with Node.js" npm
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) die "Node.js $NODE_MIN or newer is needed, and there is no package of it for $(uname -m). Install it and start again." ;;
  esac
  say "Installing Node.js $NODE_VERSION into $HYPERION_CACHE/node: the web client is built with it (found: ${major/#0/none})."
  mkdir -p "$HYPERION_CACHE/node/bin"
  npm install --prefix "$HYPERION_CACHE/node" --no-audit --no-fund --loglevel=error --ignore-scripts "node-linux-$arch@$NODE_VERSION" >/dev/null ||
    die "Node.js $NODE_VERSION could not be installed from npm. Check the network, or install Node.js $NODE_MIN or newer, and start again."
  ln -sf "../node_modules/node-linux-$arch/bin/node" "$HYPERION_CACHE/node/bin/node"
  hash -r
  node --version >/dev/null || die "Node.js in $HYPERION_CACHE/node does not start; remove that folder and start again."
}

# npm_ci FOLDER: installs a folder's locked dependencies, once per change of its lock file.
npm_ci() {
  local folder=$1 stamp
  need_node
  stamp=$folder/node_modules/.hyperion-lock
  cmp -s "$folder/package-lock.json" "$stamp" && return
  say "Installing the npm packages of ${folder#"$ROOT"/}."
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts >/dev/null)
  cp "$folder/package-lock.json" "$stamp"
}

# The web client ends up inside the binary, so it is built before it, and only when it changed.
build_web() {
  npm_ci "$ROOT/web"
  local now
  now=$(cd "$ROOT/web" && find src public index.html package-lock.json vite.config.ts first-load.ts tsconfig.json -type f 2>/dev/null | sort | xargs sha256sum | sha256sum)
  [ -f "$ROOT/web/dist/index.html" ] && [ "$(cat "$ROOT/web/node_modules/.hyperion-built" 2>/dev/null)" = "$now" ] && return
  step "Building the web client"
  (cd "$ROOT/web" && npm run --silent build >&2)
  printf '%s' "$now" >"$ROOT/web/node_modules/.hyperion-built"
}

build_server() {
  need_rust
  build_web
  step "Building the server"
  [ -x "$CARGO_TARGET_DIR/release/hyperion" ] || say "The first time takes 5 to 20 minutes, and 3 GB in $CARGO_TARGET_DIR."
  (cd "$ROOT" && cargo build --locked --release -p hyperion)
}

build_loadtest() {
  need_rust
  step "Building the synthetic participants"
  (cd "$ROOT" && cargo build --locked --release -p loadtest)
}

# browser_tests ARGUMENT...: runs Playwright with the built programs.
browser_tests() {
  (cd "$ROOT/e2e" && HYPERION_BINARY="$CARGO_TARGET_DIR/release/hyperion" \
    HYPERION_LOADTEST_BINARY="$CARGO_TARGET_DIR/release/hyperion-loadtest" npm run --silent test -- "$@")
}
