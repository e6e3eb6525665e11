// SPDX-License-Identifier: MIT
//
// Promises of an image that hold on every machine, read off the produced bytes.
#include "tests/unit/aotc/fixture.h"

#include "linker/linker.h"
#include "support/files.h"

#include <filesystem>

namespace bpfaot::aotc::test {
namespace {

class Images : public testing::TestWithParam<const targets::Target*> {
protected:
  const targets::Target& target() const { return *GetParam(); }
  Opened probes(CompileOptions options = {}) {
    auto bytes = compile("probes", target(), options);
    EXPECT_TRUE(bytes) << bytes.error().message;
    return open_image(std::move(*bytes));
  }
};

TEST_P(Images, KeepTheLayoutPromises) {
  const Opened image = probes();
  const Status status = linker::check_layout(target(), image.bytes);
  EXPECT_TRUE(status) << status.error().message;
}

TEST_P(Images, AreTheSameWhenBuiltTwiceInTwoDirectories) {
  namespace fs = std::filesystem;
  const fs::path base = fs::path(testing::TempDir()) / ("aotc-twice-" + std::string(target().name));
  std::vector<std::vector<uint8_t>> built;
  for (const char* directory : {"one", "another/deeper"}) {
    const fs::path place = base / directory;
    fs::create_directories(place);
    fs::copy_file(object_path("probes"), place / "p.bpf.o", fs::copy_options::overwrite_existing);
    auto object = bpf::read_object_file((place / "p.bpf.o").string());
    ASSERT_TRUE(object);
    const auto shared = std::make_shared<const bpf::Object>(std::move(*object));
    CompileOptions options;
    options.resource_dir = resource_dir();
    std::vector<verifier::VerifiedProgram> programs;
    for (ProgramVerdict& verdict : analyse(shared, options))
      programs.push_back(std::move(*verdict.verified));
    auto image = make_image({.options = options,
                             .target = target(),
                             .object = *shared,
                             .programs = programs,
                             .finished = {}});
    ASSERT_TRUE(image) << image.error().message;
    built.push_back(std::move(*image));
  }
  fs::remove_all(base);
  EXPECT_EQ(built[0], built[1]);
}

TEST_P(Images, DescribeTheirPrograms) {
  const Opened image = probes();
  ASSERT_EQ(image.programs.size(), 6u);
  const bpfaot_program& count = image.program("count");
  EXPECT_EQ(image.text(count.section), "uprobe/libc.so.6:malloc");
  EXPECT_EQ(count.kind, uint32_t{BPFAOT_KIND_PROBE});
  EXPECT_EQ(image.text(count.attach_path), "libc.so.6");
  EXPECT_EQ(image.text(count.attach_symbol), "malloc");
  EXPECT_EQ(count.ctx_reads, 0u);
  EXPECT_EQ(count.flags & (BPFAOT_PROG_NEEDS_GUARD | BPFAOT_PROG_NEEDS_CPU | BPFAOT_PROG_RETURN),
            0u);
  EXPECT_EQ(count.flags & BPFAOT_PROG_PRESERVES,
            target().preserves_registers ? uint32_t{BPFAOT_PROG_PRESERVES} : 0u);
  EXPECT_EQ(image.program("returned").flags & BPFAOT_PROG_RETURN, uint32_t{BPFAOT_PROG_RETURN});
  EXPECT_NE(image.program("returned").flags & BPFAOT_PROG_NEEDS_CPU, 0u);
  EXPECT_NE(image.program("record").flags & BPFAOT_PROG_NEEDS_GUARD, 0u);
  EXPECT_NE(image.program("arguments").flags & BPFAOT_PROG_NO_AUTOLOAD, 0u);
  EXPECT_NE(image.place.desc.capabilities & BPFAOT_CAP_PRINTK, 0u);
  EXPECT_EQ(image.place.desc.capabilities & BPFAOT_CAP_VECTOR, 0u);
  EXPECT_EQ(image.text(image.place.desc.license), "GPL");
}

TEST_P(Images, SayHowMuchStackTheyNeed) {
  const Opened image = probes();
  EXPECT_GT(image.program("record").stack_bytes, image.program("count").stack_bytes);
  EXPECT_GE(image.program("count").stack_bytes, 16u);
  EXPECT_LT(image.place.desc.stack_bytes, 8192u);
}

// Two frames of 200 bytes each, on one chain of calls.
TEST_P(Images, CountCallbacksOfCallbacksInTheirStack) {
  auto bytes = compile("nested", target());
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_GE(open_image(std::move(*bytes)).program("nested").stack_bytes, 400u);
}

// What the vDSO uses is the kernel's business, but room for it must be there.
TEST_P(Images, CountTheClockInTheirStack) {
  auto bytes = compile("clock", target());
  ASSERT_TRUE(bytes) << bytes.error().message;
  const Opened image = open_image(std::move(*bytes));
  EXPECT_LT(image.program("plain").stack_bytes, 256u);
  EXPECT_GE(image.program("timed").stack_bytes, image.program("plain").stack_bytes + 256);
}

// The object is compiled for x86_64; the same meaning is a slot of another number elsewhere.
TEST_P(Images, ReadTheRegistersOfTheirOwnMachine) {
  const Opened image = probes();
  const auto slots = [&](std::initializer_list<targets::RegMeaning> meanings) {
    uint64_t bits = 0;
    for (size_t i = 0; i < target().pt_regs.size(); ++i)
      for (const targets::RegMeaning meaning : meanings)
        if (target().pt_regs[i].meaning == meaning || target().pt_regs[i].second == meaning)
          bits |= uint64_t{1} << i;
    return bits;
  };
  using enum targets::RegMeaning;
  EXPECT_EQ(image.program("record").ctx_reads, slots({arg1}));
  EXPECT_EQ(image.program("returned").ctx_reads, slots({ret}));
  EXPECT_EQ(image.program("arguments").ctx_reads, slots({arg1, arg2, arg3, arg4, arg5}));
  EXPECT_EQ(image.program("kernel_shaped").ctx_reads, slots({targets::RegMeaning::sp, ip, fp}));
  EXPECT_EQ(image.program("core_shaped").ctx_reads, slots({targets::RegMeaning::sp, arg2}));
  EXPECT_EQ(image.program("core_shaped").flags & BPFAOT_PROG_CTX_ESCAPES, 0u);
}

TEST_P(Images, DescribeMapsAndWhatTheCodeHasFolded) {
  const Opened image = probes();
  const bpfaot_map& counts = image.map("counts");
  EXPECT_EQ(counts.type, 2u);
  EXPECT_EQ(counts.key_size, 4u);
  EXPECT_EQ(counts.max_entries, 16u);
  EXPECT_NE(counts.fixed & BPFAOT_FIXED_MIN_ENTRIES, 0u);
  EXPECT_EQ(counts.fixed & BPFAOT_FIXED_MAX_ENTRIES, 0u);
  EXPECT_EQ(image.map("by_size").fixed & BPFAOT_FIXED_MIN_ENTRIES, 0u);
  EXPECT_EQ(image.map(".rodata").section, uint32_t{BPFAOT_MAP_RODATA});
  EXPECT_EQ(image.maps.back().section, uint32_t{BPFAOT_MAP_PRINTK}) << "a program prints";
  CompileOptions fixed;
  fixed.fix_maps = true;
  EXPECT_NE(probes(fixed).map("counts").fixed & BPFAOT_FIXED_MAX_ENTRIES, 0u);
}

TEST_P(Images, CarryTheTypeOfTheirEvents) {
  const Opened image = probes();
  const auto events = image.table<bpfaot_event>(image.place.desc.events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].size, 32u);
  const auto types = image.table<bpfaot_type>(image.place.desc.types);
  const auto members = image.table<bpfaot_member>(image.place.desc.members);
  ASSERT_LT(events[0].type, types.size());
  const bpfaot_type& type = types[events[0].type];
  ASSERT_EQ(type.kind, uint32_t{BPFAOT_TYPE_STRUCT});
  ASSERT_EQ(type.count, 3u);
  EXPECT_EQ(image.text(members[type.first].name), "size");
  EXPECT_EQ(image.text(members[type.first + 2].name), "comm");
}

INSTANTIATE_TEST_SUITE_P(Machines, Images,
                         testing::ValuesIn(targets::all().begin(), targets::all().end()),
                         [](const auto& info) { return std::string(info.param->name); });

} // namespace
} // namespace bpfaot::aotc::test
