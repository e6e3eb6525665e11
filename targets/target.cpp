// SPDX-License-Identifier: MIT
//
// Finding a machine by name, and the map from one machine's pt_regs to another's by meaning.
#include "targets/target.h"

#include "support/hex.h"
#include "targets/rows.h"

#include <array>

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

// What a program means by reading `slot`.
RegMeaning meaning_of(const RegSlot& slot, RegMoment moment) {
  switch (moment) {
  case RegMoment::at_return:
    if (slot.second == RegMeaning::ret)
      return RegMeaning::ret;
    break;
  case RegMoment::at_syscall:
    return slot.second == RegMeaning::syscall_nr || slot.second == RegMeaning::syscall_arg4
               ? slot.second
               : slot.meaning;
  case RegMoment::entry: break;
  }
  return slot.meaning == RegMeaning::syscall_arg4 ? RegMeaning::other : slot.meaning;
}

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
  return host().cpu_features();
}

const FeatureRow* find_feature(const Target& target, std::string_view name) {
  for (const FeatureRow& row : target.features)
    if (row.name == name)
      return &row;
  return nullptr;
}

uint64_t required_features(const Target& target, std::string_view cpu,
                           std::span<const FeatureChoice> choices, bool uses_vectors) {
  uint64_t required = 0, usable = 0;
  for (const FeatureRow& row : target.features)
    if (uses_vectors || !row.is_vector)
      usable |= row.bit;
  for (const CpuRow& row : target.cpus)
    if (row.name == cpu)
      required = row.features;
  for (const FeatureChoice& choice : choices) {
    const FeatureRow* row = find_feature(target, choice.name);
    if (row == nullptr || (row->is_vector && !uses_vectors))
      continue;
    if (choice.on) {
      required |= row->bit | row->includes;
      continue;
    }
    // What a level has but for this feature, it has by name.
    for (const CpuRow& level : target.cpus)
      if ((level.members & row->bit) != 0 && (required & level.own) != 0)
        required = (required & ~level.own) | (level.members & usable);
    required &= ~row->bit;
    for (const FeatureRow& other : target.features)
      if ((other.includes & row->bit) != 0) // cannot be without it
        required &= ~other.bit;
  }
  return required;
}

std::string feature_names(const Target& target, uint64_t features) {
  std::string names;
  const auto add = [&](std::string_view name, uint64_t bits) {
    if ((features & bits) == 0)
      return;
    features &= ~bits;
    names += (names.empty() ? "" : ", ") + std::string(name);
  };
  for (const CpuRow& row : target.cpus)
    add(row.name, row.own);
  for (const FeatureRow& row : target.features)
    add(row.name, row.bit);
  if (features != 0)
    add(hex(features), features);
  return names;
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
                           RegMoment moment) {
  if (&source == &target)
    return &slot;
  const RegMeaning wanted = meaning_of(slot, moment);
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
