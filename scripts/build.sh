#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what is missing and builds a release into build/, which leaves build/bin/bpf-aotc and
# build/bin/bpf-aot. Tests are built when BPFAOT_TESTS=ON. Arguments go to cmake's configure step.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$REPO/scripts/install-packages.sh"

# A build folder made by another generator, or copied from elsewhere, cannot be reused.
cache=$BUILD/CMakeCache.txt
if [ -f "$cache" ] && ! { grep -qx 'CMAKE_GENERATOR:INTERNAL=Ninja' "$cache" &&
    grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$REPO" "$cache"; }; then
  say "build: $BUILD was configured differently; configuring anew"
  rm -rf "$cache" "$BUILD/CMakeFiles"
fi

say "build: configuring in $BUILD"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake -S "$REPO" -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DBPFAOT_BUILD_TESTS="${BPFAOT_TESTS:-OFF}" "$@" >"$log" 2>&1 || {
  cat "$log" >&2
  die "configuring failed"
}

say "build: compiling"
NINJA_STATUS='    [%f/%t, %es] ' ninja -C "$BUILD"
for tool in bpf-aotc bpf-aot; do
  [ -x "$BUILD/bin/$tool" ] || die "the build did not make $BUILD/bin/$tool"
  say "build: $BUILD/bin/$tool"
done
