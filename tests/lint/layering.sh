#!/bin/bash
# SPDX-License-Identifier: MIT
# Reads every `#include "room/…"` and every USES of a room against layers.txt, and checks that each
# third-party library has one door.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$SOURCE" || exit 1
layers=tests/lint/layers.txt

# allowed ROOM HEADER: may files of ROOM include HEADER?
allowed() {
  local room=$1 header=$2 entry rest
  local other=${header%%/*}
  [ "$other" = bpfaot ] && other=include
  [ "$room" = "$other" ] && return 0
  rest=$(sed -n "s/^$room: *//p" "$layers")
  for entry in $rest; do
    [ "$entry" = "$other" ] && return 0
    entry=${entry//ARCH/[a-z0-9_]*}
    # shellcheck disable=SC2053
    [[ $header == $entry ]] && return 0
  done
  return 1
}

rooms=$(sed -n 's/^\([a-z]*\):.*/\1/p' "$layers")
known=" $(printf '%s ' $rooms)bpfaot "

for room in $rooms; do
  wrong=
  while IFS=: read -r file line text; do
    header=$(sed 's/.*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/' <<<"$text")
    case $header in
    */*) ;;
    # The machine that minirt and the preload library are compiled for is chosen by the include path.
    rt_arch.h) [[ $file == minirt/* || $file == loader/preload/* ]] && continue ;;&
    *) wrong+="$file:$line: write \"$header\" from the repository root"$'\n'; continue ;;
    esac
    case $known in *" ${header%%/*} "*) ;; *) continue ;; esac
    allowed "$room" "$header" || wrong+="$file:$line: $room/ may not include $header"$'\n'
  done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$room" \
    --include='*.cpp' --include='*.h' --include='*.c' --include='*.S' --include='*.def')
  complain_if "includes_of_$room" "$wrong"
done

# The same table for CMake: bpfaot_room(NAME … USES a b …).
for room in $rooms; do
  [ -f "$room/CMakeLists.txt" ] || continue
  wrong=
  uses=$(tr '\n' ' ' <"$room/CMakeLists.txt" |
    sed -n "s/.*bpfaot_room($room [^)]*USES \([^)]*\)).*/\1/p" | sed 's/LIBRARIES.*//; s/SOURCES.*//')
  for used in $uses; do
    # Libraries that are a part of a room.
    case $used in
    patch) used=targets ;;
    minirt_native) [ "$room" = loader ] && continue ;;
    esac
    allowed "$room" "$used/x.h" || wrong+="$room/CMakeLists.txt: $room may not use $used"$'\n'
  done
  complain_if "cmake_uses_of_$room" "$wrong"
done

# door NAME PATTERN PLACES…: only files that match one of PLACES (globs) may include PATTERN.
door() {
  local name=$1 pattern=$2 file place ok wrong=
  shift 2
  for file in $(grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($pattern)" $rooms \
    --include='*.cpp' --include='*.h' --include='*.c'); do
    ok=
    for place in "$@"; do
      # shellcheck disable=SC2053
      [[ $file == $place ]] && ok=1
    done
    [ -n "$ok" ] || wrong+="$file includes $name"$'\n'
  done
  complain_if "door_of_$name" "$wrong"
}
# count_door NAME PATTERN N: at most N files include PATTERN.
count_door() {
  local files
  files=$(grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($2)" $rooms \
    --include='*.cpp' --include='*.h' --include='*.c')
  if [ "$(printf '%s' "$files" | grep -c .)" -le "$3" ]; then
    pass "one_door_for_$1"
  else
    fail "one_door_for_$1" "at most $3: $files"
  fi
}
door llvm 'llvm/' 'aotc/*' 'linker/lld.cpp'
door lld 'lld/' 'linker/*.cpp'
door libelf 'libelf\.h|gelf\.h' 'bpf/*.cpp'
door libbpf 'bpf/(libbpf|btf|bpf)\.h' 'bpf/*.cpp'
door capstone 'capstone/' 'loader/*.cpp'
count_door lld 'lld/' 1
count_door libelf 'libelf\.h|gelf\.h' 1
count_door libbpf 'bpf/(libbpf|btf|bpf)\.h' 1
count_door capstone 'capstone/' 1
finish
