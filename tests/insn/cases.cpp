// SPDX-License-Identifier: MIT
#include "tests/insn/cases.h"

#include "conformance/bare_module.h"
#include "unit/verifier/assemble.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace bpfaot::tests {
namespace {

struct Trap {
  const char* trap; // what goes wrong in an implementation that has not thought of it
  const char* text;
  uint64_t expected;
  const char* memory = ""; // hex
  const char* refusal = "";
};

// The memory of most cases: bytes 00 01 02 … 0f, then 8 bytes 80 … 87.
#define BYTES "000102030405060708090a0b0c0d0e0f8081828384858687"

const Trap kTraps[] = {
#include "tests/insn/traps.inc"
};

} // namespace

// As a kernel would be given it: calls and function addresses relative.
std::vector<uint8_t> encoded(const bpf::Program& program) {
  std::vector<bpf::RawInsn> raw;
  for (const bpf::ProgramInsn& at : program.insns) {
    bpf::Insn insn = at.insn;
    if (auto* load = std::get_if<bpf::LoadImm64>(&insn);
        load != nullptr && load->kind == bpf::Imm64Kind::func) {
      const uint32_t to = program.at(program.functions[at.callee.value].begin).slot.value;
      load->imm = to - (at.slot.value + 1);
    }
    bpf::encode(insn, raw);
  }
  std::vector<uint8_t> bytes(raw.size() * sizeof(bpf::RawInsn));
  std::memcpy(bytes.data(), raw.data(), bytes.size());
  return bytes;
}

std::vector<IsaCase> public_cases(const std::string& path) {
  std::vector<IsaCase> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    std::istringstream fields(line);
    std::string name, version, code, memory, expected;
    std::getline(fields, name, '\t');
    std::getline(fields, version, '\t');
    std::getline(fields, code, '\t');
    std::getline(fields, memory, '\t');
    std::getline(fields, expected, '\t');
    cases.push_back({name, *conformance::parse_hex(code), *conformance::parse_hex(memory),
                     std::stoull(expected, nullptr, 16), ""});
  }
  return cases;
}

std::vector<IsaCase> trap_cases() {
  std::vector<IsaCase> cases;
  for (const Trap& trap : kTraps)
    cases.push_back({trap.trap, encoded(*verifier::test::assemble(trap.text)),
                     *conformance::parse_hex(trap.memory), trap.expected, trap.refusal});
  return cases;
}

} // namespace bpfaot::tests
