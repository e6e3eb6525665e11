// SPDX-License-Identifier: MIT
//
// Access to helpers.def and kfuncs.def (what minirt implements) and kernel_helpers.def (every helper
// the kernel has, so that the rest can be refused by name).
#pragma once

#include "bpf/maps.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::bpf {

// Meanings are stated at the top of helpers.def.
enum class HelperArg : uint8_t {
  none,
  anything,
  scalar,
  ctx,
  map,
  key,
  value,
  value_out,
  mem_in,
  mem_in_or_null,
  mem_out,
  mem_out_or_null,
  size,
  size_or_zero,
  const_size,
  record,
  callback,
  stack_or_null,
  const_str,
  u64_out,
  num_iterator_new,
  num_iterator,
  num_iterator_end,
  dynptr_new,
  dynptr,
  dynptr_end,
  map_memory,
  scratch_or_null,
};
enum class HelperRet : uint8_t {
  integer,
  nothing,
  map_value_or_null,
  memory_or_null,
  iterator_element,
  slice_or_null,
};

// HelperInfo::flags above the BPFAOT_CAP_* bits.
enum : uint64_t {
  kHelperSite = 1u << 24,    // reads ctx[-1]
  kHelperCtx = 1u << 25,     // reads the whole context
  kHelperGuard = 1u << 26,   // not re-entrant
  kHelperAcquire = 1u << 27, // returns a reference that must be released
  kHelperRelease = 1u << 28, // ends the reference of its `record` argument
  kHelperSocket = 1u << 29,  // with one of the next three: for programs of these kinds only
  kHelperTc = 1u << 30,
  kHelperXdp = uint64_t{1} << 31,
  kHelperMoves = uint64_t{1} << 32,  // may move the packet: pointers into it are lost
  kHelperPacket = uint64_t{1} << 33, // its buffers may lie in the packet
  kHelperGpl = uint64_t{1} << 34,    // only for programs with a GPL-compatible licence
  kHelperThrows = uint64_t{1} << 36,  // does not return
  kHelperGeneric = uint64_t{1} << 35, // not for probes, raw tracepoints and socket filters
  kHelperKinds = kHelperSocket | kHelperTc | kHelperXdp,
  kHelperCapMask = (1u << 24) - 1,
};

// Kfuncs are described as helpers are, with ids behind all of those.
enum KfuncId : int32_t {
  kKfuncsBegin = 0x10000,
  kKfuncBeforeFirst = kKfuncsBegin - 1,
#define BPFAOT_KFUNC(name, ...) kfunc_##name,
#include "bpf/kfuncs.def"
#undef BPFAOT_KFUNC
};

inline constexpr int32_t kTailCall = 12; // the one helper that may not come back

struct HelperInfo {
  int32_t id;
  std::string_view name; // "map_lookup_elem", without the "bpf_"
  HelperRet ret;
  std::array<HelperArg, 5> args;
  MapClassMask maps; // what the map argument accepts
  uint64_t flags;    // BPFAOT_CAP_* and kHelper*

  uint32_t capabilities() const { return static_cast<uint32_t>(flags & kHelperCapMask); }
  bool is_kfunc() const { return id >= kKfuncsBegin; }
  unsigned arg_count() const {
    unsigned count = 0;
    while (count < args.size() && args[count] != HelperArg::none)
      ++count;
    return count;
  }
};

std::span<const HelperInfo> all_helpers();       // those of helpers.def, by id
const HelperInfo* find_helper(int32_t id);       // null: minirt has none
std::span<const HelperInfo> all_kfuncs();        // those of kfuncs.def, in its order
const HelperInfo* find_kfunc(int32_t id);        // by KfuncId
const HelperInfo* find_kfunc(std::string_view name); // "bpf_iter_num_new"; null: minirt has none
std::string_view kernel_helper_name(int32_t id); // "" when the kernel has no such helper
// "bpf_get_stackid" for any helper of the kernel, "helper 1006" for others.
std::string helper_name(int32_t id);
// As the kernel decides it (include/linux/license.h): one of six texts, letter by letter.
bool is_gpl_compatible(std::string_view license);

} // namespace bpfaot::bpf
