// SPDX-License-Identifier: MIT
//
// Constants of the probe that the user sets before it runs: --set name=value, by the variable's
// type. `value` is text from the command line.
#pragma once

#include "loader/image.h"
#include "support/result.h"
#include "support/value.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

// Index of the variable. [variable-unknown] names the nearest and the known ones.
Result<uint32_t> find_variable(const Image& image, std::string_view name);
// The bytes of `text` as `variable` has them: integers (also 0x…, enumerators, true and false),
// characters, text into char arrays (with its zero), lists `1,2,3` into other arrays.
// [variable-value] says what the type needs.
Result<std::vector<uint8_t>> encode_setting(const Image& image, const bpfaot_variable& variable,
                                            std::string_view text);
// "u32", "char[16]", "struct s", "bool".
std::string type_text(const Image& image, uint32_t type);

} // namespace bpfaot::loader
