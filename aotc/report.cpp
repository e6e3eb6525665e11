// SPDX-License-Identifier: MIT
#include "aotc/report.h"

#include "support/hex.h"
#include "support/json.h"
#include "support/sha256.h"

#include <cstdio>

namespace bpfaot::aotc {

std::string compilation_as_json(std::span<const ProgramVerdict> verdicts,
                                std::span<const Output> outputs, bool with_stats) {
  JsonWriter json;
  json.begin_object();
  write_verdicts(json, verdicts, with_stats);
  json.key("outputs").begin_array();
  for (const Output& output : outputs) {
    json.begin_object().key("target");
    output.target.empty() ? json.null() : json.value(output.target);
    json.key("stage").value(output.stage).key("file").value(output.path);
    json.key("size").value(uint64_t{output.bytes.size()});
    json.key("sha256").value(hex_digits(sha256(output.bytes))).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string stats_as_text(std::span<const ProgramVerdict> verdicts) {
  char line[200];
  std::string text = "program                          insns     walked  functions  stack  helpers\n";
  uint64_t programs = 0, insns = 0, walked = 0;
  for (const ProgramVerdict& verdict : verdicts) {
    const auto stats = stats_of(verdict);
    if (!stats)
      continue;
    std::snprintf(line, sizeof(line), "%-30.30s %7u %10llu %10u %6u %8u\n", verdict.name.c_str(),
                  stats->insns, static_cast<unsigned long long>(stats->walked), stats->functions,
                  stats->stack, stats->helpers);
    text += line;
    ++programs;
    insns += stats->insns;
    walked += stats->walked;
  }
  std::snprintf(line, sizeof(line), "verified %llu programs: %llu instructions, %llu walked\n",
                static_cast<unsigned long long>(programs), static_cast<unsigned long long>(insns),
                static_cast<unsigned long long>(walked));
  return text + line;
}

} // namespace bpfaot::aotc
