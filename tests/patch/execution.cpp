// SPDX-License-Identifier: MIT
//
// What must hold for every machine's trampolines, run on functions of this program: exact counts, and
// no function that could tell the difference. Each case is one line of output, "ok NAME" or "FAILED
// NAME"; tests/patch/execution.sh compiles and counts them.
#include "tests/patch/execution.h"

#include <pthread.h>
#include <setjmp.h>
#include <ucontext.h>
#include <unwind.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>

#define VICTIM extern "C" __attribute__((noinline, noipa, used))

namespace {
constexpr uint64_t kSize = 64; // of C functions, looked at from their start; each is at least as long
template <typename Function> const void* code(Function* function) { return reinterpret_cast<const void*>(function); }
const Probe kReturn{{}, {program(2)}};
const Probe kBoth{{program(1)}, {program(2)}};
} // namespace

// Keeps compilers from making a loop of a recursion.
uint64_t after(uint64_t result) {
  asm volatile("" : "+r"(result) : : "memory");
  return result;
}

VICTIM uint64_t sum_to(uint64_t n) { return n == 0 ? 0 : n + after(sum_to(n - 1)); }

VICTIM double mixed(int count, ...) {
  va_list list;
  va_start(list, count);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    sum += i % 2 == 0 ? va_arg(list, double) : static_cast<double>(va_arg(list, long));
  }
  va_end(list);
  return sum;
}

struct Large {
  uint64_t words[20];
};
VICTIM Large make_large(uint64_t seed, float a, double b, const char* c, long d, long e, long f, long g, long h,
                        long i, long on_stack) {
  Large large;
  for (uint64_t k = 0; k < 20; ++k) {
    large.words[k] = seed + k + static_cast<uint64_t>(a) + static_cast<uint64_t>(b) + static_cast<uint64_t>(*c) +
                     static_cast<uint64_t>(d + e + f + g + h + i + on_stack);
  }
  return large;
}

VICTIM float scale(float a, double b, long double c) { return static_cast<float>(a * b + static_cast<double>(c)); }

VICTIM uint64_t deeper(uint64_t depth, uint64_t (*function)(uint64_t), uint64_t argument) {
  volatile uint64_t local[4] = {depth, argument, depth, argument};
  return after(depth == 0 ? function(argument) : deeper(depth - 1, function, argument)) + local[0] - local[2];
}

jmp_buf g_jump;
VICTIM uint64_t leave(uint64_t n) {
  if (n != 0) {
    longjmp(g_jump, 1);
  }
  return n;
}
VICTIM uint64_t stay(uint64_t n) { return after(deeper(0, leave, n)) + 1; }
VICTIM uint64_t plain(uint64_t n) { return n + 1; }

VICTIM uint64_t raise(uint64_t n) {
  if (n == 0) {
    throw 7;
  }
  return after(raise(n - 1)) + n;
}
VICTIM uint64_t tail_raise(uint64_t n) {
  return raise(n); // a jump at -O2
}
VICTIM uint64_t catching(uint64_t n) {
  try {
    return raise(n);
  } catch (int value) {
    return static_cast<uint64_t>(value);
  }
}

