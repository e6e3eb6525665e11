// SPDX-License-Identifier: MIT
//
// Linking: layout, relocations, CO-RE, the machine of the context, and what is refused by name.
#include "tests/tools/carve.h"
#include "tests/unit/bpf/objects.h"

#include <unistd.h>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

class Linking : public testing::TestWithParam<const char*> {
protected:
  std::shared_ptr<const Program> good(std::string_view name) {
    auto program = link(object_, name);
    if (program)
      return *program;
    ADD_FAILURE() << name << ": " << program.error().message;
    return std::make_shared<Program>();
  }
  Diagnostic bad(std::string_view name) {
    auto program = link(object_, name);
    EXPECT_FALSE(program.has_value()) << name;
    return program ? Diagnostic() : program.error();
  }
  std::shared_ptr<const Object> object_ = read(GetParam());
};

bool mentions(const Diagnostic& diagnostic, std::string_view word) {
  return diagnostic.message.find(word) != std::string::npos;
}

} // namespace

TEST_P(Linking, AppendsEveryReachedFunctionOnce) {
  const auto program = good("calls");
  ASSERT_EQ(program->functions.size(), 3u) << text(*program);
  EXPECT_EQ(program->functions[0].name, "calls");
  EXPECT_EQ(program->functions[1].name, "middle");
  EXPECT_EQ(program->functions[2].name, "leaf");
  EXPECT_TRUE(program->functions[1].is_global);
  EXPECT_FALSE(program->functions[2].is_global);
  uint32_t slot = 0;
  unsigned calls_of_leaf = 0;
  for (size_t i = 0; i < program->insns.size(); ++i) {
    const ProgramInsn& item = program->insns[i];
    ASSERT_EQ(item.slot.value, slot);
    slot += slot_count(item.insn);
    if (const auto* call = std::get_if<CallLocal>(&item.insn)) {
      ASSERT_TRUE(item.callee.valid());
      const Function& callee = program->functions[item.callee.value];
      EXPECT_EQ(item.slot.value + 1 + static_cast<uint32_t>(call->off),
                program->at(callee.begin).slot.value);
      calls_of_leaf += callee.name == "leaf";
    }
    EXPECT_TRUE(program->function_of(InsnIndex(i)).valid());
  }
  EXPECT_EQ(program->slot_count(), slot);
  EXPECT_EQ(calls_of_leaf, 2u);
  EXPECT_EQ(program->function_of(program->functions[2].begin), FuncId(2));
}

TEST_P(Linking, ResolvesVariablesToMapAndOffset) {
  const auto program = good("calls");
  std::vector<std::string> used;
  for (const ProgramInsn& item : program->insns)
    if (const auto* load = std::get_if<LoadImm64>(&item.insn)) {
      ASSERT_EQ(load->kind, Imm64Kind::map_value);
      const MapId id(static_cast<uint32_t>(load->imm));
      for (const Variable& v : object_->variables)
        if (v.map == id && v.offset == load->imm >> 32)
          used.push_back(v.name);
    }
  EXPECT_EQ(used, (std::vector<std::string>{"hidden", "settings", "hits", "total", "limit"}));
}

TEST_P(Linking, ResolvesMapsAndCallbacks) {
  const auto program = good("callback");
  unsigned maps = 0, callbacks = 0;
  for (const ProgramInsn& item : program->insns)
    if (const auto* load = std::get_if<LoadImm64>(&item.insn)) {
      if (load->kind == Imm64Kind::map) {
        EXPECT_EQ(object_->map(MapId(static_cast<uint32_t>(load->imm))).name, "table");
        ++maps;
      } else if (load->kind == Imm64Kind::func) {
        EXPECT_EQ(program->functions[static_cast<uint32_t>(load->imm)].name, "each");
        EXPECT_EQ(item.callee, FuncId(1));
        ++callbacks;
      }
    }
  EXPECT_EQ(maps, 2u);
  EXPECT_EQ(callbacks, 1u);
}

TEST_P(Linking, ResolvesEveryJumpToAnInstruction) {
  for (size_t i = 0; i < object_->programs.size(); ++i) {
    const auto program = link_program(object_, i);
    for (const ProgramInsn& item : program ? (*program)->insns : std::vector<ProgramInsn>()) {
      if (const auto* branch = std::get_if<Branch>(&item.insn))
        EXPECT_EQ((*program)->at(item.target).slot.value, item.slot.value + 1 + branch->off);
      else if (const auto* jump = std::get_if<Jump>(&item.insn))
        EXPECT_EQ((*program)->at(item.target).slot.value, item.slot.value + 1 + jump->off);
      else
        EXPECT_FALSE(item.target.valid());
    }
  }
}

