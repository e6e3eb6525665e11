// SPDX-License-Identifier: MIT
//
// Session records: round trip, damage, ids, processes that are gone.
#include "loader/registry.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace bpfaot::loader {
namespace {

SessionRecord sample() {
  SessionRecord record;
  record.id = 3;
  record.loader = {getpid(), process_start_time(getpid())};
  record.target = record.loader;
  record.image = "a b/probe.so";
  record.image_fd = 5;
  record.const_fd = 6;
  record.data_fd = 7;
  record.const_size = 4096;
  record.data_size = 1u << 20;
  record.patches = {{0x7f0000001234, {0x55, 0x48, 0x89, 0xe5, 0x90}, {0xe9, 1, 2, 3, 4}, false},
                    {0x7f0000005678, {1, 2}, {3, 4}, true}};
  return record;
}

class RegistryTest : public testing::Test {
protected:
  void SetUp() override {
    char pattern[] = P_tmpdir "/bpfaot-registry-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    for (uint32_t id = 1; id < 5; ++id)
      unlink((directory_ + "/" + std::to_string(id) + ".session").c_str());
    rmdir(directory_.c_str());
  }
  std::string directory_;
};

TEST_F(RegistryTest, a_record_reads_back_as_it_was_written) {
  const auto parsed = parse_record(print_record(sample()));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, sample());
}

TEST_F(RegistryTest, a_record_cut_anywhere_is_refused) {
  const std::string text = print_record(sample());
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(parse_record(std::string_view(text).substr(0, size)).has_value()) << size;
  EXPECT_FALSE(parse_record(text + "x").has_value());
}

TEST_F(RegistryTest, ids_are_the_lowest_free_numbers) {
  auto registry = Registry::open_at(directory_);
  ASSERT_TRUE(registry.has_value());
  EXPECT_EQ(*registry->add(sample()), 1u);
  EXPECT_EQ(*registry->add(sample()), 2u);
  registry->remove(1);
  EXPECT_EQ(*registry->add(sample()), 1u);
  EXPECT_EQ(registry->list().size(), 2u);
}

TEST_F(RegistryTest, an_unknown_id_is_answered_with_the_live_ones) {
  auto registry = Registry::open_at(directory_);
  ASSERT_TRUE(registry->add(sample()).has_value());
  const auto found = registry->find(4);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Code::kSessionUnknown);
  EXPECT_NE(found.error().message.find("1"), std::string::npos);
}

TEST_F(RegistryTest, a_record_of_processes_that_are_gone_is_removed) {
  auto registry = Registry::open_at(directory_);
  const pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, nullptr, 0);
  SessionRecord record = sample();
  record.loader = record.target = {child, 12345};
  ASSERT_TRUE(registry->add(record).has_value());
  EXPECT_TRUE(registry->list().empty());
  EXPECT_FALSE(registry->find(1).has_value());
}

TEST_F(RegistryTest, writers_at_the_same_time_get_ids_of_their_own) {
  constexpr int kWriters = 4, kEach = 50;
  std::vector<pid_t> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.push_back(fork());
    if (writers.back() == 0) {
      Registry registry = *Registry::open_at(directory_);
      bool kept = true;
      for (int round = 0; round < kEach; ++round) {
        SessionRecord record = sample();
        record.const_size = uint64_t(getpid()) * kEach + uint64_t(round);
        const Result<uint32_t> id = registry.add(record);
        const Result<SessionRecord> found = id ? registry.find(*id) : Result<SessionRecord>(SessionRecord());
        kept = kept && id && found && found->id == *id && found->const_size == record.const_size;
        if (id)
          registry.remove(*id);
      }
      _exit(kept ? 0 : 1);
    }
  }
  for (const pid_t writer : writers) {
    int status = -1;
    waitpid(writer, &status, 0);
    EXPECT_EQ(status, 0) << "a record that was added is not there as it was added";
  }
  EXPECT_EQ(rmdir(directory_.c_str()), 0) << "something is left";
  mkdir(directory_.c_str(), 0700);
}

// A bpf-aot that is killed while it adds a record leaves a file, older ones also an empty record.
TEST_F(RegistryTest, what_a_killed_writer_left_goes_after_a_while) {
  Registry registry = *Registry::open_at(directory_);
  const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  for (const char* name : {"/1.session", "/1.session.tmp-7-0", "/2.session", "/2.session.tmp-8-0"}) {
    const std::string path = directory_ + name;
    close(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    if (name[1] == '1') {
      ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
    }
  }
  EXPECT_TRUE(registry.list().empty());
  EXPECT_NE(access((directory_ + "/1.session").c_str(), F_OK), 0);
  EXPECT_NE(access((directory_ + "/1.session.tmp-7-0").c_str(), F_OK), 0);
  EXPECT_EQ(access((directory_ + "/2.session").c_str(), F_OK), 0) << "its writer may still be at it";
  EXPECT_EQ(access((directory_ + "/2.session.tmp-8-0").c_str(), F_OK), 0);
  unlink((directory_ + "/2.session.tmp-8-0").c_str());
  EXPECT_EQ(*registry.add(sample()), 1u);
}

TEST_F(RegistryTest, a_directory_that_others_may_write_is_refused) {
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  const auto registry = Registry::open_at(directory_);
  ASSERT_FALSE(registry.has_value());
  EXPECT_EQ(registry.error().code, Code::kRegistry);
}

TEST_F(RegistryTest, a_process_is_named_by_pid_and_start_time) {
  const ProcessId self{getpid(), process_start_time(getpid())};
  EXPECT_NE(self.start_time, 0u);
  EXPECT_TRUE(is_alive(self));
  EXPECT_FALSE(is_alive({self.pid, self.start_time + 1}));
}

} // namespace
} // namespace bpfaot::loader
