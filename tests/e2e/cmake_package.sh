#!/bin/bash
# SPDX-License-Identifier: MIT
# find_package(BpfAot) as projects use it: installed elsewhere, with Ninja and with make, for this
# machine and for another with a toolchain file, rebuilt when a header changes, and uninstalled.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"
command -v cmake >/dev/null && command -v ninja >/dev/null || skip_all "cmake or ninja is not installed"
cd "$SCRATCH" || exit 1
prefix=$SCRATCH/usr
manifest=$BUILD/install_manifest_bpf-aotc.txt
kept=
[ -e "$manifest" ] && kept=yes

check installs cmake --install "$BUILD" --prefix "$prefix" --component bpf-aotc
[ -z "$kept" ] && mv "$manifest" manifest 2>/dev/null
for file in bin/bpf-aotc share/man/man1/bpf-aotc.1 share/bash-completion/completions/bpf-aotc \
  share/cmake/BpfAot/BpfAotConfig.cmake share/cmake/BpfAot/BpfAotConfigVersion.cmake; do
  check "installs_$(basename $file)" test -s "$prefix/$file"
done
complain_if nothing_installed_names_the_build_folder "$(grep -rlF -- "$BUILD/" "$prefix/share" "$prefix/lib" 2>/dev/null)"
check installed_compiler_finds_its_runtime test -s "$(env -i "$prefix/bin/bpf-aotc" --print-resource-dir)/x86_64-unknown-linux-gnu/minirt.bc"
DESTDIR=$SCRATCH/stage cmake --install "$BUILD" --prefix /opt/aot --component bpf-aotc >/dev/null
[ -z "$kept" ] && rm -f "$manifest"
check destdir_is_respected test -x "$SCRATCH/stage/opt/aot/bin/bpf-aotc"

machine_of() { readelf -h "$1" | sed -n 's/.*Machine: *//p'; }
# project NAME CMAKE_ARGUMENTS…: configures and builds a copy of tests/package
project() {
  local name=$1
  shift
  rm -rf "$name" && mkdir "$name" && cp -r "$SOURCE/tests/package" "$name/source"
  cmake -S "$name/source" -B "$name/build" "$@" >"$name/log" 2>&1 && cmake --build "$name/build" >>"$name/log" 2>&1
}
built() { tail -30 "$1/log"; test -s "$1/build/native.so"; }

for generator in Ninja 'Unix Makefiles'; do
  name=${generator%% *}
  project "$name" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix"
  check "builds_with_$name" built "$name"
  check "image_of_this_machine_with_$name" test "$(machine_of "$name/build/native.so")" = "$(machine_of "$AOTC")"
  for arch in x86_64 aarch64 riscv64; do
    check "image_for_${arch}_with_$name" test -s "$name/build/everywhere-$arch.so"
  done
  check "image_from_an_object_with_$name" test -s "$name/build/from_object.so"
  check "outputs_are_a_property_with_$name" diff "$name/build/outputs" \
    <(for o in native everywhere-x86_64 everywhere-aarch64 everywhere-riscv64; do echo "$SCRATCH/$name/build/$o.so"; done)
  cp "$name/build/everywhere-aarch64.so" aarch64.so
  # No work without a change; a header leads to new images, of all targets that include it.
  sum() { sha256sum "$name/build/native.so" "$name/build/everywhere-riscv64.so" | cut -d' ' -f1; }
  stat -c %y "$name/build/native.so" >before
  sum >sums
  cmake --build "$name/build" >/dev/null 2>&1
  check "no_change_no_work_with_$name" diff before <(stat -c %y "$name/build/native.so")
  sleep 1.1 # make compares whole seconds on some file systems
  sed -i 's/EVENT_OFFSET 1/EVENT_OFFSET 2/' "$name/source/include/event.h"
  cmake --build "$name/build" >"$name/log" 2>&1
  check "header_change_rebuilds_with_$name" test "$(comm -12 <(sort sums) <(sum | sort) | wc -l)" = 0
  sum >sums
  # So does another compiler.
  sleep 1.1
  touch "$prefix/bin/bpf-aotc"
  stat -c %y "$name/build/native.so" >before
  cmake --build "$name/build" >"$name/log" 2>&1
  check "new_compiler_rebuilds_with_$name" bash -c "! diff before <(stat -c %y '$name/build/native.so') >/dev/null"
  check "rebuilt_image_is_the_same_with_$name" diff sums <(sum)