TEST_P(Linking, GivesEveryInstructionItsSourceLine) {
  const auto program = good("callback");
  bool found = false;
  for (size_t i = 0; i < program->insns.size(); ++i) {
    const LineInfo* line = program->line_of(InsnIndex(i));
    ASSERT_NE(line, nullptr);
    found |= line->text.find("v->count++") != std::string::npos &&
             line->file.ends_with("features.bpf.c");
  }
  EXPECT_TRUE(found);
}

TEST_P(Linking, ExternsAreResolvedOrRefusedByName) {
  good("config");
  Diagnostic unknown = bad("config_unknown");
  EXPECT_EQ(unknown.code, Code::kExtern);
  EXPECT_TRUE(mentions(unknown, "CONFIG_HZ"));
  Diagnostic ksym = bad("ksym");
  EXPECT_EQ(ksym.code, Code::kExtern);
  EXPECT_TRUE(mentions(ksym, "kernel_variable"));
  Diagnostic kfunc = bad("kfunc");
  EXPECT_EQ(kfunc.code, Code::kExtern);
  EXPECT_TRUE(mentions(kfunc, "kernel_function"));
  EXPECT_EQ(kfunc.subject, "kfunc");
  EXPECT_TRUE(kfunc.slot.has_value());
  ASSERT_TRUE(kfunc.location.has_value());
  EXPECT_NE(kfunc.location->text.find("kernel_function(1)"), std::string::npos);
  const auto weak = good("ksym_weak");
  EXPECT_EQ(weak->at(InsnIndex(1)).insn, Insn(LoadImm64{Imm64Kind::imm, Reg{1}, 0})) << text(*weak);
  const auto weak_call = good("kfunc_weak");
  unsigned poisoned = 0;
  for (const ProgramInsn& item : weak_call->insns)
    poisoned += item.poisoned;
  EXPECT_EQ(poisoned, 1u);
}

// Nobody describes the types here: fields keep the object's layout, and nothing is said to exist.
TEST_P(Linking, CoreRelocationsOfUnknownTypesAreAssumed) {
  const auto field = good("core_field");
  ASSERT_EQ(field->core_uses.size(), 1u);
  const CoreUse& use = field->core_uses.begin()->second;
  EXPECT_EQ(use.name, "struct task_struct::tgid");
  EXPECT_EQ(use.source, CoreUse::Source::assumed);
  const auto value = good("core_enum");
  EXPECT_NE(text(*value).find(" = 0"), std::string::npos) << text(*value);
  good("core_local_id");
}

TEST_P(Linking, SectionsThatCannotBeUnderstoodFailTheirProgramOnly) {
  EXPECT_EQ(bad("bad_section").code, Code::kSectionName);
}

TEST_P(Linking, TheContextIsThatOfTheObjectsMachine) {
  EXPECT_EQ(good("tail")->ctx_machine, CtxMachine::x86_64);
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Linking,
                         testing::Values("features_v1", "features", "features_v4"));

TEST(Link, WrongMapsFailTheProgramsThatUseThem) {
  const auto object = read("legacy");
  const std::pair<const char*, Code> cases[] = {
      {"uses_old", Code::kMapLegacy},        {"uses_no_type", Code::kMapNoType},
      {"uses_odd_attribute", Code::kMapDef}, {"uses_two_sizes", Code::kMapDef},
      {"uses_no_pointer", Code::kMapDef},    {"data_address", Code::kRelocUnsupported}};
  for (const auto& [name, code] : cases) {
    const auto program = link(object, name);
    ASSERT_FALSE(program.has_value()) << name;
    EXPECT_EQ(program.error().code, code) << name << ": " << program.error().message;
    EXPECT_TRUE(program.error().location.has_value()) << name;
  }
  EXPECT_TRUE(link(object, "fine").has_value());
}

TEST(Link, KnowsTheMachineByLayoutByRecordOrByOption) {
  EXPECT_EQ((*link(read("arm64"), "probe"))->ctx_machine, CtxMachine::aarch64);
  EXPECT_EQ((*link(read("arm64_core"), "probe"))->ctx_machine, CtxMachine::aarch64);
  EXPECT_EQ((*link(read("riscv64"), "probe"))->ctx_machine, CtxMachine::riscv64);
  EXPECT_EQ((*link(read("plain"), "plain"))->ctx_machine, CtxMachine::unknown);
  EXPECT_EQ((*link(read("plain"), "plain", {CtxMachine::riscv64}))->ctx_machine,
            CtxMachine::riscv64);
  EXPECT_EQ((*link(read("arm64"), "probe", {CtxMachine::riscv64}))->ctx_machine,
            CtxMachine::aarch64)
      << "the object knows better";
}

