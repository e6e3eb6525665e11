#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# random_programs.pl SEED COUNT: eBPF assembly of COUNT programs p0, p1, … in SEC("syscall"): every
# arithmetic, move, byte order, load, store, atomic and jump instruction up to -mcpu=v4, on registers,
# 32 bytes of context and 64 bytes of stack. The result is a hash of all registers and the stack.
use strict;
use warnings;

my ($seed, $count) = @ARGV;
srand $seed;

my @constants = (0, 1, -1, 2, 7, 31, 32, 63, 127, 128, 255, 256, -128, 32767, -32768, 65535, 0x7fffffff, -0x7fffffff - 1, 0x12345678);
sub pick { $_[int rand @_] }
sub reg { int rand 6 }
sub constant { rand() < 0.6 ? pick(@constants) : int(rand 2**32) - 2**31 }
sub nonzero { constant() || 3 }
sub slot { my $size = shift; -$size * (1 + int rand(64 / $size)) }
sub at { my $off = shift; sprintf "r10 %s %d", $off < 0 ? '-' : '+', abs $off }

my $label;
my %size = (8 => 'u8', 16 => 'u16', 32 => 'u32', 64 => 'u64');

# One random instruction. $wide: 64-bit registers.
sub instruction {
  my $wide = rand() < 0.55;
  my ($d, $s) = (reg(), reg());
  my ($rd, $rs) = $wide ? ("r$d", "r$s") : ("w$d", "w$s");
  my $width = $wide ? 64 : 32;
  my $kind = int rand 20;
  return sprintf "%s %s %s", $rd, pick('+=', '-=', '*=', '&=', '|=', '^='), rand() < 0.5 ? $rs : constant() if $kind < 5;
  return "$rd " . pick('/=', '%=', 's/=', 's%=') . ' ' . (rand() < 0.6 ? $rs : nonzero()) if $kind < 7;
  return "$rd " . pick('<<=', '>>=', 's>>=') . ' ' . (rand() < 0.5 ? $rs : int rand $width) if $kind < 9;
  return "$rd = " . (rand() < 0.5 ? $rs : constant()) if $kind == 9;
  return "$rd = (" . pick($wide ? qw(s8 s16 s32) : qw(s8 s16)) . ")$rs" if $kind == 10;
  return "$rd = -$rd" if $kind == 11;
  return "r$d = " . pick('bswap', 'be', 'le') . pick(16, 32, 64) . " r$d" if $kind == 12;
  return sprintf "r%d = 0x%x%08x ll", $d, int rand 2**32, int rand 2**32 if $kind == 13;
  if ($kind == 14) { # stores
    my $bits = pick(8, 16, 32, 64);
    my $value = rand() < 0.7 ? ($bits == 64 ? "r$s" : "w$s") : ($bits == 64 ? constant() : int rand 100);
    return "*($size{$bits} *)(" . at(slot($bits / 8)) . ") = $value";
  }
  if ($kind == 15 || $kind == 16) { # loads, from the stack or the context, signed or not
    my $bits = pick(8, 16, 32, 64);
    my $type = $bits < 64 && rand() < 0.5 ? "s$bits" : $size{$bits};
    my $from = rand() < 0.7 ? at(slot($bits / 8)) : sprintf("r6 + %d", $bits / 8 * int rand(256 / $bits));
    return ($bits == 64 || $type =~ /^s/ ? "r$d" : "w$d") . " = *($type *)($from)";
  }
  if ($kind == 17) { # atomics
    my $bits = pick(32, 64);
    my ($x, $type) = ($bits == 64 ? "r$s" : "w$s", "u$bits");
    my $where = at(slot($bits / 8));
    my $op = pick(qw(add and or xor));
    return "lock *($type *)($where) " . { add => '+=', and => '&=', or => '|=', xor => '^=' }->{$op} . " $x" if rand() < 0.3;
    return "$x = atomic_fetch_$op(($type *)($where), $x)" if rand() < 0.5;
    return $bits == 64 ? "$x = xchg_64($where, $x)" : "$x = xchg32_32($where, $x)" if rand() < 0.5;
    return $bits == 64 ? "r0 = cmpxchg_64($where, r0, $x)" : "w0 = cmpxchg32_32($where, w0, $x)";
  }
  my $other = rand() < 0.5 ? $rs : constant(); # a jump over a few instructions
  my $name = 'L' . $label++;
  my $jump = "if $rd " . pick('==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&') . " $other goto ";
  if (rand() < 0.2) { # an unconditional jump, with what it skips reachable
    my $over = 'L' . $label++;
    $jump .= "$over\n\t" . pick('goto', 'gotol') . " $name\n$over:";
  } else {
    $jump .= $name;
  }
  return [$jump, $name, 1 + int rand 4];
}

print "\t.section syscall,\"ax\",\@progbits\n";
for my $p (0 .. $count - 1) {
  $label = $p * 1000;
  my (@pending, $jumps);
  print "\t.globl p$p\n\t.type p$p,\@function\np$p:\n\tr6 = r1\n";
  printf "\tr%d = *(u64 *)(r6 + %d)\n", $_, 8 * ($_ % 4) for 0 .. 5;
  printf "\tr4 ^= %d\n\tr5 *= %d\n", constant(), nonzero();
  printf "\t*(u64 *)(r10 - %d) = r%d\n", 8 * ($_ + 1), $_ % 6 for 0 .. 7;
  my $length = 30 + int rand 60;
  for (1 .. $length) {
    my $insn = instruction();
    if (ref $insn) {
      next if $jumps++ >= 5;
      print "\t$insn->[0]\n";
      push @pending, [$insn->[1], $insn->[2]];
      next;
    }
    print "\t$insn\n";
    --$_->[1] for @pending;
    print "$_->[0]:\n" for grep { $_->[1] <= 0 } @pending;
    @pending = grep { $_->[1] > 0 } @pending;
  }
  print "$_->[0]:\n" for @pending;
  for my $r (1 .. 5) { print "\tr0 *= 31\n\tr0 ^= r$r\n"; }
  for my $s (1 .. 8) { printf "\tr1 = *(u64 *)(r10 - %d)\n\tr0 *= 37\n\tr0 += r1\n", 8 * $s; }
  print "\tr1 = r0\n\tr1 >>= 32\n\tr0 ^= r1\n\texit\n\t.size p$p, . - p$p\n";
}
print "\t.section license,\"aw\",\@progbits\n\t.globl LICENSE\nLICENSE:\n\t.asciz \"GPL\"\n\t.size LICENSE, 4\n";
