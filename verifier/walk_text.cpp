// SPDX-License-Identifier: MIT
//
// Text that helpers are given: constants of .rodata, and the formats among them. What the object
// holds is checked here; the loader may still set another text of the same size, so minirt checks
// again and never reads behind the section.
#include "bpf/object.h"
#include "verifier/printk_format.h"
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {

using namespace bpf;

namespace {

constexpr int32_t kTracePrintk = 6, kSnprintf = 165;
constexpr uint64_t kLongestFormat = 511; // bytes; minirt copies it

// From `offset` to the end of the section.
std::string_view text_at(const MapDef& def, uint64_t offset) {
  if (def.section != MapSection::rodata || offset > def.initial.size())
    return {};
  return std::string_view(reinterpret_cast<const char*>(def.initial.data()), def.initial.size())
      .substr(offset);
}

} // namespace

// ARG_PTR_TO_CONST_STR of the kernel.
Status Walker::check_const_str(const CallContext& call, Reg r) const {
  const RegState& arg = state_.reg(r);
  const std::string found = name(r) + " is " + describe(arg);
  const auto wrong = [&](const char* needed) -> Status {
    return error(Code::kHelperArg, "bpf_" + std::string(call.info->name) + " needs a constant text",
                 found, needed);
  };
  if (arg.type != Type::map_value || arg.maybe_null || map(arg.object).section != MapSection::rodata)
    return wrong("the address of a constant of the program, in .rodata");
  if (!arg.value.is_constant())
    return wrong("the same text each time");
  if (text_at(map(arg.object), arg.value.umin).find('\0') == std::string_view::npos)
    return wrong("a text that ends with a zero byte");
  return {};
}

Status Walker::check_u64_out(const CallContext& call, Reg r) {
  TRY(check_helper_memory(call, r, {8, 8, true}, Access::write));
  const RegState& arg = state_.reg(r);
  if (((arg.value.bits.value | arg.value.bits.mask) & 7) != 0)
    return error(Code::kHelperArg,
                 "the result of bpf_" + std::string(call.info->name) + " is not aligned",
                 name(r) + " is " + describe(arg), "an address that is a multiple of 8");
  need_alignment(arg, 8);
  return {};
}

// A format that is constant can be checked now instead of failing at run time.
Status Walker::check_format(const CallContext& call) {
  const bool is_snprintf = call.info->id == kSnprintf;
  const RegState& format = state_.reg(is_snprintf ? Reg{3} : Reg{1});
  if (format.type != Type::map_value || !format.value.is_constant())
    return {};
  const MapDef& def = map(format.object);
  std::string_view text = text_at(def, format.value.umin);
  if (is_snprintf) {
    text = text.substr(0, text.find('\0') + 1);
    if (text.size() > kLongestFormat)
      return error(Code::kPrintkFormat, "the format is too long",
                   std::to_string(text.size() - 1) + " bytes", "at most 510");
  } else {
    const RegState& size = state_.reg(Reg{2});
    if (!size.value.is_constant() || size.value.umin > text.size())
      return {};
    text = text.substr(0, size.value.umin);
  }
  PrintkLimits limits;
  if (call.info->id == kTracePrintk) {
    limits.most_arguments = 3;
  } else {
    const RegState& data_size = state_.reg(is_snprintf ? Reg{5} : Reg{4});
    if (is_snprintf && data_size.value.is_constant() && data_size.value.umin % 8 != 0)
      return error(Code::kHelperSize, "the arguments of bpf_snprintf are not an array of 8-byte numbers",
                   std::to_string(data_size.value.umin) + " bytes", "a multiple of 8");
    if (!data_size.value.is_constant())
      return {};
    limits.most_arguments = static_cast<uint32_t>(data_size.value.umin / 8);
  }
  if (const std::optional<std::string> problem = check_printk_format(text, limits))
    return error(Code::kPrintkFormat, *problem, "the format \"" + printable(text) + "\"",
                 "conversions that the helper knows, with an argument for each");
  return {};
}

} // namespace bpfaot::verifier
