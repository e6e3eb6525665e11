// SPDX-License-Identifier: MIT
//
// Whole-file reading and atomic writing, with the failures that users meet.
#include "support/files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bpfaot {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "bpfaot-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string at(const char* name) const { return (folder_ / name).string(); }
  size_t entries() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

std::vector<uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

TEST_F(Files, what_is_written_reads_back) {
  std::vector<uint8_t> large(100'001);
  for (size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<uint8_t>(i * 7);
  ASSERT_TRUE(write_file_atomically(at("f"), large));
  EXPECT_EQ(*read_file(at("f")), large);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, writing_replaces_and_leaves_nothing_beside_it) {
  ASSERT_TRUE(write_file_atomically(at("f"), bytes_of("one")));
  ASSERT_TRUE(write_file_atomically(at("f"), bytes_of("two")));
  EXPECT_EQ(*read_file(at("f")), bytes_of("two"));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, mode_is_subject_to_the_umask) {
  const mode_t old = ::umask(027);
  const Status status = write_file_atomically(at("f"), bytes_of("x"), 0777);
  ::umask(old);
  ASSERT_TRUE(status);
  struct stat info;
  ASSERT_EQ(::stat(at("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0750u);
}

TEST_F(Files, a_link_stays_a_link) {
  ASSERT_TRUE(write_file_atomically(at("real"), bytes_of("old")));
  fs::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(write_file_atomically(at("link"), bytes_of("new")));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(*read_file(at("real")), bytes_of("new"));
}

TEST_F(Files, a_device_is_written_through) {
  ASSERT_TRUE(write_file_atomically("/dev/null", bytes_of("x")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(Files, failure_names_the_file_and_leaves_nothing) {
  const Status status = write_file_atomically(at("missing/f"), bytes_of("x"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kIo);
  EXPECT_NE(status.error().subject.find("missing/f"), std::string::npos);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(Files, reading_refuses_missing_files_directories_and_large_files) {
  EXPECT_EQ(read_file(at("none")).error().code, Code::kIo);
  EXPECT_EQ(read_file(folder_.string()).error().code, Code::kIo);
  ASSERT_TRUE(write_file_atomically(at("f"), bytes_of("12345")));
  EXPECT_TRUE(read_file(at("f"), 5));
  EXPECT_FALSE(read_file(at("f"), 4));
}

TEST_F(Files, files_without_a_size_are_read_whole) {
  const auto bytes = read_file("/proc/self/status");
  ASSERT_TRUE(bytes);
  EXPECT_GT(bytes->size(), 100u);
}

TEST(UniqueFd, closes_once_and_moves) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd reader(ends[0]);
  {
    UniqueFd writer(ends[1]);
    UniqueFd moved(std::move(writer));
    EXPECT_FALSE(writer.valid());
  }
  char c;
  EXPECT_EQ(::read(reader.get(), &c, 1), 0) << "the write end is still open";
}

} // namespace
} // namespace bpfaot
