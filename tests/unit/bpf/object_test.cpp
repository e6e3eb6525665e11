// SPDX-License-Identifier: MIT
//
// What is read from objects that clang compiled.
#include "tests/unit/bpf/objects.h"

#include <algorithm>
#include <cstring>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

const MapDef& map(const Object& object, std::string_view name) {
  static const MapDef none;
  const auto id = object.find_map(name);
  EXPECT_TRUE(id.has_value()) << name;
  return id ? object.map(*id) : none;
}

const Variable& variable(const Object& object, std::string_view name) {
  static const Variable none;
  for (const Variable& v : object.variables)
    if (v.name == name)
      return v;
  ADD_FAILURE() << "no variable " << name;
  return none;
}

class Objects : public testing::TestWithParam<const char*> {
protected:
  std::shared_ptr<const Object> object_ = read(GetParam());
};

} // namespace

TEST_P(Objects, ListEveryProgramWithWhatItsSectionSays) {
  std::vector<std::string> names;
  for (const ProgramEntry& entry : object_->programs)
    names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const std::vector<std::string> expected = {"bad_section", "callback",       "calls",
                                             "config",      "config_unknown", "core_enum",
                                             "core_field",  "core_local_id",  "kernel_only_program",
                                             "kfunc",       "kfunc_weak",     "ksym",
                                             "ksym_weak",   "tail",           "unknown_kind"};
  EXPECT_EQ(names, expected);
  for (const ProgramEntry& entry : object_->programs) {
    EXPECT_EQ(entry.fault.has_value(), entry.name == "bad_section");
    if (entry.name == "callback") {
      EXPECT_TRUE(entry.kind.is_return);
      EXPECT_EQ(entry.kind.path, "libc.so.6");
      EXPECT_EQ(entry.kind.symbol, "malloc");
      EXPECT_EQ(entry.kind.offset, 4u);
    }
    EXPECT_EQ(entry.kind.optional, entry.name == "tail");
    EXPECT_EQ(entry.kind.kind == ProgramKind::kernel_only, entry.name == "kernel_only_program");
    EXPECT_EQ(entry.kind.kind == ProgramKind::unknown,
              entry.name == "unknown_kind" || entry.name == "bad_section");
  }
}

TEST_P(Objects, GiveEveryAttributeOfAMap) {
  const MapDef& table = map(*object_, "table");
  EXPECT_EQ(table.type, MapType::hash);
  EXPECT_EQ(table.key_size, 8u);
  EXPECT_EQ(table.value_size, 24u);
  EXPECT_EQ(table.max_entries, 1024u);
  EXPECT_EQ(table.flags, 1u);
  EXPECT_EQ(table.pinning, 1u);
  EXPECT_EQ(object_->btf.name_of(table.key_type), "struct key");
  EXPECT_EQ(object_->btf.name_of(table.value_type), "struct value");
  const MapDef& output = map(*object_, "output");
  EXPECT_EQ(output.type, MapType::perf_event_array);
  EXPECT_EQ(output.key_size, 4u);
  EXPECT_EQ(output.max_entries, 0u) << "left open by the object";
  EXPECT_EQ(map(*object_, "bloom").map_extra, 3u);
  EXPECT_TRUE(object_->map_faults.empty());
}

TEST_P(Objects, GiveInnerMapsAndInitialValues) {
  const MapDef& outer = map(*object_, "outer");
  ASSERT_TRUE(outer.inner.has_value());
  const MapDef& inner = object_->map(*outer.inner);
  EXPECT_TRUE(inner.is_inner_template);
  EXPECT_EQ(inner.type, MapType::array);
  EXPECT_EQ(inner.max_entries, 7u);
  EXPECT_EQ(inner.value_size, 8u);
  ASSERT_EQ(outer.values.size(), 2u);
  EXPECT_EQ(outer.values[0].symbol, "first");
  EXPECT_EQ(outer.values[1].index, 2u);
  EXPECT_EQ(outer.values[1].symbol, "second");
  const MapDef& tails = map(*object_, "tails");
  ASSERT_EQ(tails.values.size(), 1u);
  EXPECT_EQ(tails.values[0].index, 1u);
  EXPECT_EQ(tails.values[0].symbol, "tail");
}

