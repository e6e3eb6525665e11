#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# make_seeds.pl SEEDS CONFORMANCE: what the smaller fuzzers start from, cut out of the objects in
# SEEDS/object, the programs in SEEDS/plan and the table of conformance cases.
use strict;
use warnings;

my ($seeds, $conformance) = @ARGV;

sub write_seed {
  my ($name, $bytes) = @_;
  open my $out, '>:raw', "$seeds/$name" or die "$seeds/$name: $!";
  print $out $bytes;
  close $out;
}

sub read_file {
  open my $in, '<:raw', $_[0] or die "$_[0]: $!";
  local $/;
  return <$in>;
}

# [type, flags, address, offset, size, link, entry size] of each section.
sub sections {
  my ($bytes) = @_;
  my ($table, $count) = (unpack('Q<', substr($bytes, 40, 8)), unpack('v', substr($bytes, 60, 2)));
  return map { [(unpack('V V Q< Q< Q< Q< V V Q< Q<', substr($bytes, $table + $_ * 64, 64)))[1 .. 6, 9]] } 0 .. $count - 1;
}

mkdir "$seeds/$_" for qw(insn code text maps);

for my $file (glob "$seeds/object/*.o") {
  my $bytes = read_file($file);
  next if substr($bytes, 0, 6) ne "\x7fELF\2\1";
  my ($base) = $file =~ m{([^/]+)$};
  my $i = 0;
  for my $section (sections($bytes)) {
    ++$i;
    my ($type, $flags, undef, $offset, $size) = @$section;
    next if $type != 1 || !($flags & 4) || $size == 0 || $size > 4088;
    write_seed("insn/$base-$i", "\0" . substr($bytes, $offset, $size));
  }
}

open my $table, '<', $conformance or die "$conformance: $!";
while (<$table>) {
  next if /^#/;
  my ($name, undef, $code) = split /\t/;
  next unless defined $code && $code =~ /^[0-9a-f ]+$/;
  $code =~ s/ //g;
  $name =~ s/[^A-Za-z0-9_]/_/g;
  write_seed("insn/case-$name", "\1" . pack('H*', $code));
}

my %number = ('x86_64' => 0, 'aarch64' => 1, 'riscv64' => 2);
for my $file (glob "$seeds/plan/*-pie $seeds/plan/*-shared") {
  my $bytes = read_file($file);
  my ($base, $machine) = $file =~ m{(([^/-]+)-[^/]+)$};
  my @sections = sections($bytes);
  for my $section (@sections) {
    my ($type, undef, undef, $offset, $size, undef, undef) = @$section;
    next if $type != 2;
    for (my $at = 24; $at < $size; $at += 24) {
      my (undef, $info, undef, $index, $value, $length) = unpack('V C C v Q< Q<', substr($bytes, $offset + $at, 24));
      next if ($info & 15) != 2 || $index >= @sections || $length == 0;
      my $from = $value - $sections[$index][2] + $sections[$index][3];
      write_seed(sprintf('code/%s-%x', $base, $value),
                 pack('C8 Q< Q< Q<', $number{$machine}, 2, $length & 255, 0, 0, 1, 0, 0, $value, 93824992936960, 5) .
                   substr($bytes, $from, $length + 32));
    }
  }
}

write_seed('text/record', "\0" . <<'RECORD');
bpfaot-session 1
id 3
loader 10 20
target 11 21
fds 3 4 5
sizes 4096 8192
image a.so
patches 1
patch 4198400 f30f1efa55 e900001000
end
RECORD
write_seed('text/maps', "\1" . <<'MAPS');
555555554000-555555556000 r-xp 00001000 08:01 1234 /usr/bin/true (deleted)
7ffff7fc1000-7ffff7fc3000 rw-p 00000000 00:00 0
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]
MAPS
write_seed('text/spec', "\2p=uretprobe:/usr/lib/libc.so.6:malloc+0x10");
write_seed('text/map', "\3counts:max_entries=64,value_size=8");
write_seed('text/setting', "\4name=0x10");
write_seed("maps/$_", join '', map { pack('C C V C C', $_, $_ * 7 % 16, $_ * 3, $_, 1) x 3 } 0 .. 15, $_) for 0 .. 15;
