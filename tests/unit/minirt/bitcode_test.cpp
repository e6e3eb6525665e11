// SPDX-License-Identifier: MIT
//
// What each machine's images take in of minirt: every helper of the table is defined, nothing else
// is needed from outside than the runtime block, and nothing that attached programs get uses vectors
// or floating point.
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

struct Symbols {
  std::set<std::string> defined, undefined;
};

class Runtime : public ::testing::TestWithParam<const char*> {
protected:
  std::string path(const char* name) const {
    return std::string(MINIRT_BITCODE) + "/" + GetParam() + "/" + name;
  }
  Symbols symbols(const char* name) const {
    std::istringstream lines(output_of("llvm-nm-19 -P " + path(name)));
    Symbols found;
    std::string symbol, type, line;
    while (std::getline(lines, line)) {
      std::istringstream(line) >> symbol >> type;
      (type == "U" ? found.undefined : found.defined).insert(symbol);
    }
    return found;
  }
};
} // namespace

TEST_P(Runtime, defines_every_helper) {
  const Symbols helpers = symbols("minirt.bc");
  for (const char* helper : {
#define BPFAOT_HELPER(id, name, ...) "__bpfaot_rt_" #name,
#include "bpf/helpers.def"
#undef BPFAOT_HELPER
#define BPFAOT_KFUNC(name, ...) "__bpfaot_rt_" #name,
#include "bpf/kfuncs.def"
#undef BPFAOT_KFUNC
           "__bpfaot_rt_enter", "__bpfaot_rt_leave"})
    EXPECT_TRUE(helpers.defined.count(helper)) << helper;
}

TEST_P(Runtime, needs_only_the_runtime_block) {
  const Symbols helpers = symbols("minirt.bc");
  for (const char* object : {"minirt.o", "minirt-vector.o"}) {
    const Symbols native = symbols(object);
    for (const char* name : {"memcpy", "memmove", "memset", "memcmp", "bcmp"})
      EXPECT_TRUE(native.defined.count(name)) << name;
    for (const std::string& name : helpers.undefined)
      EXPECT_TRUE(name == "__bpfaot_rt" || name == "__bpfaot_rt_reads_task" || // bpf-aotc defines it
                  native.defined.count(name))
          << name;
    EXPECT_EQ(native.undefined, (std::set<std::string>{"__bpfaot_rt"})) << object;
    for (const std::string& name : native.defined)
      EXPECT_FALSE(helpers.defined.count(name)) << name << " is there twice";
  }
}

// Programs take helpers in as they are: what is large or rare is native.
TEST_P(Runtime, helpers_are_simplified_and_small) {
  const std::string text = output_of("llvm-dis-19 -o - < " + path("minirt.bc"));
  EXPECT_EQ(text.find("define internal"), std::string::npos);
  size_t allocas = 0;
  for (size_t at = 0; (at = text.find(" = alloca ", at)) != std::string::npos; ++at)
    ++allocas;
  EXPECT_LT(allocas, 100u);
}

TEST_P(Runtime, has_no_vectors_no_floating_point_and_no_paths) {
  const std::string text = output_of("llvm-dis-19 -o - < " + path("minirt.bc"));
  const std::string code = output_of("llvm-objdump-19 -d --no-show-raw-insn " + path("minirt.o"));
  ASSERT_GT(text.size(), 10000u);
  ASSERT_GT(code.size(), 10000u);
  for (const char* bad : {" x i64>", " x i32>", " x i8>", " float ", " double "})
    EXPECT_EQ(text.find(bad), std::string::npos) << bad;
  for (const char* bad : {"%xmm", "%ymm", "%mm", "%st", "\tq0", "\td0", ".16b", ".2d", "\tfld",
                          "\tfsd", "\tflw", "\tfsw", "\tfmv", "\tvset"})
    EXPECT_EQ(code.find(bad), std::string::npos) << bad;
  for (const char* name : {"minirt.bc", "minirt.o", "minirt-vector.o"}) {
    const std::string strings = output_of("strings -a " + path(name));
    for (const char* bad : {"/home/", "/root/", "errno", MINIRT_SOURCE})
      EXPECT_EQ(strings.find(bad), std::string::npos) << name << " " << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, Runtime,
                         ::testing::Values("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu",
                                           "riscv64-unknown-linux-gnu"));
