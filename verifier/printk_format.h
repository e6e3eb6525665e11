// SPDX-License-Identifier: MIT
//
// Format strings of bpf_trace_printk and bpf_trace_vprintk, as the kernel and minirt read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bpfaot::verifier {

struct PrintkLimits {
  uint32_t most_arguments = 3;
};

// What is wrong with the format (with its terminator), if anything.
std::optional<std::string> check_printk_format(std::string_view format, const PrintkLimits& limits);

// The text up to its terminator with what does not print replaced, for messages.
std::string printable(std::string_view text);

} // namespace bpfaot::verifier
