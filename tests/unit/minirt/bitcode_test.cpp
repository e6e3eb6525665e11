// SPDX-License-Identifier: MIT
//
// The bitcode of each machine: every helper of the table is defined, nothing else is needed from
// outside than the runtime block, and nothing uses vectors or floating point.
#include <array>
#include <cstdio>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>

namespace {
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe)
    return text;
  std::array<char, 4096> part;
  while (size_t n = fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), n);
  pclose(pipe);
  return text;
}

class Bitcode : public ::testing::TestWithParam<const char*> {
protected:
  std::string path() const { return std::string(MINIRT_BITCODE) + "/" + GetParam() + "/minirt.bc"; }
};
} // namespace

TEST_P(Bitcode, defines_every_helper_and_needs_only_the_runtime_block) {
  std::istringstream lines(output_of("llvm-nm-19 -P " + path()));
  std::set<std::string> defined, undefined;
  std::string name, type, line;
  while (std::getline(lines, line)) {
    std::istringstream(line) >> name >> type;
    (type == "U" ? undefined : defined).insert(name);
  }
  EXPECT_EQ(undefined, (std::set<std::string>{"__bpfaot_rt"}));
  for (const char* helper : {
#define BPFAOT_HELPER(id, name, ...) "__bpfaot_rt_" #name,
#include "bpf/helpers.def"
#undef BPFAOT_HELPER
           "__bpfaot_rt_enter", "__bpfaot_rt_leave", "memcpy", "memmove", "memset", "memcmp",
           "bcmp"})
    EXPECT_TRUE(defined.count(helper)) << helper;
}

TEST_P(Bitcode, has_no_vectors_no_floating_point_and_no_paths) {
  std::string text = output_of("llvm-dis-19 -o - < " + path());
  ASSERT_GT(text.size(), 10000u);
  for (const char* bad :
       {" x i64>", " x i32>", " x i8>", " float ", " double ", "/home/", "/root/", "@errno"})
    EXPECT_EQ(text.find(bad), std::string::npos) << bad;
  EXPECT_EQ(text.find(MINIRT_SOURCE), std::string::npos) << "the build's directory is in it";
}

INSTANTIATE_TEST_SUITE_P(Machines, Bitcode,
                         ::testing::Values("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu",
                                           "riscv64-unknown-linux-gnu"));
