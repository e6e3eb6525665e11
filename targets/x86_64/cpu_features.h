// SPDX-License-Identifier: MIT
//
// Levels (x86-64 psABI 3.1.1) and features of x86_64 processors.
#pragma once

#include "targets/target.h"

#include <bpfaot/abi.h>

namespace bpfaot::targets::x86_64 {

#define BPFAOT_BIT(name) uint64_t{BPFAOT_CPUFEAT_X86_64_##name}

inline constexpr uint64_t kV2 = BPFAOT_BIT(CX16) | BPFAOT_BIT(SAHF) | BPFAOT_BIT(POPCNT) | BPFAOT_BIT(SSE3) | BPFAOT_BIT(SSSE3) |
                         BPFAOT_BIT(SSE4_1) | BPFAOT_BIT(SSE4_2);
inline constexpr uint64_t kV3 = BPFAOT_BIT(MOVBE) | BPFAOT_BIT(LZCNT) | BPFAOT_BIT(BMI1) | BPFAOT_BIT(BMI2) | BPFAOT_BIT(AVX) | BPFAOT_BIT(F16C) |
                         BPFAOT_BIT(FMA) | BPFAOT_BIT(AVX2);
inline constexpr uint64_t kV4 = BPFAOT_BIT(AVX512F) | BPFAOT_BIT(AVX512BW) | BPFAOT_BIT(AVX512CD) | BPFAOT_BIT(AVX512DQ) |
                         BPFAOT_BIT(AVX512VL);

inline constexpr CpuRow kCpus[] = {
    {"x86-64", 0},
    {"x86-64-v2", BPFAOT_BIT(V2), BPFAOT_BIT(V2), kV2},
    {"x86-64-v3", BPFAOT_BIT(V2) | BPFAOT_BIT(V3), BPFAOT_BIT(V3), kV3},
    {"x86-64-v4", BPFAOT_BIT(V2) | BPFAOT_BIT(V3) | BPFAOT_BIT(V4), BPFAOT_BIT(V4), kV4},
};

// Each vector extension comes with all before it.
inline constexpr uint64_t kSse3 = BPFAOT_BIT(SSE3), kSsse3 = kSse3 | BPFAOT_BIT(SSSE3), kSse41 = kSsse3 | BPFAOT_BIT(SSE4_1),
                   kSse42 = kSse41 | BPFAOT_BIT(SSE4_2), kAvx = kSse42 | BPFAOT_BIT(AVX),
                   kAvx512 = kAvx | BPFAOT_BIT(AVX2) | BPFAOT_BIT(F16C) | BPFAOT_BIT(FMA) | BPFAOT_BIT(AVX512F);

inline constexpr FeatureRow kFeatures[] = {
    {"cx16", BPFAOT_BIT(CX16), 0, false, "compare and swap of 16 bytes"},
    {"sahf", BPFAOT_BIT(SAHF), 0, false, "flags from and to ah"},
    {"popcnt", BPFAOT_BIT(POPCNT), 0, false, "number of set bits"},
    {"movbe", BPFAOT_BIT(MOVBE), 0, false, "loads and stores of the other byte order"},
    {"lzcnt", BPFAOT_BIT(LZCNT), 0, false, "number of leading zeros"},
    {"bmi", BPFAOT_BIT(BMI1), 0, false, "bit manipulation"},
    {"bmi2", BPFAOT_BIT(BMI2), 0, false, "bit manipulation, shifts that leave the flags alone"},
    {"sse3", BPFAOT_BIT(SSE3), 0, true, "vectors of 16 bytes"},
    {"ssse3", BPFAOT_BIT(SSSE3), kSse3, true, "vectors of 16 bytes"},
    {"sse4.1", BPFAOT_BIT(SSE4_1), kSsse3, true, "vectors of 16 bytes"},
    {"sse4.2", BPFAOT_BIT(SSE4_2), kSse41, true, "vectors of 16 bytes"},
    {"avx", BPFAOT_BIT(AVX), kSse42, true, "vectors of 32 bytes, floating point"},
    {"f16c", BPFAOT_BIT(F16C), kAvx, true, "short floating point"},
    {"fma", BPFAOT_BIT(FMA), kAvx, true, "floating point"},
    {"avx2", BPFAOT_BIT(AVX2), kAvx, true, "vectors of 32 bytes"},
    {"avx512f", BPFAOT_BIT(AVX512F), kAvx | BPFAOT_BIT(AVX2) | BPFAOT_BIT(F16C) | BPFAOT_BIT(FMA), true, "vectors of 64 bytes"},
    {"avx512bw", BPFAOT_BIT(AVX512BW), kAvx512, true, "the same for bytes and words"},
    {"avx512cd", BPFAOT_BIT(AVX512CD), kAvx512, true, "the same, conflicts and leading zeros"},
    {"avx512dq", BPFAOT_BIT(AVX512DQ), kAvx512, true, "the same for 4 and 8 bytes"},
    {"avx512vl", BPFAOT_BIT(AVX512VL), kAvx512, true, "the same in shorter vectors"},
};

#undef BPFAOT_BIT

uint64_t cpu_features(); // what this processor has; nothing, built for another machine

} // namespace bpfaot::targets::x86_64
