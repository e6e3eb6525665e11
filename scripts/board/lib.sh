# SPDX-License-Identifier: MIT
# For the board scripts: what one is for each machine, its packages, a musl compiler, and a run of
# qemu that cannot outlive the script. Sourced, behind scripts/lib.sh.
#
# Packages of the other machine come as files, through apt, from the archive that this machine is
# configured for. They are unpacked below build/ and never installed; dpkg's architectures stay as
# they are. Debian 12 has no riscv64, Debian 13 has, so both boards are of the latter.

board_suite=trixie

# board_use MACHINE: sets board_* for it.
board_use() {
  board_machine=$1
  board=$BUILD/board/$board_machine
  board_cc=$board_machine-linux-gnu-gcc
  board_qemu=(qemu-system-"$board_machine" -machine virt -smp 2 -m 512 -nic none)
  case $board_machine in
  aarch64)
    board_debian=arm64 board_kernel=linux-image-cloud-arm64 board_console=ttyAMA0
    # Everything that qemu knows, pointer authentication and branch targets among it; the fast one
    # of its two signing functions.
    board_qemu+=(-cpu max,pauth-impdef=on)
    ;;
  riscv64)
    board_debian=riscv64 board_kernel=linux-image-riscv64 board_console=ttyS0
    ;;
  *) die "no board for '$board_machine': aarch64 or riscv64" ;;
  esac
  board_musl=$board/files/usr/lib/$board_machine-linux-musl
  board_interpreter=/lib/ld-musl-$board_machine.so.1
}

# board_lack WHY…: a board needs something that cannot be had here.
board_lack() {
  printf 'SKIP: %s\n' "$*"
  exit 77
}

board_need() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || board_lack "$command is not installed"
  done
}

# Leaves $board/kernel and $board/files (the packages' files). Does nothing when they are there.
board_fetch() {
  board_need apt-get dpkg-deb flock
  mkdir -p "$board"
  exec 9>"$board/lock"
  flock 9
  [ -e "$board/complete" ] || board_fetch_anew
  exec 9>&-
}

board_fetch_anew() {
  local site work=$board/apt log=$board/fetch.log keys=/usr/share/keyrings/debian-archive-keyring.gpg signed=
  rm -rf "$work" "$board/files"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$board/files"
  : >"$work/status"
  # Where this machine has the component "main" of Debian itself from.
  site=$(apt-get indextargets --format '$(SITE) $(ORIGIN) $(LABEL) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
  [ -n "$site" ] || board_lack "apt has no Debian archive configured, or no lists of it (apt-get update)"
  [ ! -e "$keys" ] || signed="[signed-by=$keys] "
  printf 'deb %s%s %s main\n' "$signed" "$site" "$board_suite" >"$work/archive"
  local apt=(-q -o "APT::Architecture=$board_debian" -o "APT::Architectures=$board_debian"
    -o "Dir::Etc::SourceList=$work/archive" -o Dir::Etc::SourceParts=- -o Dir::Etc::Preferences=-
    -o Dir::Etc::PreferencesParts=- -o "Dir::State=$work" -o "Dir::State::Lists=$work/lists"
    -o "Dir::State::Status=$work/status" -o "Dir::Cache=$work/cache" -o Acquire::Languages=none
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=)
  say "board: fetching packages of $board_suite for $board_debian (kernel, busybox, musl)"
  timeout -k 5 40 apt-get "${apt[@]}" update >"$log" 2>&1 && ! grep -q '^[WE]: .*[Ff]ailed' "$log" ||
    board_lack "the package lists of $board_suite for $board_debian cannot be fetched: $(grep '^[WE]:' "$log" | head -n 1)"
  local kernel
  kernel=$(apt-cache "${apt[@]}" depends "$board_kernel" 2>>"$log" | awk '$1 == "Depends:" && /linux-image/ { print $2; exit }')
  [ -n "$kernel" ] || board_lack "$board_suite has no $board_kernel for $board_debian"
  (cd "$work/debs" && timeout -k 5 "${BPFAOT_FETCH_SECONDS:-300}" apt-get "${apt[@]}" download "$kernel" busybox-static musl musl-dev) >>"$log" 2>&1 ||
    board_lack "packages of $board_suite for $board_debian cannot be fetched: $(grep '^[WE]:' "$log" | head -n 1)"
  local package
  for package in "$work"/debs/*.deb; do
    case $package in
    */linux-image*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$board/files" --wildcards './boot/vmlinu*' ;;
    *) dpkg-deb -x "$package" "$board/files" ;;
    esac
  done
  mv "$board"/files/boot/vmlinu* "$board/kernel"
  rm -rf "$work"
  touch "$board/complete"
}

