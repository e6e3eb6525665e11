// SPDX-License-Identifier: MIT
//
// The arena and the probes of tests/patch/execution.h.
#include "tests/patch/execution.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace bpfaot;
using namespace bpfaot::targets;

uint64_t g_hits;
std::vector<Seen> g_seen;
bpfaot_process g_process;
int g_failures;

namespace {

constexpr uint32_t kCapacityLog2 = 4;
constexpr size_t kArenaSize = 1 << 20, kTrampolines = 32768;
constexpr size_t kKept = 64;

std::mutex g_lock;
uint8_t* g_arena;
size_t g_used = kTrampolines;
uint8_t* g_threads;
bpfaot_thread_table g_table;
bpfaot_range g_stack;

struct Patched {
  uint8_t* at;
  std::vector<uint8_t> original;
};
std::vector<Patched> g_patched;

uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

void write_code(uint8_t* at, const std::vector<uint8_t>& bytes) {
  std::memcpy(at, bytes.data(), bytes.size());
  __builtin___clear_cache(reinterpret_cast<char*>(at), reinterpret_cast<char*>(at + bytes.size()));
}

void make_writable(uint64_t at, uint64_t size) {
  const uint64_t page = 65536;
  const uint64_t first = at & ~(page - 1), end = (at + size + page - 1) & ~(page - 1);
  for (uint64_t i = first; i < end; i += 4096) {
    mprotect(reinterpret_cast<void*>(i), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  }
}

void set_up() {
  g_arena = static_cast<uint8_t*>(mmap(reinterpret_cast<void*>(machine::kArena), kArenaSize,
                                       PROT_READ | PROT_WRITE | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  g_threads = static_cast<uint8_t*>(mmap(nullptr, sizeof(bpfaot_thread) << kCapacityLog2, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (address(g_arena) != machine::kArena || g_threads == MAP_FAILED) {
    std::perror("mmap");
    std::exit(2);
  }
  auto* control = reinterpret_cast<bpfaot_arena*>(g_arena);
  control->table = address(&g_table);
  control->process = address(&g_process);
  pthread_attr_t attributes;
  void* stack = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &size);
  pthread_attr_destroy(&attributes);
  g_stack = {address(stack), address(stack) + size};
  control->main_stack = g_stack;
  control->may_call_system = 1;
  control->has_fast_thread_pointer = machine::kPatcher.facts(getauxval(AT_HWCAP2)).fast_thread_pointer;
  control->range_count = 1;
  control->ranges[0] = {address(g_arena), address(g_arena) + kArenaSize};
  const SupportCode support = machine::kPatcher.support();
  write_code(g_arena + BPFAOT_ARENA_SUPPORT, {support.bytes.begin(), support.bytes.end()});
  g_table = {sizeof g_table, kCapacityLog2, sizeof(bpfaot_thread), address(g_threads), 0, {}};
}

} // namespace

extern "C" void record_entry(uint64_t* ctx) {
  const std::lock_guard<std::mutex> hold(g_lock);
  ++g_hits;
  if (g_seen.size() < kKept) {
    Seen seen;
    std::memcpy(seen.slots, ctx, sizeof seen.slots);
    seen.site = ctx[-1];
    g_seen.push_back(seen);
  }
}

void forget() {
  g_hits = 0;
  g_seen.clear();
  g_process.missed_returns = 0;
}

void set_armed(uint32_t word) { reinterpret_cast<bpfaot_arena*>(g_arena)->armed = word; }
void set_main_stack(bool known) {
  reinterpret_cast<bpfaot_arena*>(g_arena)->main_stack = known ? g_stack : bpfaot_range{};
}

ProbeCall program(uint64_t site) {
  return {address(reinterpret_cast<void*>(&program_entry)), site, ~0ull, machine::kScratch, site != 0};
}

void plant(const void* function, uint64_t size, const Probe& probe) {
  if (g_arena == nullptr) {
    set_up();
  }
  const Patcher& patcher = machine::kPatcher;
  const SiteRequest request{{static_cast<const uint8_t*>(function), size}, address(function), size, 0,
                            address(function) + probe.offset};
  Result<SiteCover> cover = patcher.cover(request);
  if (!cover) {
    std::printf("  cover: %s\n", cover.error().message.c_str());
    ++g_failures;
    return;
  }
  auto* at = reinterpret_cast<uint8_t*>(cover->patch_pc);
  const std::vector<uint8_t> original(at, at + cover->size);
  TrampolineRequest wanted;
  wanted.pc = address(g_arena) + g_used;
  wanted.probe_pc = request.at;
  wanted.cover = *cover;
  wanted.original = original;
  wanted.at_entry = probe.entry;
  wanted.at_return = probe.ret;
  wanted.sweeps = probe.sweeps;
  wanted.thread_base = address(g_threads);
  wanted.thread_capacity_log2 = kCapacityLog2;
  wanted.support = patcher.support().at(address(g_arena) + BPFAOT_ARENA_SUPPORT);
  const ProcessFacts facts = patcher.facts(getauxval(AT_HWCAP2));
  wanted.has_fast_thread_pointer = facts.fast_thread_pointer;
  wanted.signs_returns = facts.signs_returns;
  wanted.armed = address(&reinterpret_cast<bpfaot_arena*>(g_arena)->armed);
  Result<Trampoline> made = patcher.make_trampoline(wanted);
  const Result<std::vector<uint8_t>> jump = patcher.encode_jump(cover->patch_pc, wanted.pc, cover->scratch);
  if (!made || !jump) {
    std::printf("  trampoline: %s\n", (!made ? made.error() : jump.error()).message.c_str());
    ++g_failures;
    return;
  }
  write_code(g_arena + g_used, made->bytes);
  g_used = (g_used + made->bytes.size() + 63) & ~size_t{63};
  make_writable(cover->patch_pc, cover->size);
  g_patched.push_back({at, {at, at + jump->size()}});
  write_code(at, *jump);
}

void clear() {
  for (auto patch = g_patched.rbegin(); patch != g_patched.rend(); ++patch) {
    write_code(patch->at, patch->original);
  }
  g_patched.clear();
  forget();
}

// Calls the code with patterns everywhere, without and with the probe: no difference.
void expect_untouched(const void* code, uint64_t size, const Probe& probe) {
  constexpr uint64_t kFlagPatterns[] = {0, ~0ull, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa};
  for (const bool planted : {false, true}) {
    static uint64_t plain[4][machine::kValues];
    if (planted) {
      plant(code, size, probe);
    }
    for (int round = 0; round < 4; ++round) {
      uint64_t values[machine::kValues], results[machine::kValues] = {};
      for (int i = 0; i < machine::kValues; ++i) {
        values[i] = 0x0101010101010101ull * static_cast<uint64_t>(i + 1) + static_cast<uint64_t>(round);
      }
      if (machine::kFlagsValue >= 0) {
        values[machine::kFlagsValue] = kFlagPatterns[round] & machine::kFlagBits;
      }
      if (round == 3) {
        values[machine::value_of_slot(machine::kArgument)] = 0;
      }
      call_with(code, values, results);
      for (int i = 0; i < machine::kValues; ++i) {
        if (planted && plain[round][i] != results[i]) {
          std::printf("  value %d is %#llx, not %#llx\n", i, (unsigned long long)results[i],
                      (unsigned long long)plain[round][i]);
          ++g_failures;
        }
      }
      std::memcpy(plain[round], planted ? plain[round] : results, sizeof results);
    }
  }
}
