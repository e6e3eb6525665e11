// SPDX-License-Identifier: MIT
//
// ptrace control against children that check themselves what became of them.
#include "loader/process.h"

#include <gtest/gtest.h>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>


namespace bpfaot::loader {
namespace {

const targets::Patcher& patcher() { return targets::host_patcher(); }

struct Shared { // between test and child
  std::atomic<uint64_t> counter, read_result, signals, stop;
  std::atomic<int> ready;
};

class ProcessTest : public testing::Test {
protected:
  void SetUp() override {
    shared_ = static_cast<Shared*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    shared_ = new (shared_) Shared();
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }
  template <class Body> void run_child(Body body) {
    child_ = fork();
    if (child_ == 0) {
      body(*shared_);
      _exit(0);
    }
    while (shared_->ready == 0)
      sched_yield();
  }
  int join() {
    int status = 0;
    waitpid(std::exchange(child_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Shared* shared_ = nullptr;
  pid_t child_ = 0;
};

void spin(Shared& shared) {
  while (shared.stop == 0)
    ++shared.counter;
}

void wait_until(const std::atomic<uint64_t>& value, uint64_t more_than) {
  for (const uint64_t start = value; value < start + more_than;)
    sched_yield();
}

TEST_F(ProcessTest, a_stopped_process_stands_still_and_goes_on_afterwards) {
  run_child([](Shared& shared) { shared.ready = 1; spin(shared); });
  {
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value()) << process.error().message;
    const uint64_t before = shared_->counter;
    usleep(2000);
    EXPECT_EQ(shared_->counter, before);
  }
  wait_until(shared_->counter, 1);
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, remote_system_calls_return_what_the_kernel_says) {
  run_child([](Shared& shared) { shared.ready = 1; spin(shared); });
  auto process = Process::attach(child_, patcher());
  ASSERT_TRUE(process.has_value());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
    EXPECT_EQ(*process->system_call(SYS_close, {12345}), -EBADF);
  }
  const auto address = process->system_call(SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0});
  ASSERT_TRUE(address.has_value());
  ASSERT_GT(*address, 0);
  const uint8_t text[] = "written into read-only memory";
  ASSERT_TRUE(process->write(uint64_t(*address), text).has_value());
  EXPECT_EQ(*process->read_string(uint64_t(*address)), "written into read-only memory");
  process->detach();
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, a_process_that_job_control_has_stopped_makes_system_calls_and_stays_stopped) {
  run_child([](Shared& shared) { shared.ready = 1; spin(shared); });
  int status = 0;
  ASSERT_EQ(kill(child_, SIGSTOP), 0);
  ASSERT_EQ(waitpid(child_, &status, WUNTRACED), child_);
  const uint64_t before = shared_->counter;
  {
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value()) << process.error().message;
    for (int i = 0; i < 3; ++i) {
      auto result = process->system_call(SYS_getpid, {});
      ASSERT_TRUE(result.has_value());
      EXPECT_EQ(*result, child_);
    }
  }
  // The stop is taken up again, of which the kernel does not tell the parent a second time.
  for (char state = 0; state != 'T';) {
    const auto facts = read_status(child_);
    ASSERT_TRUE(facts.has_value());
    state = facts->state;
    sched_yield();
  }
  EXPECT_EQ(shared_->counter, before);
  ASSERT_EQ(kill(child_, SIGCONT), 0);
  wait_until(shared_->counter, 1);
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, a_read_that_was_interrupted_goes_on_waiting) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  run_child([&](Shared& shared) {
    shared.ready = 1;
    char byte = 0;
    const ssize_t size = read(ends[0], &byte, 1);
    shared.read_result = size == 1 ? uint64_t(byte) : uint64_t(1000 + errno);
  });
  for (int round = 0; round < 5; ++round) {
    usleep(1000);
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value());
    EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
  }
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(join(), 0);
  EXPECT_EQ(shared_->read_result, uint64_t('x'));
}

TEST_F(ProcessTest, a_sleep_that_was_interrupted_sleeps_to_its_end) {
  run_child([](Shared& shared) {
    shared.ready = 1;
    timespec time{0, 50'000'000}, rest{};
    shared.read_result = nanosleep(&time, &rest) == 0 ? 1 : 1000 + uint64_t(errno);
  });
  for (int round = 0; round < 3; ++round) {
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value());
    EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
  }
  EXPECT_EQ(join(), 0);
  EXPECT_EQ(shared_->read_result, 1u);
}

