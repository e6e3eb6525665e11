// SPDX-License-Identifier: MIT
//
// What this processor has. Not __builtin_cpu_supports: that asks the processor in a constructor,
// whether the answer is wanted or not, and on a virtual machine each question leaves it.
#include "targets/x86_64/cpu_features.h"

#include <array>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bpfaot::targets::x86_64 {
namespace {

#if defined(__x86_64__)
#define BIT(name) uint64_t{BPFAOT_CPUFEAT_X86_64_##name}

struct Cpuid {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Cpuid cpuid(uint32_t leaf) {
  Cpuid r;
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d); // zeros when there is no such leaf
  return r;
}

// Register states that the system saves: bits of xcr0, 0 when it says nothing.
uint32_t saved_states(uint32_t basic_c) {
  if ((basic_c >> 27 & 1) == 0) // osxsave
    return 0;
  uint32_t states = 0, high = 0;
  __asm__("xgetbv" : "=a"(states), "=d"(high) : "c"(0));
  return states;
}

uint64_t detect() {
  const Cpuid basic = cpuid(1), more = cpuid(7), extended = cpuid(0x8000'0001);
  struct Row {
    uint32_t word;
    uint8_t bit;
    uint64_t feature;
  };
  const auto found = [](std::span<const Row> rows) {
    uint64_t features = 0;
    for (const Row& row : rows)
      if ((row.word >> row.bit & 1) != 0)
        features |= row.feature;
    return features;
  };
  const std::array scalar = {
      Row{basic.c, 13, BIT(CX16)},    Row{extended.c, 0, BIT(SAHF)}, Row{basic.c, 23, BIT(POPCNT)},
      Row{basic.c, 0, BIT(SSE3)},     Row{basic.c, 9, BIT(SSSE3)},   Row{basic.c, 19, BIT(SSE4_1)},
      Row{basic.c, 20, BIT(SSE4_2)},  Row{basic.c, 22, BIT(MOVBE)},  Row{extended.c, 5, BIT(LZCNT)},
      Row{more.b, 3, BIT(BMI1)},      Row{more.b, 8, BIT(BMI2)},
  };
  const std::array wide = {
      Row{basic.c, 28, BIT(AVX)},
      Row{basic.c, 29, BIT(F16C)},
      Row{basic.c, 12, BIT(FMA)},
      Row{more.b, 5, BIT(AVX2)},
  };
  const std::array widest = {
      Row{more.b, 16, BIT(AVX512F)},  Row{more.b, 17, BIT(AVX512DQ)}, Row{more.b, 28, BIT(AVX512CD)},
      Row{more.b, 30, BIT(AVX512BW)}, Row{more.b, 31, BIT(AVX512VL)},
  };
  uint64_t features = found(scalar);
  const uint32_t states = saved_states(basic.c);
  if ((states & 0b0000'0110) == 0b0000'0110) { // xmm, ymm
    features |= found(wide);
    if ((states & 0b1110'0000) == 0b1110'0000) // masks, upper halves, upper registers
      features |= found(widest);
  }
  for (const CpuRow& row : kCpus) // a level is all of its features and the level below
    if (row.own != 0 && (features & row.members) == row.members &&
        (features & row.features) == (row.features & ~row.own))
      features |= row.own;
  return features;
}
#endif

} // namespace

uint64_t cpu_features() {
#if defined(__x86_64__)
  return detect();
#else
  return 0;
#endif
}

} // namespace bpfaot::targets::x86_64
