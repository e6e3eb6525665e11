// SPDX-License-Identifier: MIT
//
// A machine's decoder against capstone, over all code of an ELF file: same lengths, same classes,
// same targets. Each machine says what class it expects of an instruction that capstone has decoded.
#pragma once

#include "targets/patch.h"
#include "tests/unit/targets/code_files.h"

#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace bpfaot::targets::oracle {

struct Expected {
  InsnClass kind = InsnClass::other;
  bool pc_relative = false;
  std::optional<uint64_t> target; // when ours has one
};

struct Machine {
  const Patcher* patcher;
  cs_arch arch;
  cs_mode mode;
  uint32_t step; // over bytes that capstone does not know
  Expected (*expect)(csh handle, const cs_insn& insn);
};

struct Tally {
  uint64_t insns = 0, wrong = 0;
};

inline void compare(const Machine& machine, csh handle, cs_insn* insn, const Text& text, Tally& tally) {
  const uint8_t* code = text.bytes.data();
  size_t left = text.bytes.size();
  uint64_t address = text.address;
  while (left >= machine.step) {
    if (!cs_disasm_iter(handle, &code, &left, &address, insn)) {
      code += machine.step, left -= machine.step, address += machine.step;
      continue;
    }
    ++tally.insns;
    const std::span<const uint8_t> bytes = text.bytes.subspan(insn->address - text.address);
    const std::optional<Insn> ours = machine.patcher->decode(bytes, insn->address);
    const Expected theirs = machine.expect(handle, *insn);
    const bool same = ours && ours->length == insn->size && ours->kind == theirs.kind &&
                      ours->pc_relative == theirs.pc_relative &&
                      (!theirs.target || ((ours->has_target || ours->pc_relative) && ours->target == *theirs.target));
    if (!same && ++tally.wrong <= 20) {
      std::string hex;
      for (int i = 0; i < insn->size; ++i) {
        char two[4];
        std::snprintf(two, sizeof two, "%02x ", insn->bytes[i]);
        hex += two;
      }
      ADD_FAILURE() << hex << insn->mnemonic << " " << insn->op_str << ": length "
                    << (ours ? int{ours->length} : 0) << " of " << insn->size << ", class "
                    << (ours ? static_cast<int>(ours->kind) : -1) << " of " << static_cast<int>(theirs.kind)
                    << ", target " << (ours ? ours->target : 0) << " of " << theirs.target.value_or(0);
    }
  }
}

// Skips when the file is not there; fails when it holds little code.
inline void expect_agreement(const Machine& machine, const char* path) {
  const std::vector<uint8_t> file = read_whole(path);
  if (!is_elf_of(file, machine.patcher->e_machine)) {
    GTEST_SKIP() << "no file of this machine: " << path;
  }
  const std::vector<Text> texts = code_sections(file);
  csh handle = 0;
  ASSERT_EQ(cs_open(machine.arch, machine.mode, &handle), CS_ERR_OK);
  cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
  cs_insn* insn = cs_malloc(handle);
  Tally tally;
  for (const Text& text : texts) {
    compare(machine, handle, insn, text, tally);
  }
  cs_free(insn, 1);
  cs_close(&handle);
  EXPECT_GT(tally.insns, 10000u);
  EXPECT_EQ(tally.wrong, 0u) << "of " << tally.insns;
}

} // namespace bpfaot::targets::oracle
