// SPDX-License-Identifier: MIT
//
// The helper and map tables as arrays.
#include "bpf/helpers.h"
#include "bpf/maps.h"

#include "bpfaot/abi.h"

#include <algorithm>

namespace bpfaot::bpf {
namespace {

// The short flag words of helpers.def. Everything that makes system calls says so: a process under
// seccomp must be able to refuse it.
constexpr uint64_t H_SITE = kHelperSite;
constexpr uint64_t H_GPL = kHelperGpl;
constexpr uint64_t H_GUARD = kHelperGuard;
constexpr uint64_t H_ACQUIRE = kHelperAcquire;
constexpr uint64_t H_RELEASE = kHelperRelease;
constexpr uint64_t H_SKB = kHelperSocket | kHelperTc;
constexpr uint64_t H_TC = kHelperTc;
constexpr uint64_t H_XDP = kHelperXdp;
constexpr uint64_t H_MOVES = kHelperMoves;
constexpr uint64_t H_PACKET = kHelperPacket;
constexpr uint64_t H_GENERIC = kHelperGeneric;
constexpr uint64_t H_THROWS = kHelperThrows;
constexpr uint64_t H_SYSCALL = BPFAOT_CAP_SYSCALLS;
constexpr uint64_t H_READ = BPFAOT_CAP_READ_MEMORY | BPFAOT_CAP_SYSCALLS;
constexpr uint64_t H_STACK =
    BPFAOT_CAP_READ_MEMORY | BPFAOT_CAP_SYSCALLS | kHelperSite | kHelperCtx;
constexpr uint64_t H_TIME = BPFAOT_CAP_TIME;
constexpr uint64_t H_PRINTK = BPFAOT_CAP_PRINTK | BPFAOT_CAP_SYSCALLS | kHelperGuard;

using namespace map_class;

constexpr HelperInfo kHelpers[] = {
#define BPFAOT_HELPER(id, name, ret, a1, a2, a3, a4, a5, maps, flags)                              \
  {id,                                                                                             \
   #name,                                                                                          \
   HelperRet::ret,                                                                                 \
   {HelperArg::a1, HelperArg::a2, HelperArg::a3, HelperArg::a4, HelperArg::a5},                    \
   maps,                                                                                           \
   flags},
#include "bpf/helpers.def"
#undef BPFAOT_HELPER
};
static_assert(std::is_sorted(std::begin(kHelpers), std::end(kHelpers),
                             [](const HelperInfo& a, const HelperInfo& b) { return a.id < b.id; }));

constexpr HelperInfo kKfuncs[] = {
#define BPFAOT_KFUNC(name, ret, a1, a2, a3, a4, a5, flags)                                         \
  {kfunc_##name,                                                                                   \
   #name,                                                                                          \
   HelperRet::ret,                                                                                 \
   {HelperArg::a1, HelperArg::a2, HelperArg::a3, HelperArg::a4, HelperArg::a5},                    \
   no_map,                                                                                         \
   (flags) | H_GPL},
#include "bpf/kfuncs.def"
#undef BPFAOT_KFUNC
};
static_assert(kKfuncs[0].id == kKfuncsBegin);

constexpr std::string_view kKernelHelpers[] = {
    "unspec",
#define BPFAOT_KERNEL_HELPER(id, name) #name,
#include "bpf/kernel_helpers.def"
#undef BPFAOT_KERNEL_HELPER
};
static_assert(std::size(kKernelHelpers) == 212);

constexpr MapTypeInfo kMapTypes[] = {
#define BPFAOT_MAP_TYPE(number, name, cls, per_cpu) {MapType{number}, #name, cls, per_cpu},
#include "bpf/maps.def"
#undef BPFAOT_MAP_TYPE
};

constexpr std::string_view kKernelMapTypes[] = {
    "unspec",
#define BPFAOT_KERNEL_MAP_TYPE(number, name) #name,
#include "bpf/kernel_maps.def"
#undef BPFAOT_KERNEL_MAP_TYPE
};

} // namespace

std::span<const HelperInfo> all_helpers() {
  return kHelpers;
}

const HelperInfo* find_helper(int32_t id) {
  const auto* found =
      std::lower_bound(std::begin(kHelpers), std::end(kHelpers), id,
                       [](const HelperInfo& row, int32_t wanted) { return row.id < wanted; });
  return found != std::end(kHelpers) && found->id == id ? found : nullptr;
}

std::span<const HelperInfo> all_kfuncs() {
  return kKfuncs;
}

const HelperInfo* find_kfunc(int32_t id) {
  const int64_t row = int64_t{id} - kKfuncsBegin;
  return row >= 0 && row < static_cast<int64_t>(std::size(kKfuncs)) ? &kKfuncs[row] : nullptr;
}

const HelperInfo* find_kfunc(std::string_view name) {
  constexpr std::string_view kPrefix = "bpf_";
  if (!name.starts_with(kPrefix))
    return nullptr;
  for (const HelperInfo& row : kKfuncs)
    if (row.name == name.substr(kPrefix.size()))
      return &row;
  return nullptr;
}

bool is_gpl_compatible(std::string_view license) {
  constexpr std::string_view kTexts[] = {"GPL",          "GPL v2",       "GPL and additional rights",
                                         "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};
  return std::find(std::begin(kTexts), std::end(kTexts), license) != std::end(kTexts);
}

std::string_view kernel_helper_name(int32_t id) {
  if (id <= 0 || static_cast<size_t>(id) >= std::size(kKernelHelpers))
    return {};
  return kKernelHelpers[id];
}

std::string helper_name(int32_t id) {
  const std::string_view name = kernel_helper_name(id);
  return name.empty() ? "helper " + std::to_string(id) : "bpf_" + std::string(name);
}

std::span<const MapTypeInfo> all_map_types() {
  return kMapTypes;
}

const MapTypeInfo* find_map_type(MapType type) {
  for (const MapTypeInfo& row : kMapTypes)
    if (row.type == type)
      return &row;
  return nullptr;
}

std::string map_type_name(MapType type) {
  const auto number = static_cast<uint32_t>(type);
  if (number < std::size(kKernelMapTypes))
    return std::string(kKernelMapTypes[number]);
  return "map type " + std::to_string(number);
}

} // namespace bpfaot::bpf
