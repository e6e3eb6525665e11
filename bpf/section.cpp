// SPDX-License-Identifier: MIT
//
// Section names against sections.def. What the table calls `place` and `function` is split into
// path, symbol and offset; everything else is kept as written.
#include "bpf/section.h"

#include <charconv>

namespace bpfaot::bpf {
namespace {

enum class Rest : uint8_t { exact, name, function, place, usdt, event };

struct Row {
  std::string_view prefix;
  ProgramKind kind;
  Rest rest;
  unsigned flags;
};

constexpr unsigned ret = 1, sleep = 2, multi = 4;

constexpr Row kRows[] = {
#define BPFAOT_SECTION(prefix, kind, rest, flags) {prefix, ProgramKind::kind, Rest::rest, flags},
#include "bpf/sections.def"
#undef BPFAOT_SECTION
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows) {
    if (!name.starts_with(row.prefix))
      continue;
    const std::string_view after = name.substr(row.prefix.size());
    if (after.empty() || (row.rest != Rest::exact && after.front() == '/'))
      return &row;
  }
  return nullptr;
}

bool parse_number(std::string_view text, uint64_t& value) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  if (is_hex)
    text.remove_prefix(2);
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  return error == std::errc() && end == text.data() + text.size();
}

Failure malformed(std::string_view name, std::string found, std::string needed) {
  return Failure(make_error(Code::kSectionName,
                            "section name '" + std::string(name) + "' cannot be understood")
                     .values(std::move(found), std::move(needed)));
}

// "SYMBOL+OFFSET": a plus sign followed by no number belongs to no symbol.
Status split_offset(std::string_view name, std::string_view text, SectionInfo& info) {
  const size_t plus = text.rfind('+');
  if (plus == std::string_view::npos) {
    info.symbol = text;
    return {};
  }
  info.symbol = text.substr(0, plus);
  if (info.symbol.empty())
    return malformed(name, "no symbol before '+'", "SYMBOL+OFFSET");
  if (!parse_number(text.substr(plus + 1), info.offset))
    return malformed(name, "offset '" + std::string(text.substr(plus + 1)) + "'", "a number");
  return {};
}

// Paths may contain colons only before the last one ("/a:b/c:malloc" is file "/a:b/c").
Status split_place(std::string_view name, std::string_view text, SectionInfo& info) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    if (text.find('/') != std::string_view::npos) {
      info.path = text;
      return {};
    }
    return split_offset(name, text, info);
  }
  info.path = text.substr(0, colon);
  const std::string_view symbol = text.substr(colon + 1);
  if (info.path.empty() || symbol.empty())
    return malformed(name, info.path.empty() ? "no path before ':'" : "no symbol after ':'",
                     "PATH:SYMBOL[+OFFSET]");
  if (info.multi) { // a glob pattern
    info.symbol = symbol;
    return {};
  }
  if (symbol.front() >= '0' && symbol.front() <= '9') {
    if (!parse_number(symbol, info.offset))
      return malformed(name, "offset '" + std::string(symbol) + "'", "a number");
    return {};
  }
  return split_offset(name, symbol, info);
}

Status split_usdt(std::string_view name, std::string_view text, SectionInfo& info) {
  const size_t second = text.rfind(':');
  const size_t first = second == std::string_view::npos || second == 0
                           ? std::string_view::npos
                           : text.rfind(':', second - 1);
  if (first == std::string_view::npos || first == 0 || second == first + 1 ||
      second + 1 == text.size())
    return malformed(name, "'" + std::string(text) + "'", "PATH:PROVIDER:NAME");
  info.path = text.substr(0, first);
  info.symbol = text.substr(first + 1);
  return {};
}

} // namespace

TailFamily tail_family(const SectionInfo& info) {
  switch (info.kind) {
  case ProgramKind::probe:
  case ProgramKind::usdt:
  case ProgramKind::ksyscall: return TailFamily::probe;
  case ProgramKind::tracepoint: return TailFamily::tracepoint;
  case ProgramKind::raw_tracepoint: return TailFamily::raw_tracepoint;
  case ProgramKind::perf_event: return TailFamily::perf_event;
  case ProgramKind::socket_filter: return TailFamily::socket;
  case ProgramKind::xdp:
    return info.prefix == "xdp.frags" ? TailFamily::xdp_frags : TailFamily::xdp;
  case ProgramKind::tc: return info.prefix == "action" ? TailFamily::action : TailFamily::tc;
  case ProgramKind::syscall:
  case ProgramKind::tp_btf:
  case ProgramKind::kernel_only:
  case ProgramKind::unknown: break;
  }
  return TailFamily::none;
}

Result<SectionInfo> parse_section(std::string_view name) {
  SectionInfo info;
  std::string_view text = name;
  if (text.starts_with('?')) {
    info.optional = true;
    text.remove_prefix(1);
  }
  const Row* row = find_row(text);
  if (row == nullptr)
    return info;
  info.kind = row->kind;
  info.prefix = row->prefix;
  info.is_return = (row->flags & ret) != 0;
  info.sleepable = (row->flags & sleep) != 0;
  info.multi = (row->flags & multi) != 0;
  text.remove_prefix(row->prefix.size());
  if (text.empty())
    return info;
  text.remove_prefix(1);
  if (text.empty())
    return info;
  switch (row->rest) {
  case Rest::exact: break;
  case Rest::name:
  case Rest::event: info.symbol = text; break;
  case Rest::function: TRY(split_offset(name, text, info)); break;
  case Rest::place: TRY(split_place(name, text, info)); break;
  case Rest::usdt: TRY(split_usdt(name, text, info)); break;
  }
  return info;
}

} // namespace bpfaot::bpf
