// SPDX-License-Identifier: MIT
//
// libbpf and the running kernel as the oracle of CO-RE: real objects are relocated against the
// kernel's types on both sides, and every instruction with a record must come out the same. libbpf
// relocates only on the way into the kernel, and keeps the instructions.
#include "bpf/link_program.h"
#include "tests/tools/carve.h"
#include "tests/unit/bpf/objects.h"
#include "verifier/verifier.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

constexpr const char* kKernelTypes = "/sys/kernel/btf/vmlinux";

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Oracle = std::unique_ptr<bpf_object, CloseObject>;

// libbpf writes a call of this helper over what has no answer.
bool is_poison(const bpf_insn& insn) {
  return insn.code == (BPF_JMP | BPF_CALL) && insn.imm == 195896080;
}

// The instructions of each program behind the relocation, however the load ended.
// `types`: a file, null = the kernel's. `only`: one program, null = all.
std::map<std::string, std::vector<bpf_insn>> relocated_by_libbpf(std::span<const uint8_t> bytes,
                                                                 const char* types = nullptr,
                                                                 const char* only = nullptr) {
  std::map<std::string, std::vector<bpf_insn>> out;
  libbpf_set_print(nullptr);
  LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = types);
  Oracle object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (libbpf_get_error(object.get()) != 0) {
    (void)object.release();
    return out;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool is_wanted = only == nullptr || std::strcmp(only, bpf_program__name(program)) == 0;
    bpf_program__set_autoload(program, is_wanted);
  }
  if (bpf_object__load(object.get()) != 0)
    return out; // the instructions are gone with the failed load
  bpf_object__for_each_program(program, object.get()) {
    if (!bpf_program__autoload(program))
      continue;
    const bpf_insn* insns = bpf_program__insns(program);
    out[bpf_program__name(program)].assign(insns, insns + bpf_program__insn_cnt(program));
  }
  return out;
}

// Compares the entry function, whose slots are the same on both sides.
void compare(const Object& object, const Program& program, const std::vector<bpf_insn>& theirs,
             unsigned& compared) {
  const Function& entry = program.functions[0];
  const CodeRange* range = nullptr;
  for (const CodeRange& one : object.code)
    if (one.name == entry.name)
      range = &one;
  ASSERT_NE(range, nullptr);
  for (const CoreRecord& record : object.ext.core) {
    if (record.section != range->section || record.slot < range->begin ||
        record.slot >= range->end || record.kind == CoreKind::type_id_local ||
        record.kind == CoreKind::type_id_target)
      continue;
    const uint32_t slot = record.slot - range->begin;
    ASSERT_LT(slot, theirs.size());
    const auto item = std::find_if(program.insns.begin(), program.insns.end(),
                                   [&](const ProgramInsn& one) { return one.slot.value == slot; });
    ASSERT_NE(item, program.insns.end());
    const std::string what =
        program.name + " slot " + std::to_string(slot) + ": " + *describe_core(object.btf, record);
    ++compared;
    EXPECT_EQ(item->poisoned, is_poison(theirs[slot])) << what;
    if (item->poisoned || is_poison(theirs[slot]))
      continue;
    std::vector<RawInsn> ours;
    encode(item->insn, ours);
    EXPECT_EQ(std::memcmp(ours.data(), &theirs[slot], ours.size() * sizeof(RawInsn)), 0)
        << what << "\n  ours   " << print(item->insn) << "\n  theirs imm " << theirs[slot].imm
        << " off " << theirs[slot].off << " code " << int(theirs[slot].code);
  }
}

} // namespace

TEST(CoreOracle, RealObjectsAreRelocatedAsLibbpfDoes) {
  if (access(kKernelTypes, R_OK) != 0 || geteuid() != 0)
    GTEST_SKIP() << "needs root and a kernel with types in " << kKernelTypes;
  const auto types = CoreTypes::read_file(kKernelTypes);
  ASSERT_TRUE(types) << types.error().message;
  unsigned objects = 0, compared = 0;
  DIR* folder = opendir("/usr/sbin");
  ASSERT_NE(folder, nullptr);
  while (const dirent* entry = readdir(folder)) {
    const auto file = bpfaot::read_file(std::string("/usr/sbin/") + entry->d_name, 4u << 20);
    for (const tests::Carved& carved : file ? tests::carve(*file) : std::vector<tests::Carved>()) {
      const auto theirs = relocated_by_libbpf(carved.bytes);
      if (theirs.empty())
        continue;
      const auto object = read({carved.bytes.begin(), carved.bytes.end()}, entry->d_name);
      ++objects;
      for (size_t i = 0; i < object->programs.size(); ++i) {
        const auto program = link_program(object, i, {.types = *types});
        const auto found = theirs.find(object->programs[i].name);
        if (program && found != theirs.end())
          compare(*object, **program, found->second, compared);
        else if (!program)
          std::printf("%s: %s\n", object->programs[i].name.c_str(),
                      program.error().message.c_str());
      }
    }
  }
  closedir(folder);
  if (objects == 0)
    GTEST_SKIP() << "no object of Debian's libbpf-tools loads into this kernel";
  RecordProperty("records", static_cast<int>(compared));
  std::printf("%u CO-RE records of %u objects\n", compared, objects);
  EXPECT_GT(compared, 0u);
}

// The questions of core_test.cpp: what the kernel loads is what we made of it, and what it does not
// load is ambiguous or poisoned here.
TEST(CoreOracle, EveryQuestionHasLibbpfsAnswer) {
  if (geteuid() != 0)
    GTEST_SKIP() << "needs root";
  const std::string other = std::string(BPF_OBJECTS) + "/core_other.bpf.o";
  const auto bytes = object_bytes("core");
  const auto types = CoreTypes::read_file(other);
  ASSERT_TRUE(types) << types.error().message;
  const auto object = read("core");
  unsigned loaded = 0, compared = 0;
  for (size_t i = 0; i < object->programs.size(); ++i) {
    const std::string& name = object->programs[i].name;
    const auto theirs = relocated_by_libbpf(bytes, other.c_str(), name.c_str());
    const auto program = link_program(object, i, {.types = *types});
    if (!program) {
      EXPECT_TRUE(theirs.empty()) << name << ": " << program.error().message;
      continue;
    }
    const bool is_reached =
        !verifier::verify(*program, {.ctx = {}, .step_limit = 1000}).has_value();
    EXPECT_EQ(theirs.empty(), is_reached) << name;
    if (theirs.empty())
      continue;
    ++loaded;
    compare(*object, **program, theirs.at(name), compared);
  }
  if (loaded == 0)
    GTEST_SKIP() << "the kernel loads no program";
  EXPECT_GT(compared, 40u);
}
