// SPDX-License-Identifier: MIT
//
// The riscv64 decoder against two others, LLVM's and GNU's, over all code of the machine's libraries:
// they must agree on every instruction. (capstone 4, which Debian 12 has and the x86_64 test uses, knows
// nothing of this machine.) And against random bytes that end at the last byte of a page.
#include "targets/riscv64/patch.h"
#include "tests/unit/targets/code_files.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cinttypes>
#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace bpfaot::targets {
namespace {

using riscv64::Decoded;

// By the names that all disassemblers share; aliases and canonical forms.
InsnClass class_of(std::string name, const std::string& operands) {
  if (name.starts_with("c.")) {
    name = name.substr(2);
  }
  static const std::map<std::string, InsnClass> kNames = {
      {"j", InsnClass::jump},          {"ret", InsnClass::ret},          {"ecall", InsnClass::syscall},
      {"ebreak", InsnClass::breakpoint}, {"unimp", InsnClass::trap},     {"nop", InsnClass::nop},
      {"beq", InsnClass::branch},      {"bne", InsnClass::branch},       {"blt", InsnClass::branch},
      {"bge", InsnClass::branch},      {"bltu", InsnClass::branch},      {"bgeu", InsnClass::branch},
      {"beqz", InsnClass::branch},     {"bnez", InsnClass::branch},      {"blez", InsnClass::branch},
      {"bgez", InsnClass::branch},     {"bltz", InsnClass::branch},      {"bgtz", InsnClass::branch},
      {"sret", InsnClass::trap},       {"mret", InsnClass::trap},        {"uret", InsnClass::trap},
  };
  const auto found = kNames.find(name);
  if (found != kNames.end()) {
    return found->second;
  }
  if (name == "jal") {
    return operands.starts_with("zero") ? InsnClass::jump : InsnClass::call;
  }
  if (name == "jr") {
    return operands == "ra" ? InsnClass::ret : InsnClass::indirect_jump;
  }
  if (name == "jalr") {
    const bool links = !operands.starts_with("zero");
    const bool returns = operands == "zero,0x0(ra)" || operands == "zero,0(ra)";
    return links ? InsnClass::indirect_call : returns ? InsnClass::ret : InsnClass::indirect_jump;
  }
  if (name == "addi" && (operands == "zero,zero,0x0" || operands == "zero,zero,0")) {
    return InsnClass::nop;
  }
  if (name == "addi" && operands == "zero,0") {
    return InsnClass::nop; // GNU for c.nop
  }
  if (name == "csrrw" && operands == "zero,cycle,zero") {
    return InsnClass::trap;
  }
  return InsnClass::other;
}

struct Tally {
  uint64_t insns = 0, targets = 0, wrong = 0;
  void check(const std::span<const uint8_t>& bytes, uint64_t pc, uint32_t length, const std::string& name,
             const std::string& operands, uint64_t target, bool has_target) {
    ++insns;
    targets += has_target;
    const std::optional<Insn> ours = riscv64::decode(bytes, pc);
    const InsnClass kind = class_of(name, operands);
    const bool same = ours && ours->length == length && ours->kind == kind &&
                      (!has_target || !ours->has_target || ours->target == target);
    if (!same && ++wrong <= 20) {
      ADD_FAILURE() << std::hex << pc << ": " << name << " " << operands << ": length " << (ours ? int{ours->length} : 0)
                    << " of " << length << ", class " << (ours ? static_cast<int>(ours->kind) : -1) << " of "
                    << static_cast<int>(kind) << ", target " << (ours ? ours->target : 0) << " of " << target;
    }
  }
};

class Riscv64Oracle : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

// Lines are "   5af34: 0001   <tab>c.nop" or "… <tab>c.j<tab>0x5af40 <name+0x3c>", more or less.
TEST_P(Riscv64Oracle, AgreesOnEveryInstruction) {
  const auto [tool, path] = GetParam();
  const std::vector<uint8_t> file = read_whole(path);
  if (!is_elf_of(file, EM_RISCV)) {
    GTEST_SKIP() << "no riscv64 file " << path;
  }
  if (*tool == 0) {
    GTEST_SKIP() << "the other disassembler is not installed";
  }
  FILE* pipe = popen((std::string(tool) + " -d -M no-aliases " + path + " 2>/dev/null").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  const std::vector<Text> sections = code_sections(file);
  Tally tally;
  char line[512];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    uint64_t pc = 0;
    char raw[16] = {}, name[32] = {}, rest[256] = {};
    const int fields = std::sscanf(line, " %" SCNx64 ": %15[0-9a-f] %31s %255[^\n]", &pc, raw, name, rest);
    if (fields < 3 || *name == '<') {
      continue;
    }
    std::string operands = rest;
    const size_t label = operands.find(" <");
    operands.resize(std::min({operands.size(), label, operands.find(" #")}));
    std::erase(operands, ' ');
    const size_t last = operands.find_last_of(",\t");
    const uint64_t target = std::strtoull(operands.c_str() + (last == std::string::npos ? 0 : last + 1), nullptr, 16);
    for (const Text& text : sections) {
      if (pc - text.address < text.bytes.size()) {
        tally.check(text.bytes.subspan(pc - text.address), pc, static_cast<uint32_t>(std::strlen(raw) / 2), name,
                    operands, target, label != std::string::npos);
      }
    }
  }
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_GT(tally.insns, 5000u);
  EXPECT_GT(tally.targets, tally.insns / 50);
  EXPECT_EQ(tally.wrong, 0u) << "of " << tally.insns;
}

#define LIBRARIES "/usr/riscv64-linux-gnu/lib/"
INSTANTIATE_TEST_SUITE_P(Files, Riscv64Oracle,
                         testing::Combine(testing::Values(LLVM_OBJDUMP, RISCV64_OBJDUMP),
                                          testing::Values(LIBRARIES "libc.so.6", LIBRARIES "libm.so.6",
                                                          LIBRARIES "libstdc++.so.6", LIBRARIES "libgcc_s.so.1",
                                                          LIBRARIES "ld-linux-riscv64-lp64d.so.1")));

// What the docs say of the C library: each exported function has a site, or a reason why not. Branches
// from other functions are the planner's business and are not looked at here.
TEST(Riscv64Census, EveryExportedFunctionOfTheCLibraryHasASiteOrAReason) {
  const std::vector<uint8_t> file = read_whole(LIBRARIES "libc.so.6");
  if (!is_elf_of(file, EM_RISCV)) {
    GTEST_SKIP() << "no riscv64 C library";
  }
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  std::map<std::string, int> outcomes;
  std::map<uint64_t, uint64_t> functions; // aliases once
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, &file[header.e_shoff + static_cast<uint64_t>(i) * sizeof section], sizeof section);
    for (uint64_t at = 0; section.sh_type == SHT_DYNSYM && at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, &file[section.sh_offset + at], sizeof symbol);
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF && symbol.st_size != 0) {
        functions[symbol.st_value] = symbol.st_size;
      }
    }
  }
  for (const auto& [start, size] : functions) {
    for (const Text& text : code_sections(file)) {
      if (start - text.address >= text.bytes.size()) {
        continue;
      }
      SiteRequest request{text.bytes.subspan(start - text.address), start, size, 0, start};
      request.code = request.code.first(std::min<size_t>(request.code.size(), size + 48));
      const auto next = functions.upper_bound(start);
      request.room = next != functions.end() ? next->first - start : 0;
      Result<SiteCover> cover = riscv64::cover(request);
      std::string outcome = cover ? "long" : "short";
      if (!cover) {
        request.need = 4;
        cover = riscv64::cover(request);
      }
      if (!cover) {
        outcome = code_text(cover.error().code);
      } else {
        const std::span<const uint8_t> covered = request.code.subspan(cover->patch_pc - start, cover->size);
        for (const int64_t distance : {int64_t{1} << 20, int64_t{0x7ffe0000}, -int64_t{0x7ffe0000}}) {
          const Result<MovedCode> moved = riscv64::move(covered, cover->patch_pc, start + static_cast<uint64_t>(distance), cover->scratch);
          EXPECT_TRUE(moved) << std::hex << start << ": " << moved.error().message;
        }
      }
      ++outcomes[outcome];
    }
  }
  int all = 0;
  for (const auto& [outcome, count] : outcomes) {
    std::printf("  %-20s %d\n", outcome.c_str(), count);
    all += count;
  }
  EXPECT_GT(all, 1500);
  EXPECT_GT(outcomes["long"], all * 8 / 10);
  EXPECT_GT(outcomes["long"] + outcomes["short"], all * 98 / 100);
}