// The child of a vfork runs in the same memory: nothing is held before it is gone.
TEST_F(ProcessTest, a_vfork_is_waited_for) {
  for (const bool leader : {true, false}) {
    shared_ = new (shared_) Shared();
    run_child([&](Shared& shared) {
      static Shared* mine = &shared;
      const auto fork_one = [](void*) -> void* {
        const pid_t born = vfork();
        if (born == 0) {
          mine->ready = 1;
          usleep(100'000);
          mine->read_result = 1;
          _exit(0);
        }
        return nullptr;
      };
      pthread_t thread;
      if (leader)
        fork_one(nullptr);
      else
        pthread_create(&thread, nullptr, fork_one, nullptr);
      spin(shared);
    });
    {
      auto process = Process::attach(child_, patcher());
      ASSERT_TRUE(process.has_value()) << process.error().message;
      EXPECT_EQ(shared_->read_result, 1u);
      EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
    }
    wait_until(shared_->counter, 1);
    shared_->stop = 1;
    EXPECT_EQ(join(), 0);
  }
}

Shared* g_shared = nullptr;

#if defined(__x86_64__)
// Faults at its second instruction when the pointer is bad.
extern "C" uint64_t bpfaot_test_reader(const uint64_t* from);
asm(".pushsection .text\n"
    ".globl bpfaot_test_reader\n"
    ".hidden bpfaot_test_reader\n"
    "bpfaot_test_reader:\n"
    "  xor %eax, %eax\n"      // 2 bytes
    "  mov (%rdi), %rax\n"    // 3 bytes
    "  add $1, %rax\n"
    "  ret\n"
    ".popsection\n");

TEST_F(ProcessTest, a_thread_that_comes_back_from_a_handler_into_covered_bytes_is_seen) {
  g_shared = shared_;
  run_child([](Shared& shared) {
    static uint64_t value = 41;
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
      g_shared->ready = 1;
      while (g_shared->stop == 0)
        sched_yield();
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RDI] = reinterpret_cast<greg_t>(&value);
    };
    sigaction(SIGSEGV, &action, nullptr);
    shared.read_result = bpfaot_test_reader(nullptr);
    shared.ready = 2;
    spin(shared);
    while (shared.signals == 0)
      sched_yield();
  });
  CoveredCode code;
  code.address = reinterpret_cast<uint64_t>(&bpfaot_test_reader); // forked: where the child has it too
  code.size = 5;
  code.trampoline = code.address;
  code.moved = {{0, 0}, {2, 2}};
  auto process = Process::attach(child_, patcher());
  ASSERT_TRUE(process.has_value()) << process.error().message;
  const auto inside = process->leave({&code, 1});
  ASSERT_TRUE(inside.has_value());
  EXPECT_EQ(inside->front(), Leave::busy);
  const CodeRange range{code.address, code.address + code.size};
  EXPECT_TRUE(*process->refers_to({&range, 1}));
  process->release();
  shared_->stop = 1;
  while (shared_->ready != 2)
    sched_yield();
  EXPECT_EQ(shared_->read_result, 42u);
  ASSERT_TRUE(process->hold().has_value());
  const auto outside = process->leave({&code, 1});
  ASSERT_TRUE(outside.has_value());
  // What the handler's frame left behind may still lie above the stack pointer: never "entered".
  EXPECT_NE(outside->front(), Leave::entered);
  process->detach();
  shared_->signals = 1;
  EXPECT_EQ(join(), 0);
}
#endif

// Stores a value that no register holds any more when the signal comes.
[[gnu::noipa]] void wait_with_a_value_on_the_stack(Shared& shared) {
  volatile uint64_t value[2] = {~shared.counter, 0};
  while (shared.stop == 0) {
    kill(getpid(), SIGUSR1);
    sched_yield();
  }
  shared.read_result = value[0];
}

