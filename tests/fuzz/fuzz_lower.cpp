// SPDX-License-Identifier: MIT
//
// libFuzzer target: what the verifier accepts can be lowered, for each machine. Slow: run it long.
#include "conformance/bare_module.h"
#include "tests/fuzz/facts.h"

#include <cstdlib>

using namespace bpfaot;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const char* runtime = std::getenv("BPFAOT_FUZZ_RUNTIME");
  if (runtime == nullptr || size < 9 || size > 8 * 256)
    return 0;
  const std::vector<uint8_t> memory(data[0] & 1 ? 64 : 0, 0x5a);
  conformance::BareModule module("fuzz");
  std::optional<bpf::MapId> map;
  if (!memory.empty())
    map = module.add_memory(memory);
  if (!module.add("program", {data + 1, (size - 1) / 8 * 8}, map))
    return 0;
  fuzz::check_facts(module.programs()[0]);
  const auto machines = targets::all();
  const targets::Target& target = *machines[data[0] / 2 % machines.size()];
  fuzz::require(module.compile(target, runtime).has_value());
  return 0;
}
