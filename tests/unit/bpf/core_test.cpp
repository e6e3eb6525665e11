// SPDX-License-Identifier: MIT
//
// Each question of CO-RE asked of types with another layout (objects/core.bpf.c), and what hostile
// records may do.
#include "bpf/core_resolve.h"
#include "tests/unit/bpf/objects.h"
#include "verifier/verifier.h"

#include <optional>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

std::shared_ptr<const CoreTypes> other_types() {
  auto types = CoreTypes::read_file(std::string(BPF_OBJECTS) + "/core_other.bpf.o");
  EXPECT_TRUE(types) << types.error().message;
  return types ? *types : nullptr;
}

std::shared_ptr<const Program> relocated(const std::string& name) {
  auto program = link(read("core"), name, {.types = other_types()});
  EXPECT_TRUE(program) << name << ": " << program.error().message;
  return program ? *program : std::make_shared<const Program>();
}

// What a program of two instructions returns.
std::optional<uint64_t> constant(const Program& program) {
  if (program.insns.size() != 2 || program.insns[0].poisoned)
    return std::nullopt;
  if (const auto* wide = std::get_if<LoadImm64>(&program.insns[0].insn))
    return wide->imm;
  const auto* alu = std::get_if<Alu>(&program.insns[0].insn);
  if (alu == nullptr || !std::holds_alternative<int32_t>(alu->src))
    return std::nullopt;
  return static_cast<uint64_t>(int64_t{std::get<int32_t>(alu->src)});
}

struct Answer {
  const char* program;
  uint64_t value;
};

class CoreAnswers : public testing::TestWithParam<Answer> {};

TEST_P(CoreAnswers, AreThoseOfTheOtherLayout) {
  const auto program = relocated(GetParam().program);
  const auto value = constant(*program);
  ASSERT_TRUE(value) << text(*program);
  EXPECT_EQ(*value, GetParam().value);
}

const Answer kAnswers[] = {
    {"offset_moved", 12},
    {"offset_same", 48},
    {"offset_in_anonymous", 64},
    {"offset_deep", 88},
    {"offset_of_element", 136},
    {"offset_of_byte", 161},
    {"offset_of_tail", 169},
    {"offset_of_second_struct", 2 * 168 + 12},
    {"offset_flavoured", 12},
    {"offset_of_bit_field", 52},
    {"size_shrinks", 2},
    {"size_grows", 8},
    {"size_of_bytes", 12},
    {"exists", 1},
    {"exists_not", 0},
    {"exists_not_in_flavour", 0},
    {"exists_not_that_kind", 0},
    {"exists_not_that_far", 0},
    {"exists_not_type", 0},
    {"sign_kept", 1},
    {"sign_lost", 0},
    {"lshift", 64 - (425 - 416 + 5)},
    {"rshift", 64 - 5},
    {"lshift_negative", 64 - (430 - 416 + 11)},
    {"rshift_negative", 64 - 11},
    {"lshift_becomes_bits", 64 - (441 - 416 + 6)},
    {"rshift_becomes_bits", 64 - 6},
    {"type_exists", 1},
    {"type_exists_not", 0},
    {"type_exists_typedef", 1},
    {"type_exists_not_that_kind", 0},
    {"type_exists_function", 1},
    {"type_size", 16},
    {"type_size_not", 0},
    {"type_matches", 1},
    {"type_matches_not", 0},
    {"value", 20},
    {"value_wide", 0x4321cba98700},
    {"value_exists", 1},
    {"value_exists_not", 0},
    {"value_exists_not_type", 0},
};
INSTANTIATE_TEST_SUITE_P(Kinds, CoreAnswers, testing::ValuesIn(kAnswers),
                         [](const auto& param) { return std::string(param.param.program); });

TEST(Core, ALocalTypeIdIsTheObjectsAndATargetTypeIdIsNot) {
  const auto object = read("core");
  const auto types = other_types();
  const auto local = constant(*relocated("id_local")), target = constant(*relocated("id_target"));
  ASSERT_TRUE(local && target);
  EXPECT_EQ(*local, object->btf.find(BtfKind::structure, "inner"));
  EXPECT_EQ(*target, types->btf().find(BtfKind::structure, "inner"));
}