# board_musl_cc static|dynamic IN.c OUT: with musl's headers, start files and library only. libgcc
# has what the processor lacks (arithmetic of long double, in printf). lld links, because ld of
# Debian 12 does not survive the riscv64 objects of Debian 13.
board_musl_cc() {
  local form=$1 input=$2 output=$3 start=Scrt1.o libgcc
  libgcc=$("$board_cc" -print-libgcc-file-name)
  local link=(-pie --dynamic-linker "$board_interpreter")
  [ "$form" = dynamic ] || link=(-static) start=crt1.o
  "$board_cc" -g -O2 -fPIE -fno-stack-protector -nostdinc -isystem "$board/files/usr/include/$board_machine-linux-musl" \
    -isystem "$(dirname "$libgcc")/include" -c "$input" -o "$output.o"
  ld.lld-19 "${link[@]}" -z relro -z now --eh-frame-hdr "$board_musl/$start" "$board_musl/crti.o" "$output.o" \
    -L "$board_musl" --start-group -lc "$libgcc" --end-group "$board_musl/crtn.o" -o "$output"
  rm -f "$output.o"
}

# board_files FOLDER: what every board holds: busybox as its shell, the static bpf-aot, musl's library
# and an ordinary user. What runs on it is FOLDER/board/run, for at most FOLDER/board/seconds.
board_files() {
  local folder=$1
  mkdir -p "$folder"/{bin,board,dev,etc,lib,proc,sys,tmp}
  "$board_machine-linux-gnu-strip" -o "$folder/bin/bpf-aot" "$BUILD/lib/bpf-aot/$board_machine/bpf-aot"
  cp "$board/files/usr/bin/busybox" "$folder/bin/busybox"
  cp "$board_musl/libc.so" "$folder$board_interpreter"
  cp "$REPO/scripts/board/init" "$folder/init"
  printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' >"$folder/etc/passwd"
  printf 'root:x:0:\nuser:x:1000:\n' >"$folder/etc/group"
  echo 110 >"$folder/board/seconds"
}

# board_boot FOLDER SECONDS: boots with the files below FOLDER, all owned by root. What the board says
# from its init on goes to standard output (firmware before it only when that never came). Its last
# words are "board: status N", which is the status here; 124 when it does not get there in time.
board_boot() {
  local folder=$1 seconds=$2 image=$1.cpio.gz said=$1.console status
  (cd "$folder" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$image"
  # In the foreground, so that an interrupt reaches qemu too.
  timeout --foreground -k 2 "$seconds" "${board_qemu[@]}" -kernel "$board/kernel" -initrd "$image" \
    -append "console=$board_console quiet loglevel=1 panic=-1" -no-reboot \
    -display none -monitor none -serial stdio </dev/null 2>&1 | stdbuf -o0 tr -d '\r' | tee "$said" |
    sed -u '1,/^board: begins$/d'
  rm -f "$image"
  grep -q '^board: begins$' "$said" || cat "$said"
  status=$(sed -n 's/^board: status \([0-9]*\)$/\1/p' "$said" | tail -n 1)
  return "${status:-124}"
}