namespace {

void entry_probe_sees_and_keeps_all() {
  extern const char begin[] __asm__("victim_nothing"), end[] __asm__("victim_nothing_end");
  expect_untouched(begin, static_cast<uint64_t>(end - begin), {{program(0x77)}, {}});
  EXPECT_SAME(g_hits, 4);
  const Seen& seen = g_seen[1];
  for (int slot = machine::kFirstPlain; slot <= machine::kLastPlain; ++slot) {
    EXPECT_SAME(seen.slots[slot], 0x0101010101010101ull * static_cast<uint64_t>(machine::value_of_slot(slot) + 1) + 1);
  }
  EXPECT_SAME(seen.slots[machine::kPc], reinterpret_cast<uint64_t>(begin));
  EXPECT_SAME(seen.site, 0x77);
  if (machine::kFlags >= 0) {
    EXPECT_SAME(seen.slots[machine::kFlags] & machine::kFlagBits, machine::kFlagBits);
  }
}

void return_probe_sees_and_keeps_all() {
  extern const char begin[] __asm__("victim_nothing"), end[] __asm__("victim_nothing_end");
  expect_untouched(begin, static_cast<uint64_t>(end - begin), {{program(1)}, {program(2), program(3)}});
  EXPECT_SAME(g_hits, 12);
  EXPECT_SAME(g_seen[0].site, 1);
  EXPECT_SAME(g_seen[1].site, 2);
  EXPECT_SAME(g_seen[2].site, 3);
  EXPECT_SAME(g_seen[1].slots[machine::kStack], g_seen[0].slots[machine::kStack]);
  EXPECT_SAME(g_seen[1].slots[machine::kPc], g_seen[0].slots[machine::kLink]); // where it returns to
  EXPECT_SAME(g_seen[1].slots[machine::kLink], g_seen[0].slots[machine::kLink]);
  for (int slot = machine::kFirstPlain; slot <= machine::kLastPlain; ++slot) {
    EXPECT_SAME(g_seen[1].slots[slot], g_seen[0].slots[slot]);
  }
  EXPECT_SAME(g_process.missed_returns, 0);
}

void a_function_that_only_returns() {
  extern const char begin[] __asm__("victim_ret"), end[] __asm__("victim_ret_end");
  expect_untouched(begin, static_cast<uint64_t>(end - begin), kBoth);
  EXPECT_SAME(g_hits, 8);
}

void without_its_loader_no_program_runs() {
  plant(code(sum_to), kSize, kBoth);
  for (const uint32_t armed : {1234u, 1234u | BPFAOT_DISARMED, 0u}) {
    forget();
    set_armed(armed);
    EXPECT_SAME(sum_to(20), 210);
    EXPECT_SAME(g_hits, (armed & BPFAOT_DISARMED) != 0 ? 0 : 42);
  }
  EXPECT_SAME(g_process.missed_returns, 0);
}

void recursion_returns_in_order() {
  plant(code(sum_to), kSize, kBoth);
  EXPECT_SAME(sum_to(20), 210);
  EXPECT_SAME(g_hits, 42);
  for (uint64_t i = 0; i <= 20; ++i) {
    EXPECT_SAME(g_seen[i].slots[machine::kArgument], 20 - i);
    EXPECT_SAME(g_seen[21 + i].slots[machine::kResult], i * (i + 1) / 2);
    EXPECT_SAME(g_seen[21 + i].slots[machine::kStack], g_seen[20 - i].slots[machine::kStack]);
  }
}

void recursion_beyond_the_table_is_counted() {
  plant(code(sum_to), kSize, kReturn);
  EXPECT_SAME(sum_to(1999), 1999u * 2000 / 2);
  EXPECT_SAME(g_hits, BPFAOT_FRAMES);
  EXPECT_SAME(g_process.missed_returns, 2000 - BPFAOT_FRAMES);
  forget();
  EXPECT_SAME(sum_to(5), 15);
  EXPECT_SAME(g_hits, 6);
}

void arguments_and_results_pass_through() {
  plant(code(mixed), kSize, kBoth);
  plant(code(make_large), kSize, kBoth);
  plant(code(scale), kSize, kBoth);
  EXPECT(mixed(14, 0.5, 1l, 2.5, 3l, 4.5, 5l, 6.5, 7l, 8.5, 9l, 10.5, 11l, 12.5, 13l) == 94.5);
  const Large large = make_large(100, 1.0f, 2.0, "\3", 4, 5, 6, 7, 8, 9, 10);
  EXPECT_SAME(large.words[0], 155);
  EXPECT_SAME(large.words[19], 174);
  EXPECT(scale(1.5f, 2.0, 4) == 7.0f);
  EXPECT_SAME(g_hits, 6);
}

void tail_calls_return_through_both() {
  extern const char first[] __asm__("victim_tail"), first_end[] __asm__("victim_tail_end");
  extern const char second[] __asm__("victim_second"), second_end[] __asm__("victim_second_end");
  plant(first, static_cast<uint64_t>(first_end - first), {{}, {program(1)}});
  plant(second, static_cast<uint64_t>(second_end - second), {{}, {program(2)}});
  const auto call = reinterpret_cast<uint64_t (*)(uint64_t)>(reinterpret_cast<uintptr_t>(first));
  for (int i = 0; i < 3; ++i) {
    EXPECT_SAME(call(5), 7);
  }
  EXPECT_SAME(g_hits, 6);
  EXPECT_SAME(g_seen[0].site, 2);
  EXPECT_SAME(g_seen[1].site, 1);
  EXPECT_SAME(g_process.missed_returns, 0);
}

void frames_left_by_longjmp_are_dropped() {
  plant(code(stay), kSize, kReturn);
  plant(code(plain), kSize, kReturn);
  static uint64_t round; // static: longjmp leaves locals undefined
  for (round = 0; round < 5000; ++round) {
    if (setjmp(g_jump) == 0) {
      deeper(round % 37, stay, 1);
      EXPECT(false);
    }
    EXPECT_SAME(plain(round), round + 1);
    EXPECT_SAME(stay(0), 1);
  }
  EXPECT_SAME(g_hits, 10000);
  EXPECT_SAME(g_process.missed_returns, 0);
}

// From one place, at one depth, again and again, where the stack's extent is not known.
void a_call_that_is_made_again_drops_its_frame() {
  plant(code(stay), kSize, kReturn);
  set_main_stack(false);
  static uint64_t round; // static: longjmp leaves locals undefined
  for (round = 0; round < 5000; ++round) {
    if (setjmp(g_jump) == 0) {
      stay(1);
    }
  }
  EXPECT_SAME(stay(0), 1);
  EXPECT_SAME(g_hits, 1);
  EXPECT_SAME(g_process.missed_returns, 0);
  set_main_stack(true);
}

const void* const kUnwinders[] = {code(_Unwind_RaiseException), code(_Unwind_Resume), code(_Unwind_Resume_or_Rethrow),
                                  code(_Unwind_ForcedUnwind), code(_Unwind_Backtrace)};
void guard_unwinders() {
  for (const void* unwinder : kUnwinders) {
    plant(unwinder, kSize, {{}, {}, true});
  }
}

__attribute__((noinline)) void throw_and_catch() {
  const uint64_t hits = g_hits, missed = g_process.missed_returns;
  for (int round = 0; round < 300; ++round) {
    uint64_t caught = 0;
    try {
      raise(9);
    } catch (int value) {
      caught = static_cast<uint64_t>(value);
    }
    EXPECT_SAME(caught, 7);
    EXPECT_SAME(catching(4), 7);
    EXPECT_SAME(plain(1), 2);
  }
  EXPECT_SAME(g_hits - hits, 300);                             // plain
  EXPECT_SAME(g_process.missed_returns - missed, 300 * (10 + 6)); // raise and catching
}

void exceptions_pass_probed_frames() {
  guard_unwinders();
  plant(code(raise), kSize, kReturn);
  plant(code(catching), kSize, kReturn);
  plant(code(plain), kSize, kReturn);
  throw_and_catch();
}

void exceptions_pass_on_other_threads() {
  guard_unwinders();
  plant(code(raise), kSize, kReturn);
  plant(code(catching), kSize, kReturn);
  plant(code(plain), kSize, kReturn);
  pthread_t thread;
  pthread_create(&thread, nullptr, [](void*) -> void* { throw_and_catch(); return nullptr; }, nullptr);
  pthread_join(thread, nullptr);
}

void exceptions_pass_where_the_stack_is_not_known() {
  set_main_stack(false);
  exceptions_pass_probed_frames();
  set_main_stack(true);
}

void exceptions_pass_a_tail_call() {
  guard_unwinders();
  plant(code(tail_raise), kSize, kReturn);
  plant(code(raise), kSize, kReturn);
  for (int round = 0; round < 20; ++round) {
    uint64_t caught = 0;
    try {
      tail_raise(2);
    } catch (int value) {
      caught = static_cast<uint64_t>(value);
    }
    EXPECT_SAME(caught, 7);
  }
  EXPECT_SAME(g_hits, 0);
  EXPECT_SAME(g_process.missed_returns, 80);
}

struct Walk {
  uint64_t pcs[64];
  int count;
};
VICTIM uint64_t walk_here(Walk* walk) {
  walk->count = 0;
  _Unwind_Backtrace(
      [](_Unwind_Context* context, void* data) {
        auto* walk = static_cast<Walk*>(data);
        if (walk->count < 64) {
          walk->pcs[walk->count++] = static_cast<uint64_t>(_Unwind_GetIP(context));
        }
        return _URC_NO_REASON;
      },
      walk);
  return static_cast<uint64_t>(walk->count) + 1;
}
VICTIM uint64_t walk_below(uint64_t depth, Walk* walk) {
  return depth == 0 ? walk_here(walk) : after(walk_below(depth - 1, walk)) + 1;
}

void a_backtrace_is_the_same_as_without_probes() {
  for (const bool planted : {false, true}) {
    static Walk walks[2];
    if (planted) {
      guard_unwinders();
      plant(code(walk_here), kSize, kReturn);
      plant(code(walk_below), kSize, kReturn);
    }
    const uint64_t count = walk_below(5, &walks[planted]);
    EXPECT_SAME(count, static_cast<uint64_t>(walks[planted].count) + 6);
    if (planted) {
      EXPECT_SAME(static_cast<uint64_t>(walks[0].count), static_cast<uint64_t>(walks[1].count));
      for (int i = 0; i < 6; ++i) { // up to the outermost call, which may be two in the code
        EXPECT_SAME(walks[1].pcs[i], walks[0].pcs[i]);
      }
      EXPECT_SAME(g_process.missed_returns, 7);
      EXPECT_SAME(g_hits, 0);
    }
  }
}

struct Job {
  uint64_t sum = 0;
};

void threads_have_their_own_stacks_and_too_many_are_counted() {
  plant(code(sum_to), kSize, kReturn);
  std::vector<pthread_t> threads(24); // more than the table holds
  std::vector<Job> jobs(threads.size());
  for (size_t i = 0; i < threads.size(); ++i) {
    pthread_create(&threads[i], nullptr, [](void* job) -> void* {
      for (int k = 0; k < 200; ++k) {
        static_cast<Job*>(job)->sum += sum_to(10);
      }
      return nullptr;
    }, &jobs[i]);
  }
  for (size_t i = 0; i < threads.size(); ++i) {
    pthread_join(threads[i], nullptr);
    EXPECT_SAME(jobs[i].sum, 200u * 55);
  }
  EXPECT_SAME(g_hits + g_process.missed_returns, 24u * 200 * 11);
}

// Frames of two stacks interleave, and the coroutine's return on another thread.
ucontext_t g_main_context, g_coroutine_context;
VICTIM uint64_t yields(uint64_t n) {
  swapcontext(&g_coroutine_context, &g_main_context);
  return n + 1;
}
uint64_t g_coroutine_result;
void coroutine() { g_coroutine_result = yields(41); }

void a_coroutine_returns_on_another_thread() {
  plant(code(yields), kSize, kReturn);
  plant(code(sum_to), kSize, kReturn);
  static char stack[65536] __attribute__((aligned(16)));
  getcontext(&g_coroutine_context);
  g_coroutine_context.uc_stack.ss_sp = stack;
  g_coroutine_context.uc_stack.ss_size = sizeof stack;
  g_coroutine_context.uc_link = &g_main_context;
  makecontext(&g_coroutine_context, coroutine, 0);
  swapcontext(&g_main_context, &g_coroutine_context);
  EXPECT_SAME(sum_to(5), 15);
  pthread_t thread;
  pthread_create(&thread, nullptr, [](void*) -> void* {
    EXPECT_SAME(sum_to(3), 6);
    swapcontext(&g_main_context, &g_coroutine_context);
    EXPECT_SAME(sum_to(4), 10);
    return nullptr;
  }, nullptr);
  pthread_join(thread, nullptr);
  EXPECT_SAME(g_coroutine_result, 42);
  EXPECT_SAME(g_hits, 6 + 4 + 1 + 5);
  EXPECT_SAME(g_process.missed_returns, 0);
}

const std::vector<Case> kCases = {
    {"entry_probe_sees_and_keeps_all", entry_probe_sees_and_keeps_all},
    {"return_probe_sees_and_keeps_all", return_probe_sees_and_keeps_all},
    {"a_function_that_only_returns", a_function_that_only_returns},
    {"without_its_loader_no_program_runs", without_its_loader_no_program_runs},
    {"recursion_returns_in_order", recursion_returns_in_order},
    {"recursion_beyond_the_table_is_counted", recursion_beyond_the_table_is_counted},
    {"arguments_and_results_pass_through", arguments_and_results_pass_through},
    {"tail_calls_return_through_both", tail_calls_return_through_both},
    {"frames_left_by_longjmp_are_dropped", frames_left_by_longjmp_are_dropped},
    {"a_call_that_is_made_again_drops_its_frame", a_call_that_is_made_again_drops_its_frame},
    {"exceptions_pass_probed_frames", exceptions_pass_probed_frames},
    {"exceptions_pass_where_the_stack_is_not_known", exceptions_pass_where_the_stack_is_not_known},
    {"exceptions_pass_on_other_threads", exceptions_pass_on_other_threads},
    {"exceptions_pass_a_tail_call", exceptions_pass_a_tail_call},
    {"a_backtrace_is_the_same_as_without_probes", a_backtrace_is_the_same_as_without_probes},
    {"a_coroutine_returns_on_another_thread", a_coroutine_returns_on_another_thread},
    {"threads_have_their_own_stacks_and_too_many_are_counted", threads_have_their_own_stacks_and_too_many_are_counted},
};

} // namespace

int main(int argc, char** argv) {
  int failed = 0;
  for (const std::vector<Case>* list : {&kMachineCases, &kCases}) {
    for (const Case& one : *list) {
      if (argc > 1 && std::strstr(one.name, argv[1]) == nullptr) {
        continue;
      }
      g_failures = 0;
      std::fflush(stdout);
      one.run();
      clear();
      std::printf("%s %s\n", g_failures == 0 ? "ok" : "FAILED", one.name);
      failed += g_failures != 0;
    }
  }
  return failed != 0;
}
