# SPDX-License-Identifier: MIT
# For real-*.test: the objects inside the Debian tools, unmodified, and the kernel as oracle.
need jq perl

# carve TOOL: the eBPF object that /usr/sbin/TOOL carries -> $tmp/TOOL.bpf.o, compiled to $tmp/TOOL.so
carve() {
  local tool=/usr/sbin/$1
  [ -x "$tool" ] || skip "$tool is not installed"
  perl -e 'local $/; open my $f, "<:raw", $ARGV[0] or die; my $d = <$f>; my $at = -1;
    while (($at = index($d, "\x7fELF\x02\x01", $at + 1)) >= 0) {
      next if unpack("v", substr($d, $at + 18, 2)) != 247;
      my ($headers) = unpack("Q<", substr($d, $at + 40, 8));
      my ($size, $count) = unpack("vv", substr($d, $at + 58, 4));
      binmode STDOUT; print substr($d, $at, $headers + $size * $count); exit 0;
    }
    exit 1' "$tool" >"$tmp/$1.bpf.o" || fail "no eBPF object in $tool"
  aotc "$tmp/$1.bpf.o" -o "$tmp/$1.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc refuses the object of $1 (status $?)"
}
# Builds the oracle; have_kernel is 1 when it works here.
gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
libc=$(ldd /usr/bin/perl | awk '$1 == "libc.so.6" { print $3 }')
libc=$(readlink -f "$libc")

# kernel ARGS…: the same through the kernel: $tmp/kernel.txt; 77 when it refuses
kernel() { timeout -k 2 60 "$tmp/kernel_oracle" uprobe "$@" >"$tmp/kernel.txt" 2>"$tmp/kernel.err"; }
kernel_says() { sed -n 's/^SKIP: //p' "$tmp/kernel.txt"; }
# hex_text OFFSET: of "event MAP HEX" lines, the text that begins at byte OFFSET
hex_text() { perl -ne 'BEGIN { $at = shift } next unless /^event \S+ (\S+)/; my $b = substr(pack("H*", $1), $at); $b =~ s/\0.*//s; print "$b\n"' "$1" "$tmp/kernel.txt"; }