TEST_P(Objects, TurnDataSectionsIntoMapsWithVariables) {
  const MapDef& rodata = map(*object_, ".rodata");
  EXPECT_EQ(rodata.section, MapSection::rodata);
  EXPECT_TRUE(rodata.read_only_for_programs());
  EXPECT_EQ(rodata.type, MapType::array);
  EXPECT_EQ(rodata.max_entries, 1u);
  EXPECT_EQ(rodata.initial.size(), rodata.value_size);
  const Variable& limit = variable(*object_, "limit");
  EXPECT_EQ(&object_->map(limit.map), &rodata);
  EXPECT_EQ(limit.size, 4u);
  uint32_t value = 0;
  std::memcpy(&value, rodata.initial.data() + limit.offset, 4);
  EXPECT_EQ(value, 12u);
  EXPECT_EQ(object_->btf.name_of(object_->btf.resolve(variable(*object_, "settings").type)),
            "struct value");
  const Variable& hits = variable(*object_, "hits");
  EXPECT_EQ(object_->map(hits.map).section, MapSection::bss);
  EXPECT_TRUE(object_->map(hits.map).initial.empty());
  EXPECT_EQ(object_->map(hits.map).value_size, 32u);
  EXPECT_EQ(object_->map(variable(*object_, "total").map).section, MapSection::data);
  EXPECT_EQ(object_->map(variable(*object_, "hidden").map).name, ".data.own");
  EXPECT_TRUE(variable(*object_, "hidden").is_static);
}

TEST_P(Objects, KnowWhatAKernelConfigurationCanBeInAProcess) {
  const MapDef& config = map(*object_, ".kconfig");
  EXPECT_EQ(config.section, MapSection::kconfig);
  EXPECT_EQ(config.initial[variable(*object_, "LINUX_HAS_BPF_COOKIE").offset], 1);
  EXPECT_TRUE(variable(*object_, "CONFIG_MAYBE").is_resolved);
  EXPECT_FALSE(variable(*object_, "CONFIG_HZ").is_resolved);
}

TEST_P(Objects, GiveLicenceDigestAndSourceText) {
  EXPECT_EQ(object_->license, "Dual MIT/GPL");
  EXPECT_EQ(object_->digest, sha256(object_->bytes));
  const bool has_text =
      std::any_of(object_->ext.lines.begin(), object_->ext.lines.end(), [](const LineRecord& line) {
        return line.text.find("__sync_fetch_and_add(&total, x);") != std::string_view::npos &&
               line.line > 0;
      });
  EXPECT_TRUE(has_text);
}

TEST_P(Objects, GiveEveryCoreRecordWithItsName) {
  std::vector<std::string> names;
  for (const CoreRecord& record : object_->ext.core) {
    auto name = describe_core(object_->btf, record);
    ASSERT_TRUE(name.has_value());
    names.push_back(*name);
  }
  const auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  EXPECT_TRUE(has("field_byte_offset of struct task_struct::tgid"));
  EXPECT_TRUE(has("enumval_exists of enum bpf_feature::FEATURE_B"));
  EXPECT_TRUE(has("type_id_local of struct task_struct"));
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Objects,
                         testing::Values("features_v1", "features", "features_v4"));

TEST(Object, WithoutDebugInformationIsRead) {
  const auto object = read("plain");
  ASSERT_EQ(object->programs.size(), 1u);
  EXPECT_EQ(object->programs[0].name, "plain");
  EXPECT_TRUE(object->btf.empty());
  EXPECT_EQ(object->license, "");
}

TEST(Object, WrongMapDefinitionsAreFaultsOfTheMap) {
  const auto object = read("legacy");
  const auto code = [&](std::string_view name) {
    const auto fault = object->map_faults.find(*object->find_map(name));
    return fault == object->map_faults.end() ? "" : std::string(code_text(fault->second.code));
  };
  EXPECT_EQ(code("no_type"), "map-no-type");
  EXPECT_EQ(code("odd_attribute"), "map-def");
  EXPECT_EQ(code("two_sizes"), "map-def");
  EXPECT_EQ(code("no_pointer"), "map-def");
}

TEST(Object, CoreNamesLoseTheirFlavour) {
  EXPECT_EQ(core_essential_name("task_struct___old"), "task_struct");
  EXPECT_EQ(core_essential_name("task_struct"), "task_struct");
  EXPECT_EQ(core_essential_name("___x"), "___x");
}
