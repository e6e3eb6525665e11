// SPDX-License-Identifier: MIT
//
// Generated riscv64 trampolines at work, on this program's own functions. What must hold: programs see
// the registers of the probed place, each hit is one run, and the probed code sees no difference. Run
// by an emulator or on the machine; says what failed and exits 1.
#include "tests/patch/riscv64/rig.h"

#include <pthread.h>
#include <setjmp.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

using namespace rig;
namespace riscv64 = bpfaot::targets::riscv64;

extern "C" void call_with(uint64_t code, const uint64_t* in, uint64_t* out);
extern "C" void v_callee();
extern "C" uint64_t v_recursive(uint64_t);
extern "C" uint64_t v_data;

namespace {

constexpr int kWords = 64; // x0 to x31, f0 to f31

struct Case {
  const char* name;
  uint64_t a3 = 3, a4 = 4;
  const char* gap_refusal = ""; // of a short jump; empty = goes
  const char* refusal = "";     // of a long one
  unsigned modes = kEntry | kReturn;
};

void fill(uint64_t* in, const Case& c) {
  for (int i = 0; i < 32; ++i) {
    in[i] = 0x0101010101010101ull * static_cast<uint64_t>(i) + 0x8000000000000000ull * (i & 1);
    const double value = i * 1.25;
    std::memcpy(&in[32 + i], &value, 8);
  }
  in[riscv64::a3] = c.a3;
  in[riscv64::a4] = c.a4;
}

// Every register after the call, but the temporaries that jumps pass through.
void compare(const uint64_t* plain, const uint64_t* probed, const bpfaot::targets::Scratch& scratch, const std::string& subject) {
  for (int i = 1; i < kWords; ++i) {
    if (i == riscv64::sp || i == scratch.in || i == scratch.out) {
      continue;
    }
    CHECK(plain[i] == probed[i], subject + ": register " + std::to_string(i));
  }
}

void run_case(const Case& c, unsigned mode, bool gap) {
  const std::string subject = std::string(c.name) + (gap ? " through a gap, mode " : ", mode ") + std::to_string(mode);
  const Function function = find(c.name);
  uint64_t in[kWords], plain[kWords], probed[kWords];
  fill(in, c);
  call_with(function.address, in, plain);
  const Probe probe(function, 0, mode, gap);
  const std::string expected = gap ? c.gap_refusal : c.refusal;
  CHECK(probe.refusal() == expected, subject + ": " + probe.refusal());
  if (!probe.planted()) {
    return;
  }
  g_seen.clear();
  call_with(function.address, in, probed);
  compare(plain, probed, probe.cover().scratch, subject);
  const bool entry = (mode & kEntry) != 0, returns = (mode & kReturn) != 0;
  CHECK(g_seen.size() == size_t{entry} + size_t{returns}, subject);
  CHECK(depth() == 0, subject);
  if (g_seen.size() != size_t{entry} + size_t{returns}) {
    return;
  }
  if (entry) {
    const Seen& seen = g_seen.front();
    CHECK(seen.site == kEntrySite, subject);
    CHECK(seen.ctx[0] == function.address, subject);
    for (int i = riscv64::t0; i < 32; ++i) {
      CHECK(i == probe.cover().scratch.in || seen.ctx[i] == in[i], subject + ": slot " + std::to_string(i));
    }
    CHECK(seen.ctx[riscv64::ra] == plain[riscv64::ra] || std::strstr(c.name, "millicode") || std::strstr(c.name, "tail"), subject);
  }
  if (returns) {
    const Seen& seen = g_seen.back();
    CHECK(seen.site == kReturnSite, subject);
    CHECK(seen.ctx[0] == seen.ctx[riscv64::ra], subject);
    CHECK(!entry || seen.ctx[0] == g_seen.front().ctx[riscv64::ra], subject);
    CHECK(!entry || seen.ctx[riscv64::sp] == g_seen.front().ctx[riscv64::sp], subject);
    for (int i = riscv64::t0; i < 32; ++i) {
      CHECK(i == probe.cover().scratch.in || i == probe.cover().scratch.out || seen.ctx[i] == plain[i], subject + ": slot " + std::to_string(i));
    }
  }
}

void every_instruction_at_the_entry() {
  const uint64_t callee = reinterpret_cast<uint64_t>(&v_callee);
  const Case cases[] = {
      {"v_prologue"}, {"v_four_byte_insns"}, {"v_address"}, {"v_address_split"}, {"v_jump", 3, 4, "", "attach-short"}, {"v_short_jump"},
      {"v_beq", 3, 3}, {"v_beq", 3, 4}, {"v_bne", 3, 3}, {"v_bne", 3, 4}, {"v_blt", 3, 4}, {"v_blt", 4, 3},
      {"v_bge", 3, 4}, {"v_bge", 4, 3}, {"v_bltu", ~0ull, 1}, {"v_bltu", 1, ~0ull}, {"v_bgeu", ~0ull, 1}, {"v_bgeu", 1, ~0ull},
      {"v_beqz", 0}, {"v_beqz", 1}, {"v_bnez", 0}, {"v_bnez", 1}, {"v_call"}, {"v_call_far"}, {"v_call_indirect", 3, callee},
      {"v_millicode", 3, 4, "", "attach-branch"}, {"v_millicode_far"}, {"v_tail_indirect", 3, find("v_prologue").address}, {"v_syscall"},
      {"v_floating"}, {"v_atomic"}, {"v_return_only"}, {"v_landing_pad"}, {"v_temporaries"}, {"v_tail_call"},
      {"v_reserved", 3, 4, "attach-move", "attach-move"},
  };
  for (const Case& c : cases) {
    for (unsigned mode = kEntry; mode <= (kEntry | kReturn); ++mode) {
      if (std::strstr(c.name, "v_reserved") == nullptr) {
        run_case(c, mode, false);
        run_case(c, mode, true);
      } else {
        const Probe probe(find(c.name), 0, mode, false);
        CHECK(probe.refusal() == c.refusal, c.name);
      }
    }
  }
}

void probes_in_the_middle() {
  const Function function = find("v_long");
  const Case c{"v_long"};
  uint64_t in[kWords], plain[kWords], probed[kWords];
  fill(in, c);
  call_with(function.address, in, plain);
  int planted = 0, declined = 0;
  for (const bool gap : {false, true}) {
    for (uint64_t at = 0; at < function.size;) {
      const std::span<const uint8_t> rest(reinterpret_cast<const uint8_t*>(function.address + at), 4);
      const uint64_t length = riscv64::decode(rest, 0)->length;
      const std::string subject = "v_long+" + std::to_string(at) + (gap ? " through a gap" : "");
      const Probe probe(function, at, kEntry, gap);
      at += length;
      if (!probe.planted()) {
        ++declined;
        continue;
      }
      ++planted;
      g_seen.clear();
      call_with(function.address, in, probed);
      // What is in the jumps' registers before they are written is nothing; behind the function as well.
      compare(plain, probed, probe.cover().scratch, subject);
      CHECK(g_seen.size() == (subject.starts_with("v_long+" + std::to_string(function.size)) ? 0 : g_seen.size()), subject);
      CHECK(g_seen.size() <= 1, subject);
      CHECK(g_seen.empty() || g_seen[0].ctx[0] == function.address + at - length, subject);
    }
  }
  std::printf("middle: %d planted, %d declined\n", planted, declined);
  CHECK(planted > 40, "v_long");
}

void recursion() {
  const Function function = find("v_recursive");
  const Probe probe(function, 0, kEntry | kReturn);
  g_seen.clear();
  CHECK(v_recursive(20) == 210, probe.refusal());
  CHECK(g_seen.size() == 42, "recursion");
  for (uint64_t i = 0; i <= 20 && g_seen.size() == 42; ++i) {
    CHECK(g_seen[i].ctx[riscv64::a0] == 20 - i, "recursion");
    CHECK(g_seen[21 + i].ctx[riscv64::a0] == i * (i + 1) / 2, "recursion");
  }
}

void beyond_the_table() {
  const Probe probe(find("v_recursive"), 0, kReturn);
  const uint64_t before = process().missed_returns;
  g_seen.clear();
  CHECK(v_recursive(1999) == 1999u * 2000 / 2, "beyond the table");
  CHECK(g_seen.size() == BPFAOT_FRAMES, "beyond the table");
  CHECK(process().missed_returns - before == 2000 - BPFAOT_FRAMES, "beyond the table");
  g_seen.clear();
  CHECK(v_recursive(5) == 15, "beyond the table");
  CHECK(g_seen.size() == 6, "beyond the table");
}

void disarmed() {
  const Probe probe(find("v_recursive"), 0, kEntry | kReturn);
  arena().armed = BPFAOT_DISARMED | 1234;
  g_seen.clear();
  CHECK(v_recursive(20) == 210, "disarmed");
  CHECK(g_seen.empty(), "disarmed");
  CHECK(depth() == 0, "disarmed");
  arena().armed = 1234 | 0x80000000u;
  CHECK(v_recursive(20) == 210, "armed by somebody with waiters");
  CHECK(g_seen.size() == 42, "armed by somebody with waiters");
  arena().armed = 0;
}

struct Large {
  long values[6];
};
struct Pair {
  long first, second;
};

} // namespace

