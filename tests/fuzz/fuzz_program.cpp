// SPDX-License-Identifier: MIT
//
// libFuzzer target: objects whose instructions are changed are refused or linked and verified, and
// what the verifier says about an accepted program is whole.
#include "tests/fuzz/facts.h"
#include "tests/fuzz/mutate.h"

#include "bpf/link_program.h"

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

// Eight bytes at a time: another opcode, other registers, another offset or immediate, or an
// instruction of elsewhere.
void mutate_insn(uint8_t* code, uint64_t count, std::minstd_rand& random) {
  uint8_t* insn = code + random() % count * 8;
  switch (random() % 8) {
  case 0: insn[0] = static_cast<uint8_t>(random()); break;
  case 1: insn[0] ^= static_cast<uint8_t>(1u << random() % 8); break;
  case 2: insn[1] = static_cast<uint8_t>(random() % 12 | random() % 12 << 4); break;
  case 3: insn[1] ^= static_cast<uint8_t>(1u << random() % 8); break;
  case 4: {
    const auto off = static_cast<int16_t>(random() % 4 == 0 ? fuzz::interesting(random) : random() % 65 - 32);
    std::memcpy(insn + 2, &off, 2);
    break;
  }
  case 5: {
    const auto imm = static_cast<uint32_t>(random() % 2 ? fuzz::interesting(random) : random() % 256);
    std::memcpy(insn + 4, &imm, 4);
    break;
  }
  case 6: std::memmove(insn, code + random() % count * 8, 8); break;
  default: { // moves what follows along
    uint8_t* other = code + random() % count * 8;
    uint8_t swap[8];
    std::memcpy(swap, insn, 8);
    std::memmove(insn, other, 8);
    std::memcpy(other, swap, 8);
  }
  }
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed + 1);
  std::vector<fuzz::Section> code = fuzz::sections_of(data, size);
  std::erase_if(code, [&](const fuzz::Section& one) {
    return (one.header.sh_flags & SHF_EXECINSTR) == 0 || one.header.sh_size < 8 || one.header.sh_offset >= size ||
           size - one.header.sh_offset < one.header.sh_size;
  });
  if (code.empty() || random() % 16 == 0)
    return fuzz::mutate_elf(data, size, max_size, seed, [](const fuzz::Section& section) {
      const std::string_view name = section.name;
      return section.header.sh_type == SHT_REL || name == ".maps" || name == "maps" || name == ".BTF.ext";
    });
  for (unsigned times = 1 + random() % 4; times != 0; --times) {
    const Elf64_Shdr& section = code[random() % code.size()].header;
    mutate_insn(data + section.sh_offset, section.sh_size / 8, random);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto result = read_object({data, data + size}, "input");
  if (!result)
    return 0;
  const auto object = std::make_shared<const Object>(*std::move(result));
  for (size_t i = 0; i < object->programs.size() && i < 16; ++i) {
    const auto program = link_program(object, i);
    if (!program)
      continue;
    const auto verified = verifier::verify(*program, fuzz::options_for((*program)->kind));
    if (verified)
      fuzz::check_facts(*verified);
  }
  return 0;
}
