// SPDX-License-Identifier: MIT
//
// The public ISA conformance cases through verifier, lowering, linker and native code: natively on
// this machine, under qemu-user on the others. A case that the gate refuses does not count as run;
// how many there are is checked, so that a gate that refuses everything fails.
#include "tests/tools/map_image.h"
#include "tests/tools/raw_program.h"

#include "support/files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bpfaot::tests {
namespace {

struct Case {
  std::string name;
  std::vector<uint8_t> code, memory;
  uint64_t expected;
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream file(TEST_CONFORMANCE);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    std::istringstream fields(line);
    std::string name, version, code, memory, expected;
    std::getline(fields, name, '\t');
    std::getline(fields, version, '\t');
    std::getline(fields, code, '\t');
    std::getline(fields, memory, '\t');
    std::getline(fields, expected, '\t');
    cases.push_back(
        {name, *parse_hex(code), *parse_hex(memory), std::stoull(expected, nullptr, 16)});
  }
  return cases;
}

// Of 186 cases; the only one refused today is an indirect call.
constexpr size_t kAccepted = 180;

TEST(Conformance, CasesRunNatively) {
  const std::vector<Case> cases = read_cases();
  ASSERT_EQ(cases.size(), 186u);
  size_t run = 0;
  for (const Case& one : cases) {
    const auto verified = verify_raw(one.code, one.memory);
    if (!verified)
      continue;
    const auto bytes = compile_raw(*verified, targets::host(), TEST_RESOURCES);
    ASSERT_TRUE(bytes) << one.name << ": " << bytes.error().message;
    mapped_image image{};
    ASSERT_EQ(map_image(bytes->data(), &image), 0);
    ASSERT_EQ(give_data(&image), 0);
    EXPECT_EQ(run_image(&image, 0, nullptr), one.expected) << one.name;
    unmap_image(&image);
    ++run;
  }
  EXPECT_GE(run, kAccepted);
}

class Emulated : public testing::TestWithParam<const char*> {};

TEST_P(Emulated, CasesRun) {
  namespace fs = std::filesystem;
  const targets::Target& target = **targets::find(GetParam());
  const std::string runner = std::string(TEST_RUNNERS) + "/run_image-" + GetParam();
  if (!fs::exists(runner) ||
      std::system(("command -v " + std::string(target.qemu) + " >/dev/null").c_str()) != 0)
    GTEST_SKIP() << "no cross compiler or no qemu-user for " << GetParam();
  const fs::path directory =
      fs::path(testing::TempDir()) / ("conformance-" + std::string(GetParam()));
  fs::create_directories(directory);
  std::vector<const Case*> run;
  std::string command = std::string(target.qemu) + " " + runner;
  const std::vector<Case> cases = read_cases();
  for (const Case& one : cases) {
    const auto verified = verify_raw(one.code, one.memory);
    if (!verified)
      continue;
    const auto bytes = compile_raw(*verified, target, TEST_RESOURCES);
    ASSERT_TRUE(bytes) << one.name << ": " << bytes.error().message;
    const std::string path = (directory / (std::to_string(run.size()) + ".so")).string();
    ASSERT_TRUE(write_file_atomically(path, *bytes));
    command += " " + path;
    run.push_back(&one);
  }
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  for (const Case* one : run) {
    unsigned long long result = 0;
    ASSERT_EQ(std::fscanf(pipe, "%llx", &result), 1) << one->name << " did not return";
    EXPECT_EQ(result, one->expected) << one->name;
  }
  EXPECT_EQ(pclose(pipe), 0);
  fs::remove_all(directory);
  EXPECT_GE(run.size(), kAccepted);
}

INSTANTIATE_TEST_SUITE_P(Machines, Emulated, testing::Values("aarch64", "riscv64"),
                         [](const auto& info) { return std::string(info.param); });

} // namespace
} // namespace bpfaot::tests