extern "C" {
[[gnu::noinline]] long many_arguments(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}
[[gnu::noinline]] Large large_result(long a) { return {{a, a + 1, a + 2, a + 3, a + 4, a + 5}}; }
[[gnu::noinline]] Pair pair_result(long a) { return {a * 3, a * 5}; }
[[gnu::noinline]] double floating(double a, float b, long c) { return a * static_cast<double>(b) + static_cast<double>(c); }
[[gnu::noinline]] int leaves(jmp_buf* to, int depth) {
  volatile int local = depth;
  if (local == 0) {
    longjmp(*to, 1);
  }
  return local < 100 ? leaves(to, local - 1) + local : 0;
}
[[gnu::noinline]] int throws(int depth) {
  volatile int local = depth;
  if (depth == 0) {
    throw std::runtime_error("thrown");
  }
  const int result = throws(depth - 1);
  return result + local;
}
[[gnu::noinline]] int catches(int depth) {
  try {
    return throws(depth);
  } catch (const std::runtime_error&) {
    return depth * 10;
  }
}
}

namespace {

void c_functions() {
  const Probe a(find("many_arguments"), 0, kEntry | kReturn), b(find("large_result"), 0, kEntry | kReturn, true),
      c(find("pair_result"), 0, kEntry | kReturn), d(find("floating"), 0, kEntry | kReturn);
  CHECK(a.planted() && b.planted() && c.planted() && d.planted(), a.refusal() + b.refusal() + c.refusal() + d.refusal());
  g_seen.clear();
  CHECK(many_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) == 506, "arguments on the stack");
  const Large large = large_result(40);
  CHECK(large.values[0] == 40 && large.values[5] == 45, "a result in memory");
  const Pair pair = pair_result(7);
  CHECK(pair.first == 21 && pair.second == 35, "a result in two registers");
  CHECK(floating(1.5, 2.0f, 4) == 7.0, "floating arguments and results");
  CHECK(g_seen.size() == 8, "C functions");
  CHECK(g_seen[1].ctx[riscv64::a0] == 506, "C functions");
}

