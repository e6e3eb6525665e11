// SPDX-License-Identifier: MIT
//
// Reads of the current task, against what libc and /proc say of this one.
#include "bpfaot/task.h"
#include "tests/unit/minirt/runtime.h"

#include <array>
#include <cerrno>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace bpfaot::test;

namespace {

uint64_t task() {
  reset_runtime();
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_get_current_task(&env), __bpfaot_rt_get_current_task_btf(&env));
  return __bpfaot_rt_get_current_task(&env);
}

template <class T> int64_t try_read(uint64_t at, T& value) {
  bpfaot_env env{};
  return static_cast<int64_t>(__bpfaot_rt_probe_read_kernel(&env, &value, sizeof value, at));
}

template <class T> T read(uint64_t at) {
  T value{};
  EXPECT_EQ(try_read(at, value), 0) << std::hex << at;
  return value;
}

uint64_t follow(uint64_t at, size_t offset) {
  return read<uint64_t>(at + offset);
}

uint32_t inode(const char* path) { // of a namespace
  struct stat found{};
  EXPECT_EQ(stat(path, &found), 0) << path;
  return static_cast<uint32_t>(found.st_ino);
}

int64_t read_string(char* to, uint64_t size, uint64_t at) {
  bpfaot_env env{};
  return static_cast<int64_t>(__bpfaot_rt_probe_read_kernel_str(&env, to, size, at));
}

} // namespace

TEST(TaskRead, ids_are_those_of_the_thread_and_the_process) {
  std::thread([] {
    const uint64_t at = task();
    EXPECT_EQ(read<int>(at + offsetof(task_struct, pid)), syscall(SYS_gettid));
    EXPECT_EQ(read<int>(at + offsetof(task_struct, tgid)), getpid());
    const uint64_t leader = follow(at, offsetof(task_struct, group_leader));
    EXPECT_EQ(read<int>(leader + offsetof(task_struct, pid)), getpid());
    const uint64_t parent = follow(leader, offsetof(task_struct, real_parent));
    EXPECT_EQ(parent, follow(at, offsetof(task_struct, real_parent)));
    EXPECT_EQ(read<int>(parent + offsetof(task_struct, tgid)), getppid());
    const uint64_t id = follow(at, offsetof(task_struct, thread_pid));
    EXPECT_EQ(read<uint32_t>(id + offsetof(struct pid, level)), 0u);
    EXPECT_EQ(read<int>(id + offsetof(struct pid, numbers[0].nr)), syscall(SYS_gettid));
  }).join();
}

TEST(TaskRead, credentials_are_the_processs) {
  const uint64_t cred = follow(task(), offsetof(task_struct, cred));
  EXPECT_EQ(cred, follow(task(), offsetof(task_struct, real_cred)));
  EXPECT_EQ(read<uint32_t>(cred + offsetof(struct cred, uid)), getuid());
  EXPECT_EQ(read<uint32_t>(cred + offsetof(struct cred, gid)), getgid());
  EXPECT_EQ(read<uint32_t>(cred + offsetof(struct cred, euid)), geteuid());
  EXPECT_EQ(read<uint32_t>(cred + offsetof(struct cred, egid)), getegid());
}

TEST(TaskRead, namespaces_have_the_numbers_of_proc) {
  const uint64_t spaces = follow(task(), offsetof(task_struct, nsproxy));
  const auto number = [&](size_t which) { return read<uint32_t>(follow(spaces, which)); };
  EXPECT_EQ(number(offsetof(nsproxy, uts_ns)), inode("/proc/self/ns/uts"));
  EXPECT_EQ(number(offsetof(nsproxy, ipc_ns)), inode("/proc/self/ns/ipc"));
  EXPECT_EQ(number(offsetof(nsproxy, mnt_ns)), inode("/proc/self/ns/mnt"));
  EXPECT_EQ(number(offsetof(nsproxy, pid_ns_for_children)), inode("/proc/self/ns/pid"));
  EXPECT_EQ(number(offsetof(nsproxy, net_ns)), inode("/proc/self/ns/net"));
  EXPECT_EQ(number(offsetof(nsproxy, cgroup_ns)), inode("/proc/self/ns/cgroup"));
  if (access("/proc/self/ns/time", F_OK) == 0) {
    EXPECT_EQ(number(offsetof(nsproxy, time_ns)), inode("/proc/self/ns/time"));
  }
}

TEST(TaskRead, the_name_is_a_string_and_sixteen_bytes) {
  const uint64_t at = task() + offsetof(task_struct, comm);
  std::thread([at] {
    ASSERT_EQ(prctl(PR_SET_NAME, "a-long-thread-name"), 0);
    char name[32];
    std::memset(name, 'x', sizeof name);
    EXPECT_EQ(read_string(name, sizeof name, at), 16);
    EXPECT_STREQ(name, "a-long-thread-n");
    EXPECT_EQ(name[16], 'x');
    EXPECT_EQ(read_string(name, 4, at + 2), 4);
    EXPECT_STREQ(name, "lon");
    EXPECT_EQ(read_string(name, 1, at), 1);
    EXPECT_STREQ(name, "");
    EXPECT_EQ(read_string(name, 0, at), 0);
    EXPECT_EQ((read<std::array<char, 16>>(at)[2]), 'l');
    EXPECT_EQ(read<char>(at + 7), 't');
  }).join();
}

TEST(TaskRead, everything_else_is_a_fault_that_leaves_zeroes) {
  const uint64_t at = task();
  const uint64_t parent = follow(at, offsetof(task_struct, real_parent));
  const uint64_t absent = static_cast<uint64_t>(int64_t{-0x7f000000});
  for (const uint64_t address :
       {at - 8, at + offsetof(task_struct, comm) + 12, parent + offsetof(task_struct, comm),
        at + offsetof(task_struct, cred) + 4, at + sizeof(bpfaot_task_area), at + absent, absent,
        BPFAOT_TASK_BASE - 1, UINT64_MAX, UINT64_MAX - 7}) {
    uint64_t value = 1;
    EXPECT_EQ(try_read(address, value), -EFAULT) << std::hex << address;
    EXPECT_EQ(value, 0u);
  }
  char name[16] = "x";
  EXPECT_EQ(read_string(name, 16, parent + offsetof(task_struct, comm)), -EFAULT);
  EXPECT_EQ(read_string(name, 16, at + offsetof(task_struct, pid)), -EFAULT);
  EXPECT_EQ(name[0], 0);
  char two_fields[8];
  EXPECT_EQ(try_read(at, two_fields), -EFAULT); // pid and tgid in one go
}