TEST_F(ProcessTest, the_stack_below_a_handler_on_an_alternate_one_is_searched_too) {
  g_shared = shared_;
  shared_->counter = 0x5678'1234'5678'1234;
  run_child([](Shared& shared) {
    stack_t other{};
    other.ss_size = 1 << 16;
    other.ss_sp = mmap(nullptr, other.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&other, nullptr);
    struct sigaction action {};
    action.sa_flags = SA_ONSTACK;
    action.sa_handler = [](int) {
      g_shared->ready = 1;
      while (g_shared->stop == 0)
        sched_yield();
    };
    sigaction(SIGUSR1, &action, nullptr);
    wait_with_a_value_on_the_stack(shared);
  });
  auto process = Process::attach(child_, patcher());
  ASSERT_TRUE(process.has_value()) << process.error().message;
  const uint64_t value = ~uint64_t{0x5678'1234'5678'1234};
  const CodeRange range{value, value + 1}, other{value + 1, value + 2};
  EXPECT_TRUE(*process->refers_to({&range, 1}));
  EXPECT_FALSE(*process->refers_to({&other, 1}));
  // The handler came from kill(), which was called by a function that is only returned to.
  const auto code = [](auto* function, uint64_t size) {
    const auto at = reinterpret_cast<uint64_t>(function);
    return CodeRange{at, at + size};
  };
  const CodeRange interrupted = code(&::kill, 64), caller = code(&wait_with_a_value_on_the_stack, 64);
  EXPECT_TRUE(*process->executes({&interrupted, 1}));
  EXPECT_TRUE(*process->refers_to({&caller, 1}));
  EXPECT_FALSE(*process->executes({&caller, 1}));
  CoveredCode covered;
  covered.address = value - 1;
  covered.size = 5;
  EXPECT_EQ(process->leave({&covered, 1})->front(), Leave::busy);
  process->detach();
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
  EXPECT_EQ(shared_->read_result, value);
}

TEST_F(ProcessTest, signals_that_come_meanwhile_are_all_delivered) {
  g_shared = shared_;
  run_child([](Shared& shared) {
    struct sigaction action {};
    action.sa_handler = [](int) { ++g_shared->signals; };
    sigaction(SIGUSR1, &action, nullptr);
    shared.ready = 1;
    spin(shared);
  });
  for (uint64_t round = 1; round <= 50; ++round) {
    {
      if (round % 2 == 0)
        kill(child_, SIGUSR1);
      auto process = Process::attach(child_, patcher());
      ASSERT_TRUE(process.has_value());
      if (round % 2 == 1)
        kill(child_, SIGUSR1);
      EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
    }
    while (shared_->signals < round)
      sched_yield();
    EXPECT_EQ(shared_->signals, round);
  }
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

// Then the stub has no signal of its own and its system calls are watched.
TEST_F(ProcessTest, a_process_that_catches_every_quiet_signal_makes_system_calls_and_sees_none) {
  g_shared = shared_;
  run_child([](Shared& shared) {
    struct sigaction action {};
    action.sa_handler = [](int) { ++g_shared->signals; };
    sigaction(SIGURG, &action, nullptr);
    sigaction(SIGWINCH, &action, nullptr);
    shared.ready = 1;
    spin(shared);
  });
  for (int round = 0; round < 5; ++round) {
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value()) << process.error().message;
    EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
    EXPECT_EQ(*process->system_call(SYS_close, {12345}), -EBADF);
  }
  wait_until(shared_->counter, 1);
  EXPECT_EQ(shared_->signals, 0u);
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, every_thread_stops_even_when_threads_come_and_go) {
  run_child([](Shared& shared) {
    const auto body = [](void* arg) -> void* {
      auto& mine = *static_cast<Shared*>(arg);
      for (int i = 0; i < 2000 && mine.stop == 0; ++i)
        ++mine.counter;
      return nullptr;
    };
    shared.ready = 1;
    while (shared.stop == 0) {
      pthread_t threads[4];
      for (pthread_t& thread : threads)
        pthread_create(&thread, nullptr, body, &shared);
      for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    }
  });
  for (int round = 0; round < 50; ++round) {
    auto process = Process::attach(child_, patcher());
    ASSERT_TRUE(process.has_value()) << process.error().message;
    const uint64_t before = shared_->counter;
    usleep(300);
    EXPECT_EQ(shared_->counter, before);
    EXPECT_EQ(*process->system_call(SYS_getpid, {}), child_);
  }
  shared_->stop = 1;
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, a_started_command_stands_before_its_first_instruction) {
  auto process = Process::start({"true"}, patcher());
  ASSERT_TRUE(process.has_value()) << process.error().message;
  const auto maps = read_maps(process->pid());
  ASSERT_TRUE(maps.has_value());
  const auto registers = process->registers(process->pid());
  ASSERT_TRUE(registers.has_value());
  EXPECT_NE(entry_at(*maps, process->pc(*registers)), nullptr);
  for (const MapsEntry& entry : *maps)
    EXPECT_EQ(entry.path.find("libc.so"), std::string::npos);
  EXPECT_EQ(*process->system_call(SYS_getpid, {}), process->pid());
  child_ = process->pid();
  process->detach();
  EXPECT_EQ(join(), 0);
}

TEST_F(ProcessTest, a_command_that_does_not_exist_is_told_from_one_that_cannot_be_executed) {
  const auto missing = Process::start({"no-such-command-here"}, patcher());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kProcessStart);
  EXPECT_EQ(exec_failure_status(missing.error()), 127);
  const auto directory = Process::start({"/proc"}, patcher());
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(exec_failure_status(directory.error()), 126);
}

