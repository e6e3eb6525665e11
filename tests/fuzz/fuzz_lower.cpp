// SPDX-License-Identifier: MIT
//
// libFuzzer target: what the verifier accepts can be lowered, for each machine. Slow: run it long.
#include "tests/fuzz/facts.h"
#include "tests/tools/raw_program.h"

#include <cstdlib>

using namespace bpfaot;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const char* runtime = std::getenv("BPFAOT_FUZZ_RUNTIME");
  if (runtime == nullptr || size < 9 || size > 8 * 256)
    return 0;
  const std::vector<uint8_t> memory(data[0] & 1 ? 64 : 0, 0x5a);
  const auto verified = tests::verify_raw({data + 1, (size - 1) / 8 * 8}, memory);
  if (!verified)
    return 0;
  fuzz::check_facts(*verified);
  const auto machines = targets::all();
  const targets::Target& target = *machines[data[0] / 2 % machines.size()];
  fuzz::require(tests::compile_raw(*verified, target, runtime).has_value());
  return 0;
}
