// SPDX-License-Identifier: MIT
//
// .BTF.ext: which function each piece of code is, which source line each instruction comes from
// (the text of the line included), and the CO-RE records. Positions are slots within an ELF
// section.
#pragma once

#include "bpf/btf.h"
#include "bpf/core.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::bpf {

struct FuncRecord {
  uint32_t section = 0, slot = 0;
  uint32_t type = 0; // a function
};

struct LineRecord {
  uint32_t section = 0, slot = 0;
  std::string_view file, text; // views into the object's Btf
  uint32_t line = 0, column = 0;
};

struct BtfExt { // each list sorted by section and slot
  std::vector<FuncRecord> functions;
  std::vector<LineRecord> lines;
  std::vector<CoreRecord> core;
};

// `find_section` gives the index of the ELF section of a name; records of unknown sections are left
// out. [btf-ext-malformed]
Result<BtfExt>
read_btf_ext(std::span<const uint8_t> section, const Btf& btf,
             const std::function<std::optional<uint32_t>(std::string_view)>& find_section);

} // namespace bpfaot::bpf
