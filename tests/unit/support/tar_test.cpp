// SPDX-License-Identifier: MIT
//
// What is written is what the system's tar reads.
#include "support/tar.h"

#include "support/files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <unistd.h>

namespace bpfaot {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr)
    return text;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
    text.append(buffer, n);
  pclose(pipe);
  return text;
}

TEST(Tar, IsReadByTar) {
  std::string name = "tar-test-XXXXXX";
  const int fd = mkstemp(name.data());
  ASSERT_GE(fd, 0);
  close(fd);
  const std::string folder = std::string(90, 'd'), file = std::string(90, 'f');
  TarWriter tar;
  EXPECT_TRUE(tar.add("x/empty", std::string_view()));
  EXPECT_TRUE(tar.add("x/text", std::string_view("hello\n")));
  EXPECT_TRUE(tar.add(folder + "/" + file, std::string(1000, 'z')));
  ASSERT_TRUE(write_file_atomically(name, tar.take()));
  EXPECT_EQ(output_of("tar tf " + name), "x/empty\nx/text\n" + folder + "/" + file + "\n");
  EXPECT_EQ(output_of("tar xOf " + name + " x/text"), "hello\n");
  EXPECT_EQ(output_of("tar xOf " + name + " " + folder + "/" + file), std::string(1000, 'z'));
  EXPECT_NE(output_of("tar tvf " + name + " --full-time --utc").find("1970-01-01 00:00:00"), std::string::npos);
  unlink(name.c_str());
}

TEST(Tar, RefusesNamesThatTheFormatCannotHold) {
  TarWriter tar;
  EXPECT_FALSE(tar.add(std::string(101, 'f'), std::string_view()));
  EXPECT_FALSE(tar.add(std::string(160, 'd') + "/f", std::string_view()));
  EXPECT_FALSE(tar.add("", std::string_view()));
  EXPECT_TRUE(tar.add(std::string(155, 'd') + "/" + std::string(100, 'f'), std::string_view()));
}

} // namespace
} // namespace bpfaot
