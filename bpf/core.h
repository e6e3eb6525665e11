// SPDX-License-Identifier: MIT
//
// CO-RE relocation records: what the compiler asks to be adjusted to the types of a running kernel.
// They are read completely and named; link_program.cpp decides which can be honoured.
#pragma once

#include "bpf/btf.h"
#include "support/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::bpf {

enum class CoreKind : uint32_t { // numbers of enum bpf_core_relo_kind
  field_byte_offset,
  field_byte_size,
  field_exists,
  field_signed,
  field_lshift_u64,
  field_rshift_u64,
  type_id_local,
  type_id_target,
  type_exists,
  type_size,
  enumval_exists,
  enumval_value,
  type_matches,
};

struct CoreRecord {
  uint32_t section = 0; // ELF index
  uint32_t slot = 0;    // within the section
  CoreKind kind{};
  uint32_t type = 0;  // root type
  std::string access; // "0:1:2"
};

std::string_view core_kind_name(CoreKind kind); // "field_byte_offset"
bool is_field_kind(CoreKind kind);
// The name without the "___flavour" that bpf_core_* macros use to tell versions apart.
std::string_view core_essential_name(std::string_view name);
// "0:1:2" as numbers, at least one. [btf-ext-malformed]
Result<std::vector<uint32_t>> parse_core_access(const CoreRecord& record);
// The error of a record whose access `what`.
Failure malformed_core_access(const CoreRecord& record, const char* what);
// "struct task_struct::nsproxy.mnt_ns", "enum bpf_func_id::BPF_FUNC_x", "struct sock". The access
// string must fit the types. [btf-ext-malformed]
Result<std::string> describe_core_target(const Btf& btf, const CoreRecord& record);
// "field_byte_offset of struct task_struct::tgid"
Result<std::string> describe_core(const Btf& btf, const CoreRecord& record);

} // namespace bpfaot::bpf