TEST_F(ProcessTest, a_command_in_no_folder_of_the_path_is_not_found_even_when_one_cannot_be_searched) {
  const std::string before = std::getenv("PATH");
  // A file where a folder should be: searching it fails, and not with "no such file".
  setenv("PATH", ("/proc/self/mem:/proc/1/root:" + before).c_str(), 1);
  const auto missing = Process::start({"no-such-command-here"}, patcher());
  setenv("PATH", before.c_str(), 1);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(exec_failure_status(missing.error()), 127);
}

TEST_F(ProcessTest, processes_that_cannot_be_attached_to_are_refused_by_code) {
  const auto self = Process::attach(getpid(), patcher());
  ASSERT_FALSE(self.has_value());
  EXPECT_EQ(self.error().code, Code::kProcessSelf);
  const pid_t ended = fork();
  if (ended == 0)
    _exit(0);
  siginfo_t info;
  waitid(P_PID, id_t(ended), &info, WEXITED | WNOWAIT);
  const auto zombie = Process::attach(ended, patcher());
  ASSERT_FALSE(zombie.has_value());
  EXPECT_EQ(zombie.error().code, Code::kProcessGone);
  waitpid(ended, nullptr, 0);
  const auto none = Process::attach(ended, patcher());
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Code::kProcessGone);
}

TEST_F(ProcessTest, a_process_that_is_killed_under_us_is_reported_gone) {
  run_child([](Shared& shared) { shared.ready = 1; spin(shared); });
  auto process = Process::attach(child_, patcher());
  ASSERT_TRUE(process.has_value());
  kill(child_, SIGKILL);
  const auto result = process->system_call(SYS_getpid, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kProcessGone);
}

TEST(ProcMaps, lines_are_read_and_others_skipped) {
  const auto maps = parse_maps("55aa00000000-55aa00001000 r-xp 00001000 fd:01 42   /usr/bin/a b (deleted)\n"
                               "nonsense\n"
                               "7fff00000000-7fff00021000 rw-p 00000000 00:00 0    [stack]\n");
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0].path, "/usr/bin/a b");
  EXPECT_TRUE(maps[0].deleted);
  EXPECT_TRUE(maps[0].executable);
  EXPECT_EQ(maps[0].offset, 0x1000u);
  EXPECT_EQ(maps[0].inode, 42u);
  EXPECT_EQ(maps[1].path, "[stack]");
}

TEST(ProcMaps, the_hole_nearest_to_an_address_is_found) {
  const auto maps = parse_maps("10000000-10010000 r-xp 00000000 fd:01 42 /a\n"
                               "10012000-10020000 rw-p 00000000 00:00 0 \n"
                               "20000000-20010000 r-xp 00000000 fd:01 43 /b\n");
  EXPECT_EQ(find_hole(maps, 0x1000, 0, 0x40000000, 0x10009000), 0x10011000u);
  EXPECT_EQ(find_hole(maps, 0x2000, 0, 0x40000000, 0x1000f000), 0xfffe000u);
  EXPECT_EQ(find_hole(maps, 0x1000, 0x10000000, 0x10010000, 0x10008000), 0u);
}

TEST(ProcMaps, a_hole_lies_in_no_mapping_whatever_their_order_and_end) {
  const auto maps = parse_maps("555500000000-555500001000 r-xp 00000000 fd:01 42 /a\n"
                               "10000000-7ffff7fc3000 rw-p 00000000 00:00 0 \n"
                               "ffffffffff600000-fffffffffffff000 --xp 00000000 00:00 0 [vsyscall]\n");
  ASSERT_EQ(maps.size(), 3u);
  EXPECT_EQ(maps[0].start, 0x10000000u);
  EXPECT_EQ(find_hole(maps, 0x1000, 0x20000000, 0x7fffffff0000, 0x555500000000), 0x7ffff7fc4000u);
  EXPECT_EQ(find_hole(maps, 0x1000, 0xffffffffff700000, UINT64_MAX, 0xffffffffff700000), 0u);
}

} // namespace
} // namespace bpfaot::loader
