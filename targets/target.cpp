// SPDX-License-Identifier: MIT
//
// Finding a machine by name, and the map from one machine's pt_regs to another's by meaning.
#include "targets/target.h"

#include "targets/rows.h"

#include <bpfaot/abi.h>

#include <array>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bpfaot::targets {
namespace {

constexpr std::array<const Target*, 3> kAll = {&kX86_64, &kAarch64, &kRiscv64};

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const size_t space = words.find(' ');
    if (words.substr(0, space) == word)
      return true;
    if (space == std::string_view::npos)
      break;
    words.remove_prefix(space + 1);
  }
  return false;
}

const Target* find_arch(std::string_view arch) {
  for (const Target* target : kAll)
    if (target->name == arch || has_word(target->aliases, arch))
      return target;
  return nullptr;
}

bool has_meaning(const RegSlot& slot, RegMeaning meaning) {
  return slot.meaning == meaning || slot.second == meaning;
}

bool nameable(RegMeaning meaning) {
  return meaning != RegMeaning::none && meaning != RegMeaning::other;
}

// What a program means by reading `slot`: of two meanings `ret` wins in programs that run at
// return.
RegMeaning meaning_of(const RegSlot& slot, bool is_return) {
  if (is_return && slot.second == RegMeaning::ret)
    return RegMeaning::ret;
  return slot.meaning;
}

#if defined(__x86_64__)
struct Cpuid {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Cpuid cpuid(uint32_t leaf) {
  Cpuid r;
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d); // zeros when there is no such leaf
  return r;
}

// Levels of the x86-64 psABI, chapter 3.1.1. Not __builtin_cpu_supports: that asks the processor in a
// constructor, whether the answer is wanted or not, and on a virtual machine each question leaves it.
uint64_t x86_64_levels() {
  const auto has = [](uint32_t word, uint32_t bits) { return (word & bits) == bits; };
  const Cpuid basic = cpuid(1), extended = cpuid(0x8000'0001);
  // sse3, ssse3, cx16, sse4.1, sse4.2, popcnt; lahf
  if (!has(basic.c, 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23) || !has(extended.c, 1u << 0))
    return 0;
  uint64_t levels = BPFAOT_CPUFEAT_X86_64_V2;
  // fma, movbe, osxsave, avx, f16c; lzcnt; bmi1, avx2, bmi2
  const Cpuid more = cpuid(7);
  if (!has(basic.c, 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29) || !has(extended.c, 1u << 5) ||
      !has(more.b, 1u << 3 | 1u << 5 | 1u << 8))
    return levels;
  uint32_t states = 0, high = 0; // register states that the system saves
  __asm__("xgetbv" : "=a"(states), "=d"(high) : "c"(0));
  if (!has(states, 1u << 1 | 1u << 2)) // xmm, ymm
    return levels;
  levels |= BPFAOT_CPUFEAT_X86_64_V3;
  // avx512f, dq, cd, bw, vl; masks, upper halves, upper registers
  if (has(more.b, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) && has(states, 1u << 5 | 1u << 6 | 1u << 7))
    levels |= BPFAOT_CPUFEAT_X86_64_V4;
  return levels;
}
#endif

std::string known_names() {
  std::string names;
  for (const Target* target : kAll)
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  return names;
}

} // namespace

std::span<const Target* const> all() {
  return kAll;
}

const Target& host() {
#if defined(__x86_64__)
  return kX86_64;
#elif defined(__aarch64__)
  return kAarch64;
#elif defined(__riscv) && __riscv_xlen == 64
  return kRiscv64;
#else
#error "the tools run on x86_64, aarch64 and riscv64"
#endif
}

uint64_t host_cpu_features() {
#if defined(__x86_64__)
  return x86_64_levels();
#else
  return 0; // no bit is defined: images are for the baseline
#endif
}

Result<const Target*> find(std::string_view name) {
  // A triple is ARCH[-VENDOR]-linux[-gnu|-musl]: images have no libc, so the rest changes nothing.
  const size_t dash = name.find('-');
  if (const Target* target = find_arch(name))
    return target;
  if (dash != std::string_view::npos && name.find("linux", dash) != std::string_view::npos)
    if (const Target* target = find_arch(name.substr(0, dash)))
      return target;
  return Failure(make_error(Code::kTargetUnknown, "unknown target '" + std::string(name) + "'")
                     .hint("known targets: " + known_names()));
}

const Target* find_machine(uint16_t e_machine) {
  for (const Target* target : kAll)
    if (target->e_machine == e_machine)
      return target;
  return nullptr;
}

const RegSlot* counterpart(const Target& source, const RegSlot& slot, const Target& target,
                           bool is_return) {
  if (&source == &target)
    return &slot;
  const RegMeaning wanted = meaning_of(slot, is_return);
  if (!nameable(wanted))
    return nullptr;
  for (const RegSlot& candidate : target.pt_regs)
    if (candidate.meaning == wanted)
      return &candidate;
  for (const RegSlot& candidate : target.pt_regs)
    if (has_meaning(candidate, wanted))
      return &candidate;
  return nullptr;
}

const RegSlot* slot_at(const Target& target, uint32_t offset) {
  for (const RegSlot& slot : target.pt_regs)
    if (offset >= slot.offset && offset - slot.offset < slot.size)
      return &slot;
  return nullptr;
}

} // namespace bpfaot::targets