TEST(Riscv64Decoder, NeverReadsBehindItsBytes) {
  const size_t page = 4096;
  auto* area = static_cast<uint8_t*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(area, MAP_FAILED);
  ASSERT_EQ(mprotect(area + page, page, PROT_NONE), 0);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200000; ++i) {
    const size_t size = random() % 18;
    uint8_t* bytes = area + page - size;
    for (size_t k = 0; k < size; ++k) {
      bytes[k] = static_cast<uint8_t>(random());
    }
    const std::optional<Insn> insn = riscv64::decode({bytes, size}, 0x1000);
    if (insn) {
      ASSERT_LE(insn->length, size);
      ASSERT_GE(insn->length, 2);
    }
    (void)riscv64::find_long_branches({bytes, size}, 0x1000);
    (void)riscv64::jump_target({bytes, size}, 0x1000);
    const Result<SiteCover> covered = riscv64::cover({{bytes, size}, 0x1000, size, 0, 0x1000});
    if (covered) {
      ASSERT_LE(covered->size, size);
      (void)riscv64::move({bytes + (covered->patch_pc - 0x1000), covered->size}, covered->patch_pc, 0x20000,
                          covered->scratch);
    }
  }
  munmap(area, 2 * page);
}

} // namespace
} // namespace bpfaot::targets