done
check installs_images cmake --install Ninja/build --prefix "$SCRATCH/out"
check installed_image test -s "$SCRATCH/out/lib/probes/native.so"
check paths_of_the_project_are_not_in_images bash -c "! grep -qaF '$SCRATCH' Ninja/build/native.so"

# Versions: the same major version, and not more than there is.
mkdir version
for wanted in 0.1 0.0.1 1.0 0.99; do
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(v NONE)\nfind_package(BpfAot %s REQUIRED)\n' $wanted >version/CMakeLists.txt
  rm -rf version/b
  cmake -S version -B version/b -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1
  found=$?
  case $wanted in 0.1 | 0.0.1) check "version_${wanted}_is_found" test $found -eq 0 ;; *) check "version_${wanted}_is_not_found" test $found -ne 0 ;; esac
done

# Cross-compiling: the compiler of the machine that builds, never the one in the target's system root,
# which here leaves a mark when it is run.
if command -v aarch64-linux-gnu-gcc >/dev/null; then
  project cross -G Ninja -DCMAKE_TOOLCHAIN_FILE="$SOURCE/cmake/toolchain-aarch64.cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH
  check cross_builds built cross
  check cross_image_is_of_the_target test "$(machine_of cross/build/native.so)" = AArch64
  check cross_image_is_that_of_a_native_build cmp cross/build/everywhere-aarch64.so aarch64.so

  root=$SCRATCH/sysroot
  mkdir -p "$root" && cp -r "$prefix" "$root/usr"
  printf '#!/bin/sh\ntouch %s/target-tool-was-run\n' "$SCRATCH" >"$root/usr/bin/bpf-aotc"
  printf 'set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR aarch64)\nset(CMAKE_C_COMPILER %s)\nset(CMAKE_FIND_ROOT_PATH %s /usr/aarch64-linux-gnu)\nset(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM ONLY)\nset(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)\n' \
    "$(command -v aarch64-linux-gnu-gcc)" "$root" >toolchain.cmake
  project missing -G Ninja -DCMAKE_TOOLCHAIN_FILE="$SCRATCH/toolchain.cmake" -DCMAKE_MAKE_PROGRAM="$(command -v ninja)"
  check cross_without_a_host_tool_stops test ! -e missing/build/native.so
  check cross_without_a_host_tool_says_what_to_do grep -q 'BPF_AOTC_EXECUTABLE' missing/log
  project given -G Ninja -DCMAKE_TOOLCHAIN_FILE="$SCRATCH/toolchain.cmake" -DCMAKE_MAKE_PROGRAM="$(command -v ninja)" -DBPF_AOTC_EXECUTABLE="$prefix/bin/bpf-aotc"
  check cross_with_a_given_tool_builds built given
  PATH=$prefix/bin:$PATH project path -G Ninja -DCMAKE_TOOLCHAIN_FILE="$SCRATCH/toolchain.cmake" -DCMAKE_MAKE_PROGRAM="$(command -v ninja)"
  check cross_with_a_tool_on_the_path_builds built path
  project wrong -G Ninja -DCMAKE_TOOLCHAIN_FILE="$SCRATCH/toolchain.cmake" -DCMAKE_MAKE_PROGRAM="$(command -v ninja)" -DBPF_AOTC_EXECUTABLE="$root/usr/bin/bpf-aotc"
  check cross_with_the_tool_of_the_target_stops test ! -e wrong/build/native.so
  check tool_of_the_target_is_never_run test ! -e target-tool-was-run
else
  skip cross "no compiler for aarch64"
fi

# Uninstalling takes everything back.
if [ -s manifest ]; then
  mkdir uninstall && cp manifest uninstall/install_manifest_bpf-aotc.txt
  check uninstalls cmake -DFOLDER="$SCRATCH/uninstall" -P "$SOURCE/cmake/uninstall.cmake"
  complain_if uninstalling_leaves_no_file "$(find "$prefix" -type f)"
else
  skip uninstall "somebody installs from this build folder"
fi
finish
