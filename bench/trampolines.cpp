// SPDX-License-Identifier: MIT
//
// What a probe costs: a function that does nothing is called without a probe, with a counting entry
// probe and with a counting return probe, in one process and one run, rounds interleaved. The probe
// is the smallest that counts (an atomic increment of one word), so what is measured is the
// trampoline. Prints nanoseconds per call and the ratio to the plain call.
#include "targets/arena.h"
#include "targets/patch.h"
#include "targets/target.h"

#include "bpfaot/abi.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

using namespace bpfaot::targets;

constexpr uint32_t kCapacityLog2 = 6;
constexpr size_t kArena = 64 << 10, kCode = 64 << 10;
constexpr int kRounds = 60, kCalls = 200000;

double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// An arena like the one the loader makes, in this process.
struct Place {
  uint8_t* area = nullptr;
  bpfaot_thread_table table{};
  bpfaot_process process{};
  uint8_t* next = nullptr; // trampolines
  uint8_t* code = nullptr; // functions and programs
  bool fast = (getauxval(AT_HWCAP2) >> 1 & 1) != 0;

  explicit Place(const Patcher& patcher) {
    const size_t slots = (sizeof(bpfaot_thread) << kCapacityLog2) + 4096;
    area = static_cast<uint8_t*>(mmap(nullptr, kArena + kCode + slots, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (area == MAP_FAILED) {
      std::perror("mmap");
      area = nullptr;
      return;
    }
    code = area + kArena;
    table = {sizeof table, kCapacityLog2, sizeof(bpfaot_thread), address(code + kCode), 0, {}};
    const SupportCode support = patcher.support();
    auto* control = reinterpret_cast<bpfaot_arena*>(area);
    control->table = address(&table);
    control->process = address(&process);
    control->has_fast_thread_pointer = fast;
    control->range_count = 1;
    control->ranges[0] = {address(area), address(code)};
    std::memcpy(area + BPFAOT_ARENA_SUPPORT, support.bytes.data(), support.bytes.size());
    next = area + 16384;
  }

  uint8_t* put(const std::vector<uint8_t>& bytes) {
    uint8_t* at = code;
    std::memcpy(at, bytes.data(), bytes.size());
    code += (bytes.size() + 63) & ~size_t{63};
    return at;
  }

  bool probe(const Patcher& patcher, uint8_t* function, size_t size, const ProbeCall& call, bool at_return) {
    const auto cover = patcher.cover({{function, size}, address(function), size, 0, address(function), 0});
    if (!cover) {
      return false;
    }
    TrampolineRequest request;
    request.pc = address(next);
    request.cover = *cover;
    request.original = {function, cover->size};
    (at_return ? request.at_return : request.at_entry).push_back(call);
    request.thread_base = table.base;
    request.thread_capacity_log2 = kCapacityLog2;
    request.support = patcher.support().at(address(area) + BPFAOT_ARENA_SUPPORT);
    request.has_fast_thread_pointer = fast;
    request.armed = address(area) + offsetof(bpfaot_arena, armed);
    const auto made = patcher.make_trampoline(request);
    const auto jump = patcher.encode_jump(address(function), request.pc, cover->scratch);
    if (!made || !jump) {
      return false;
    }
    std::memcpy(next, made->bytes.data(), made->bytes.size());
    next += (made->bytes.size() + 63) & ~size_t{63};
    std::memcpy(function, jump->data(), jump->size());
    return true;
  }
};

double measure(void (*function)()) {
  const double start = now_ns();
  for (int i = 0; i < kCalls; ++i) {
    function();
    asm volatile("" ::: "memory");
  }
  return (now_ns() - start) / kCalls;
}

} // namespace

int main() {
  const Patcher* patcher = find_patcher(host().e_machine);
  if (patcher == nullptr || patcher->name != "x86_64") {
    std::printf("no probes on this machine\n");
    return 0;
  }
  Place place(*patcher);
  if (place.area == nullptr) {
    return 1;
  }
  alignas(64) static uint64_t counter = 0;
  const std::vector<uint8_t> nothing = {0x0f, 0x1f, 0x44, 0, 0, 0xc3}; // nopl; ret
  std::vector<uint8_t> program = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,  // mov $counter, %rax
                                  0xf0, 0x48, 0xff, 0x00, 0xc3};       // lock incq (%rax); ret
  const uint64_t where = address(&counter);
  std::memcpy(&program[2], &where, 8);
  const ProbeCall call{address(place.put(program)), 0, 0, 1u << 0 | 1u << 11, false};
  uint8_t* plain = place.put(nothing);
  uint8_t* entry = place.put(nothing);
  uint8_t* exit = place.put(nothing);
  if (!place.probe(*patcher, entry, nothing.size(), call, false) || !place.probe(*patcher, exit, nothing.size(), call, true)) {
    std::printf("the functions cannot be probed\n");
    return 1;
  }
  uint8_t* functions[] = {plain, entry, exit};
  const char* names[] = {"plain call", "counting entry probe", "counting return probe"};
  std::vector<double> times[3];
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 3; ++i) {
      times[i].push_back(measure(reinterpret_cast<void (*)()>(functions[i])));
    }
  }
  for (auto& list : times) {
    std::sort(list.begin(), list.end());
  }
  std::printf("%-24s %8s %8s %8s %8s\n", "ns per call", "least", "median", "added", "ratio");
  for (int i = 0; i < 3; ++i) {
    std::printf("%-24s %8.2f %8.2f %8.2f %8.1f\n", names[i], times[i][0], times[i][kRounds / 2],
                times[i][0] - times[0][0], times[i][kRounds / 2] / times[0][kRounds / 2]);
  }
  const uint64_t wanted = 2ull * kRounds * kCalls;
  std::printf("counted %llu of %llu, missed %llu\n", static_cast<unsigned long long>(counter),
              static_cast<unsigned long long>(wanted), static_cast<unsigned long long>(place.process.missed_returns));
  return counter == wanted ? 0 : 1;
}