TEST(Core, ALoadTakesOffsetAndSizeOfItsField) {
  EXPECT_NE(text(*relocated("load_moved")).find("r0 = *(u32 *)(r1 +12)"), std::string::npos)
      << text(*relocated("load_moved"));
  EXPECT_NE(text(*relocated("load_shrinks")).find("r0 = *(u16 *)(r1 +20)"), std::string::npos)
      << text(*relocated("load_shrinks"));
  EXPECT_NE(text(*relocated("load_grows")).find("r0 = *(u64 *)(r1 +24)"), std::string::npos)
      << text(*relocated("load_grows"));
  EXPECT_NE(text(*relocated("load_link")).find("r0 = *(u64 *)(r1 +144)"), std::string::npos)
      << text(*relocated("load_link"));
  EXPECT_NE(text(*relocated("store_moved")).find("*(u32 *)(r1 +12) = "), std::string::npos)
      << text(*relocated("store_moved"));
  EXPECT_NE(text(*relocated("store_shrinks")).find("*(u16 *)(r1 +20) = "), std::string::npos)
      << text(*relocated("store_shrinks"));
}

// A signed number of another size would have to be extended by its sign, which no load of the
// object's instruction set did; an offset beyond 32767 fits no load.
TEST(Core, ALoadThatCannotTakeItsFieldIsPoisoned) {
  for (const char* name : {"load_signed_grows", "load_far"}) {
    unsigned poisoned = 0;
    const auto program = relocated(name);
    for (const ProgramInsn& item : program->insns)
      poisoned += item.poisoned ? 1 : 0;
    EXPECT_EQ(poisoned, 1u) << name;
  }
}

TEST(Core, TypesOfOneNameThatDisagreeAreAnError) {
  const auto program = link(read("core"), "offset_of_many", {.types = other_types()});
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kCoreAmbiguous);
  EXPECT_TRUE(program.error().slot.has_value());
}

TEST(Core, PoisonIsAnErrorOnlyWhereItIsReached) {
  for (const char* name : {"poison", "poison_value"}) {
    const auto verified = verifier::verify(relocated(name), {});
    ASSERT_FALSE(verified) << name;
    EXPECT_EQ(verified.error().code, Code::kPoisoned);
    const std::string missing =
        name == std::string("poison") ? "struct shapes::gone" : "enum colour::RED";
    EXPECT_NE(verified.error().message.find(missing), std::string::npos)
        << verified.error().message;
  }
  const auto guarded = relocated("poison_behind_guard");
  EXPECT_EQ(guarded->poison.size(), 1u);
  EXPECT_TRUE(verifier::verify(guarded, {}));
}

TEST(Core, RawTypesAreReadAsWellAsAnElfFile) {
  const auto bytes = object_bytes("core_other");
  const auto section = find_elf_section(bytes, ".BTF");
  ASSERT_TRUE(section);
  EXPECT_TRUE(Btf::read(*section));
  EXPECT_EQ(find_elf_section(bytes, ".none").error().code, Code::kElfMalformed);
  EXPECT_EQ(find_elf_section(std::span(bytes).first(3), ".BTF").error().code, Code::kNotElf);
}

// In a process: its own types first, then the given ones, then the object's own layout.
std::optional<uint64_t> in_a_process(const std::string& name,
                                     std::shared_ptr<const CoreTypes> given) {
  const auto process = CoreTypes::of_a_process();
  EXPECT_TRUE(process) << process.error().message;
  const auto program = link(read("core"), name,
                            {.types = std::move(given), .process = process ? *process : nullptr});
  EXPECT_TRUE(program) << name << ": " << program.error().message;
  return program ? constant(**program) : std::nullopt;
}

TEST(Core, AProcessHasAFewOfTheKernelsTypes) {
  for (const auto& given : {std::shared_ptr<const CoreTypes>(), other_types()}) {
    EXPECT_EQ(in_a_process("task_offset", given), 4u);
    EXPECT_EQ(in_a_process("task_absent", given), static_cast<uint64_t>(int64_t{kAbsentField}));
    EXPECT_EQ(in_a_process("task_absent_size", given), 4u);
    EXPECT_EQ(in_a_process("task_absent_exists", given), 0u);
    EXPECT_EQ(in_a_process("helper_exists", given), 1u);
    EXPECT_EQ(in_a_process("helper_exists_not", given), 0u);
  }
}