void frames_left_behind() {
  const Probe probe(find("leaves"), 0, kReturn);
  const Probe other(find("pair_result"), 0, kReturn, true);
  CHECK(probe.planted() && other.planted(), probe.refusal() + other.refusal());
  static jmp_buf to;
  static int round; // static: longjmp leaves locals undefined
  const uint64_t before = process().missed_returns;
  g_seen.clear();
  for (round = 0; round < 3000; ++round) {
    if (setjmp(to) == 0) {
      leaves(&to, round % 37);
    }
    pair_result(round);
  }
  CHECK(g_seen.size() == 3000, "longjmp: " + std::to_string(g_seen.size()));
  CHECK(process().missed_returns == before, "longjmp");
}

void exceptions() {
  const uint32_t left_behind = rig::depth(); // by the last longjmp: nothing has shown that its caller is gone
  std::vector<std::unique_ptr<Probe>> guards;
  for (const char* name : {"_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_ForcedUnwind", "_Unwind_Resume_or_Rethrow", "_Unwind_Backtrace"}) {
    guards.push_back(std::make_unique<Probe>(find(name), 0, kSweeps));
    if (!guards.back()->planted()) {
      guards.back() = std::make_unique<Probe>(find(name), 0, kSweeps, true);
    }
    CHECK(guards.back()->planted(), std::string(name) + ": " + guards.back()->refusal());
  }
  const Probe thrower(find("throws"), 0, kEntry | kReturn), catcher(find("catches"), 0, kReturn);
  CHECK(thrower.planted() && catcher.planted(), thrower.refusal() + catcher.refusal());
  for (int depth = 0; depth < 40; ++depth) {
    const uint64_t before = process().missed_returns;
    g_seen.clear();
    CHECK(catches(depth) == depth * 10, "exceptions");
    // All active calls return by themselves now, the catching one too.
    const size_t seen = g_seen.size(), missed = process().missed_returns - before;
    CHECK(seen + missed == static_cast<size_t>(2 * depth + 3), "exceptions: " + std::to_string(seen) + " and " + std::to_string(missed));
    CHECK(missed >= static_cast<size_t>(depth + 1), "exceptions");
  }
  // What has been left behind goes with the next call from further up.
  const Probe other(find("pair_result"), 0, kReturn);
  CHECK(pair_result(1).first == 3, "exceptions");
  CHECK(rig::depth() <= left_behind, "exceptions: " + std::to_string(rig::depth()));
}

void* recurse(void* sum) {
  for (int i = 0; i < 200; ++i) {
    *static_cast<uint64_t*>(sum) += v_recursive(10);
  }
  return nullptr;
}

void threads() {
  const Probe probe(find("v_recursive"), 0, kReturn);
  // Programs record into one vector, so only one thread at a time; they come and go.
  for (int i = 0; i < 24; ++i) {
    pthread_t thread;
    uint64_t sum = 0;
    g_seen.clear();
    pthread_create(&thread, nullptr, recurse, &sum);
    pthread_join(thread, nullptr);
    CHECK(sum == 200u * 55, "threads");
    CHECK(g_seen.size() == 200u * 11, "threads");
  }
  CHECK(table().used <= 16, "threads");
}

} // namespace

int main(int, char** argv) {
  set_up(argv[0]);
  g_seen.reserve(10000);
  every_instruction_at_the_entry();
  probes_in_the_middle();
  recursion();
  beyond_the_table();
  disarmed();
  c_functions();
  frames_left_behind();
  exceptions();
  threads();
  std::printf(g_failures == 0 ? "all right\n" : "%d failures\n", g_failures);
  return g_failures == 0 ? 0 : 1;
}
