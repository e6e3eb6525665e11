// SPDX-License-Identifier: MIT
//
// A program that patches itself with the trampolines of the machine it is compiled for: arena, thread
// table, and a probe() that does in this process what the loader does in another one. No GoogleTest:
// it is cross compiled and runs under qemu-user.
#pragma once

#include "targets/arena.h"
#include "targets/patch.h"

#include "bpfaot/abi.h"

#include <machine.h>

#include <cstdint>
#include <cstdio>
#include <vector>

extern "C" {
void program_entry(); // calls record_entry, then changes every register it may
void call_with(const void* code, const uint64_t* values, uint64_t* results);
}

struct Seen {
  uint64_t slots[machine::kSlots];
  uint64_t site;
};

// What programs have recorded: all hits are counted, the first ones kept.
extern uint64_t g_hits;
extern std::vector<Seen> g_seen;
extern bpfaot_process g_process;
void forget();

bpfaot::targets::ProbeCall program(uint64_t site = 0);

// Each returns the number of bytes replaced. A probe that was planted before is taken out by clear().
struct Probe {
  std::vector<bpfaot::targets::ProbeCall> entry, ret;
  bool sweeps = false;
  uint64_t offset = 0;
};
void plant(const void* function, uint64_t size, const Probe& probe);
void clear();
void set_armed(uint32_t word);
void set_main_stack(bool known);

extern int g_failures;
#define EXPECT(condition)                                                                              \
  do {                                                                                                 \
    if (!(condition)) {                                                                                \
      std::printf("  %s:%d: %s\n", __FILE__, __LINE__, #condition);                                    \
      ++g_failures;                                                                                    \
    }                                                                                                  \
  } while (0)
#define EXPECT_SAME(a, b)                                                                              \
  do {                                                                                                 \
    const uint64_t left = (a), right = (b);                                                            \
    if (left != right && ++g_failures <= 10) {                                                         \
      std::printf("  %s:%d: %s is %#llx, not %#llx\n", __FILE__, __LINE__, #a,                         \
                  (unsigned long long)left, (unsigned long long)right);                                \
    }                                                                                                  \
  } while (0)

struct Case {
  const char* name;
  void (*run)();
};
extern const std::vector<Case> kMachineCases; // tests/patch/ARCH/cases.cpp
void expect_untouched(const void* code, uint64_t size, const Probe& probe);