// Old compilers wrote function symbols without type and size, some tools strip them.
TEST(Link, FindsFunctionsWithoutFunctionSymbols) {
  for (const bool keep_names : {true, false}) {
    auto bytes = object_bytes("features");
    const auto whole = read(bytes, "features");
    for (uint32_t i = 0; i < whole->elf.sections.size(); ++i) {
      if (whole->elf.sections[i].type != 2) // SHT_SYMTAB
        continue;
      const size_t table =
          static_cast<size_t>(whole->elf.sections[i].data.data() - whole->bytes.data());
      for (size_t at = table; at < table + whole->elf.sections[i].size; at += 24)
        if ((bytes[at + 4] & 0xf) == 2) {
          bytes[at + 4] &= 0xf0; // NOTYPE
          std::fill_n(&bytes[at + 16], 8, uint8_t{0});
          if (!keep_names)
            std::fill_n(&bytes[at], 4, uint8_t{0});
        }
    }
    const auto old = read(bytes, "old");
    EXPECT_EQ(old->programs.size(), whole->programs.size());
    for (const char* name : {"calls", "callback", "config"}) {
      const auto then = link(old, name), now = link(whole, name);
      ASSERT_TRUE(then.has_value()) << name << ": " << then.error().message;
      EXPECT_EQ(text(**then), text(**now));
      EXPECT_EQ((*then)->functions.back().name, (*now)->functions.back().name)
          << "names come from BTF";
    }
  }
}

TEST(Link, PoisonedHelperCallsAreMarked) {
  auto bytes = object_bytes("plain");
  const auto object = read(bytes, "plain");
  const auto program = *link(object, "plain");
  size_t call = 0;
  while (!std::holds_alternative<CallHelper>(program->insns[call].insn))
    ++call;
  const auto& section = object->elf.sections[object->code[object->programs[0].code].section];
  const size_t at = static_cast<size_t>(section.data.data() - object->bytes.data()) +
                    program->insns[call].slot.value * 8 + 4;
  const uint32_t poison = 0xbad2310;
  std::memcpy(&bytes[at], &poison, 4);
  const auto poisoned = *link(read(bytes, "plain"), "plain");
  EXPECT_TRUE(poisoned->insns[call].poisoned);
  EXPECT_FALSE(program->insns[call].poisoned);
}

TEST(Link, JumpsOutOfTheFunctionOrIntoAnInstructionAreRefused) {
  auto bytes = object_bytes("features");
  const auto object = read(bytes, "features");
  const auto program = *link(object, "callback");
  for (const ProgramInsn& item : program->insns) {
    if (!std::holds_alternative<Branch>(item.insn) ||
        program->function_of(InsnIndex(static_cast<size_t>(&item - program->insns.data()))) !=
            FuncId(0))
      continue;
    uint32_t code = 0;
    for (const ProgramEntry& entry : object->programs)
      if (entry.name == "callback")
        code = entry.code;
    const size_t section = static_cast<size_t>(
        object->elf.sections[object->code[code].section].data.data() - object->bytes.data());
    const size_t at = section + (object->code[code].begin + item.slot.value) * 8 + 2;
    const auto patched = [&](int16_t off) {
      auto copy = bytes;
      std::memcpy(&copy[at], &off, 2);
      const auto result = link(read(copy, "patched"), "callback");
      return result ? Code::kInternal : result.error().code;
    };
    EXPECT_EQ(patched(INT16_MAX), Code::kJumpTarget);
    EXPECT_EQ(patched(static_cast<int16_t>(-static_cast<int>(item.slot.value) - 2)),
              Code::kJumpTarget);
    for (const ProgramInsn& other : program->insns)
      if (slot_count(other.insn) == 2 && other.slot.value < item.slot.value + 8) {
        EXPECT_EQ(patched(static_cast<int16_t>(static_cast<int>(other.slot.value) + 1 -
                                               static_cast<int>(item.slot.value) - 1)),
                  Code::kJumpTarget);
      }
    return;
  }
  FAIL() << "no branch to patch";
}

// The objects inside Debian's libbpf-tools, unmodified.
TEST(Link, DebiansUserSpaceToolsLinkWhole) {
  const std::pair<const char*, unsigned> tools[] = {
      {"bashreadline", 1}, {"gethostlatency", 2}, {"funclatency", 2}};
  for (const auto& [name, count] : tools) {
    const std::string path = std::string("/usr/sbin/") + name;
    if (access(path.c_str(), R_OK) != 0)
      GTEST_SKIP() << path << " is not installed (package libbpf-tools)";
    const auto file = read_file(path);
    const auto found = tests::carve(*file);
    ASSERT_EQ(found.size(), 1u) << name;
    const auto object = read({found[0].bytes.begin(), found[0].bytes.end()}, name);
    EXPECT_EQ(object->programs.size(), count) << name;
    EXPECT_TRUE(object->map_faults.empty());
    for (size_t i = 0; i < object->programs.size(); ++i) {
      const auto program = link_program(object, i);
      ASSERT_TRUE(program.has_value()) << name << ": " << program.error().message;
      EXPECT_EQ((*program)->kind.kind, ProgramKind::probe);
      EXPECT_EQ((*program)->ctx_machine, CtxMachine::x86_64) << name;
    }
  }
}