TEST(Core, AnApplicationsNamesAreItsOwn) {
  EXPECT_EQ(in_a_process("offset_of_own", nullptr), static_cast<uint64_t>(int64_t{kAbsentField}));
  EXPECT_EQ(in_a_process("offset_of_own", other_types()), 8u);
}

TEST(Core, TypesThatNobodyDescribesKeepTheObjectsLayoutAndDoNotExist) {
  EXPECT_EQ(in_a_process("size_grows", nullptr), 4u);
  EXPECT_EQ(in_a_process("offset_deep", nullptr), 52u);
  EXPECT_EQ(in_a_process("lshift", nullptr), 56u);
  EXPECT_EQ(in_a_process("value", nullptr), 2u);
  EXPECT_EQ(in_a_process("type_size", nullptr), 8u);
  for (const char* name : {"exists", "type_exists", "type_matches", "value_exists"})
    EXPECT_EQ(in_a_process(name, nullptr), 0u) << name;
}

// A record of the object `core`, for questions that no compiler asks.
Result<CoreAnswer> ask(CoreKind kind, const std::string& type, const std::string& access) {
  const auto object = read("core");
  const auto types = other_types();
  const CoreRecord record{.section = 0,
                          .slot = 0,
                          .kind = kind,
                          .type = object->btf.find(BtfKind::structure, type).value_or(0),
                          .access = access};
  return resolve_core(object->btf, record, *types);
}

TEST(Core, RecordsThatDoNotFitTheTypesAreRefused) {
  for (const char* access : {"", "x", "0:", ":", "0:99", "0:0:0", "0:14:4", "0:16:16",
                             "4294967295:0", "99999999999", "-1", "0 "})
    EXPECT_FALSE(ask(CoreKind::field_byte_offset, "shapes", access)) << access;
  // 2^29 of these are 2^64 bits and more: nothing wraps to a small offset.
  const auto size = read("core")->btf.size_of(
      read("core")->btf.find(BtfKind::structure, "shapes").value_or(0));
  ASSERT_TRUE(size);
  for (uint64_t count = 1; count <= UINT32_MAX; count *= 2)
    for (const CoreKind kind : {CoreKind::field_byte_offset, CoreKind::field_exists}) {
      const bool is_near = count * *size * 8 <= uint64_t{1} << 36;
      EXPECT_EQ(ask(kind, "shapes", std::to_string(count)).has_value(), is_near) << count;
    }
  EXPECT_EQ(core_bits_at(0, UINT32_MAX, UINT32_MAX), std::nullopt);
  EXPECT_EQ(core_bits_at(0, 1u << 31, uint64_t{1} << 30), std::nullopt) << "2^64 bits";
  EXPECT_EQ(core_bits_at(uint64_t{1} << 36, 1, 1), std::nullopt);
  EXPECT_EQ(core_bits_at(8, 3, 4), 104u);
  EXPECT_EQ(core_bits_at(8, UINT32_MAX, 0), 8u);
  EXPECT_FALSE(ask(CoreKind::type_size, "shapes", "0:1"));
  EXPECT_FALSE(ask(CoreKind::type_exists, "shapes", "1"));
  EXPECT_FALSE(ask(CoreKind::enumval_value, "shapes", "0"));
  EXPECT_TRUE(ask(CoreKind::field_byte_offset, "shapes", "0:0"));
}

TEST(Core, RecordsOfAnotherKindOfInstructionAreRefused) {
  const CoreRecord offset{.kind = CoreKind::field_byte_offset, .access = "0:0"};
  const CoreRecord size{.kind = CoreKind::field_byte_size, .access = "0:0"};
  CoreAnswer answer;
  answer.value = 8;
  Insn exit = Exit{};
  EXPECT_FALSE(apply_core(exit, offset, answer));
  Insn map = LoadImm64{Imm64Kind::map, Reg{1}, 0};
  EXPECT_FALSE(apply_core(map, offset, answer));
  Insn load = Load{.size = Size::b4, .dst = Reg{1}, .base = Reg{2}, .off = 0};
  EXPECT_FALSE(apply_core(load, size, answer));
  answer.was = 4; // the load holds 0
  EXPECT_FALSE(apply_core(load, offset, answer));
}

} // namespace
