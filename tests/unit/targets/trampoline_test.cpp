// SPDX-License-Identifier: MIT
//
// Generated trampolines, run in this process on code that is copied beside them. What must hold:
// programs see the registers of the probed place, and the probed code sees no difference at all.
#include "targets/arena.h"
#include "targets/patch.h"

#include "bpfaot/abi.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#if !defined(__x86_64__)
TEST(Trampoline, RunsOnItsOwnMachineOnly) { GTEST_SKIP() << "this host is not x86_64"; }
#else

// Keeps every register but rax and r11, as programs do: the C function behind it may be anything.
extern "C" void record_entry(uint64_t* ctx);
asm(R"(
  .text
  .globl program_entry
program_entry:
  push %rbp
  mov %rsp, %rbp
  push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10
  and $-16, %rsp
  sub $512, %rsp
  fxsave (%rsp)
  call record_entry
  fxrstor (%rsp)
  lea -56(%rbp), %rsp
  pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx
  pop %rbp
  mov $0xdead, %eax
  mov $0xdead, %r11d
  ret

  # call_with(code, values[17], results[17]): all registers but rsp from values, flags last
  .globl call_with
call_with:
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  push %rdx
  push %rdi
  mov %rsi, %r15
  push 128(%r15); popfq
  mov 0(%r15), %rax; mov 8(%r15), %rbx; mov 16(%r15), %rcx; mov 24(%r15), %rdx
  mov 32(%r15), %rsi; mov 40(%r15), %rdi; mov 48(%r15), %rbp; mov 56(%r15), %r8
  mov 64(%r15), %r9; mov 72(%r15), %r10; mov 80(%r15), %r11; mov 88(%r15), %r12
  mov 96(%r15), %r13; mov 104(%r15), %r14; mov 112(%r15), %r15
  call *(%rsp)
  push %r15
  mov 16(%rsp), %r15
  mov %rax, 0(%r15); mov %rbx, 8(%r15); mov %rcx, 16(%r15); mov %rdx, 24(%r15)
  mov %rsi, 32(%r15); mov %rdi, 40(%r15); mov %rbp, 48(%r15); mov %r8, 56(%r15)
  mov %r9, 64(%r15); mov %r10, 72(%r15); mov %r11, 80(%r15); mov %r12, 88(%r15)
  mov %r13, 96(%r15); mov %r14, 104(%r15)
  pushfq; pop 128(%r15)
  pop %rax
  mov %rax, 112(%r15)
  cld
  pop %rdi; pop %rdx
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
)");
extern "C" void program_entry();
extern "C" void call_with(const void* code, const uint64_t* values, uint64_t* results);

namespace {

struct Seen {
  std::vector<uint64_t> regs; // 21 slots
  uint64_t site;
};
std::vector<Seen> g_seen;

} // namespace

extern "C" void record_entry(uint64_t* ctx) {
  g_seen.push_back({{ctx, ctx + 21}, ctx[-1]});
}

namespace bpfaot::targets {
namespace {

using Bytes = std::vector<uint8_t>;

// An arena, a thread table and a page of victim code, all close together.
class TrampolineTest : public testing::Test {
protected:
  static constexpr uint32_t kCapacityLog2 = 4;

  void SetUp() override {
    g_seen.clear();
    size_ = 1 << 20;
    area_ = static_cast<uint8_t*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(area_, MAP_FAILED);
    patcher_ = find_patcher(62);
    ASSERT_NE(patcher_, nullptr);
    const SupportCode support = patcher_->support();
    auto* control = reinterpret_cast<bpfaot_arena*>(area_);
    control->table = address(&table_);
    control->process = address(&process_);
    pthread_attr_t attributes;
    void* stack = nullptr;
    size_t stack_size = 0;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &stack_size);
    pthread_attr_destroy(&attributes);
    control->main_stack = {address(stack), address(stack) + stack_size};
    control->may_call_system = 1;
    control->has_fast_thread_pointer = getauxval(AT_HWCAP2) >> 1 & 1;
    control->range_count = 1;
    control->ranges[0] = {address(area_), address(area_) + kVictims};
    std::memcpy(area_ + BPFAOT_ARENA_SUPPORT, support.bytes.data(), support.bytes.size());
    trampolines_ = area_ + 8192;
    victims_ = area_ + kVictims;
    threads_ = area_ + (size_ - (sizeof(bpfaot_thread) << kCapacityLog2) - 4096);
    table_ = {sizeof table_, kCapacityLog2, sizeof(bpfaot_thread), address(threads_), 0, {}};
    process_ = {};
  }
  void TearDown() override { munmap(area_, size_); }

  static uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

  uint8_t* place(const Bytes& code) {
    uint8_t* at = victims_;
    std::memcpy(at, code.data(), code.size());
    victims_ += (code.size() + 31) & ~size_t{15};
    return at;
  }

  ProbeCall program(uint64_t site = 0) {
    return {address(reinterpret_cast<void*>(&program_entry)), site, ~0ull, 1u | 1u << 11, site != 0};
  }

  // Patches `offset` bytes into the victim.
  void probe(uint8_t* victim, size_t size, size_t offset, std::vector<ProbeCall> entry,
             std::vector<ProbeCall> ret) {
    SiteRequest request{{victim, size}, address(victim), size, 0, address(victim) + offset};
    Result<SiteCover> cover = patcher_->cover(request);
    ASSERT_TRUE(cover) << cover.error().message;
    TrampolineRequest wanted;
    wanted.pc = address(trampolines_);
    wanted.probe_pc = address(victim) + offset;
    wanted.cover = *cover;
    const auto* bytes = reinterpret_cast<const uint8_t*>(cover->patch_pc);
    wanted.original = {bytes, cover->size};
    wanted.at_entry = std::move(entry);
    wanted.at_return = std::move(ret);
    wanted.thread_base = address(threads_);
    wanted.thread_capacity_log2 = kCapacityLog2;
    wanted.support = patcher_->support().at(address(area_) + BPFAOT_ARENA_SUPPORT);
    wanted.has_fast_thread_pointer = getauxval(AT_HWCAP2) >> 1 & 1;
    wanted.armed = address(&reinterpret_cast<bpfaot_arena*>(area_)->armed);
    Result<Trampoline> made = patcher_->make_trampoline(wanted);
    ASSERT_TRUE(made) << made.error().message;
    std::memcpy(trampolines_, made->bytes.data(), made->bytes.size());
    const Result<Bytes> jump = patcher_->encode_jump(cover->patch_pc, wanted.pc, cover->scratch);
    ASSERT_TRUE(jump);
    std::memcpy(reinterpret_cast<void*>(cover->patch_pc), jump->data(), jump->size());
    trampolines_ += (made->bytes.size() + 31) & ~size_t{15};
  }

  // Calls the code with patterns everywhere and compares what it leaves, but for `changed`.
  void expect_untouched(const void* code, uint64_t flags) {
    uint64_t values[17], results[17] = {};
    for (int i = 0; i < 17; ++i) {
      values[i] = 0x1111111111111111ull * static_cast<uint64_t>(i + 1);
    }
    values[16] = flags | 0x202;
    call_with(code, values, results);
    for (int i = 0; i < 15; ++i) {
      EXPECT_EQ(results[i], values[i]) << "register " << i;
    }
    EXPECT_EQ(results[16] & 0xed5, values[16] & 0xed5) << "flags";
  }

  static constexpr size_t kVictims = 256 << 10;
  uint8_t* area_ = nullptr;
  size_t size_ = 0;
  uint8_t* trampolines_ = nullptr;
  uint8_t* victims_ = nullptr;
  uint8_t* threads_ = nullptr;
  const Patcher* patcher_ = nullptr;
  bpfaot_thread_table table_{};
  bpfaot_process process_{};
};

const Bytes kNothing = {0x0f, 0x1f, 0x44, 0, 0, 0xc3}; // nopl; ret
constexpr uint64_t kFlagPatterns[] = {0, 0x8d5, 0x800, 0x41, 0x94, 0x1};

TEST_F(TrampolineTest, EntryProbeLeavesEveryRegisterAndFlag) {
  uint8_t* victim = place(kNothing);
  probe(victim, kNothing.size(), 0, {program(0x77)}, {});
  for (const uint64_t flags : kFlagPatterns) {
    expect_untouched(victim, flags);
  }
  ASSERT_EQ(g_seen.size(), std::size(kFlagPatterns));
  const std::vector<uint64_t>& regs = g_seen[1].regs;
  EXPECT_EQ(regs[10], 0x1111111111111111ull);       // rax
  EXPECT_EQ(regs[14], 0x6666666666666666ull);       // rdi
  EXPECT_EQ(regs[0], 0xffffffffffffffffull);        // r15
  EXPECT_EQ(regs[6], 0x1111111111111111ull * 11);   // r11
  EXPECT_EQ(regs[16], address(victim));             // ip
  EXPECT_EQ(regs[18] & 0x8d5, 0x8d5u);              // flags
  EXPECT_EQ(regs[15], ~0ull);
  EXPECT_EQ(g_seen[1].site, 0x77u);
}

TEST_F(TrampolineTest, ReturnProbeLeavesEveryRegisterAndFlag) {
  uint8_t* victim = place(kNothing);
  probe(victim, kNothing.size(), 0, {program(1)}, {program(2), program(3)});
  for (const uint64_t flags : kFlagPatterns) {
    expect_untouched(victim, flags);
  }
  ASSERT_EQ(g_seen.size(), 3 * std::size(kFlagPatterns));
  EXPECT_EQ(g_seen[0].site, 1u);
  EXPECT_EQ(g_seen[1].site, 2u);
  EXPECT_EQ(g_seen[2].site, 3u);
  EXPECT_EQ(g_seen[1].regs[19], g_seen[0].regs[19] + 8); // sp: the return address is gone
  EXPECT_NE(g_seen[1].regs[16], address(victim));        // ip: where it returns to
  EXPECT_EQ(g_seen[1].regs[10], 0x1111111111111111ull);
  EXPECT_EQ(process_.missed_returns, 0u);
}

TEST_F(TrampolineTest, ProbeInTheMiddleKeepsRedZoneAndFlags) {
  // mov %rax, -8(%rsp); mov %rbx, -128(%rsp); nopl; mov -8(%rsp), %rax; mov -128(%rsp), %rbx; ret
  const Bytes code = {0x48, 0x89, 0x44, 0x24, 0xf8, 0x48, 0x89, 0x5c, 0x24, 0x80, 0x0f, 0x1f, 0x44, 0, 0,
                      0x48, 0x8b, 0x44, 0x24, 0xf8, 0x48, 0x8b, 0x5c, 0x24, 0x80, 0xc3};
  uint8_t* victim = place(code);
  probe(victim, code.size(), 10, {program(), program()}, {});
  for (const uint64_t flags : {0x0ull, 0x8d5ull, 0x400ull, 0xcd5ull}) { // with the direction flag
    expect_untouched(victim, flags);
  }
  ASSERT_EQ(g_seen.size(), 8u);
  EXPECT_EQ(g_seen[0].regs[16], address(victim) + 10);
  EXPECT_EQ(g_seen[2].regs[18] & 0x8d5, 0x8d5u);
  EXPECT_EQ(g_seen[0].regs[11], 0x3333333333333333ull);
  EXPECT_EQ(g_seen[0].regs[10], 0x1111111111111111ull);
}

TEST_F(TrampolineTest, WithoutItsLoaderNoProgramRunsAndReturnsAreRight) {
  uint8_t* entered = place(kNothing);
  probe(entered, kNothing.size(), 0, {program(1)}, {program(2)});
  uint8_t* inside = place({0x90, 0x0f, 0x1f, 0x44, 0, 0, 0xc3});
  probe(inside, 7, 1, {program(3)}, {});
  auto* control = reinterpret_cast<bpfaot_arena*>(area_);
  for (const uint32_t armed : {1234u, 1234u | BPFAOT_DISARMED, 0u, BPFAOT_DISARMED}) {
    control->armed = armed;
    g_seen.clear();
    for (const uint64_t flags : kFlagPatterns) {
      expect_untouched(entered, flags);
      expect_untouched(inside, flags);
    }
    EXPECT_EQ(g_seen.size(), (armed & BPFAOT_DISARMED) != 0 ? 0u : 3 * std::size(kFlagPatterns));
  }
  EXPECT_EQ(process_.missed_returns, 0u);
}

// f(n): n == 0 ? 0 : n + f(n - 1)
const Bytes kRecursive = {0x53,                         // push %rbx
                          0x48, 0x89, 0xfb,             // mov %rdi, %rbx
                          0x31, 0xc0,                   // xor %eax, %eax
                          0x48, 0x85, 0xff,             // test %rdi, %rdi
                          0x74, 0x0c,                   // je out
                          0x48, 0x8d, 0x7f, 0xff,       // lea -1(%rdi), %rdi
                          0xe8, 0xec, 0xff, 0xff, 0xff, // call f
                          0x48, 0x01, 0xd8,             // add %rbx, %rax
                          0x5b, 0xc3};                  // out: pop; ret
using Function = uint64_t (*)(uint64_t);

TEST_F(TrampolineTest, RecursionReturnsInOrder) {
  uint8_t* victim = place(kRecursive);
  probe(victim, kRecursive.size(), 0, {program()}, {program()});
  EXPECT_EQ(reinterpret_cast<Function>(victim)(20), 210u);
  ASSERT_EQ(g_seen.size(), 42u);
  for (uint64_t i = 0; i <= 20; ++i) {
    EXPECT_EQ(g_seen[i].regs[14], 20 - i);
    EXPECT_EQ(g_seen[21 + i].regs[10], i * (i + 1) / 2);
  }
}

TEST_F(TrampolineTest, RecursionBeyondTheShadowStackRunsUnprobedAndIsCounted) {
  uint8_t* victim = place(kRecursive);
  probe(victim, kRecursive.size(), 0, {}, {program()});
  EXPECT_EQ(reinterpret_cast<Function>(victim)(1999), 1999u * 2000 / 2);
  EXPECT_EQ(g_seen.size(), BPFAOT_FRAMES);
  EXPECT_EQ(process_.missed_returns, 2000 - BPFAOT_FRAMES);
  g_seen.clear();
  EXPECT_EQ(reinterpret_cast<Function>(victim)(5), 15u);
  EXPECT_EQ(g_seen.size(), 6u);
}

jmp_buf g_jump;
[[gnu::noinline]] void leave() { longjmp(g_jump, 1); }
[[gnu::noinline]] uint64_t deeper(uint64_t depth, Function function, uint64_t argument) {
  volatile uint64_t local = depth;
  return depth == 0 ? function(argument) + 0 * local : deeper(depth - 1, function, argument) + 0 * local;
}

TEST_F(TrampolineTest, FramesLeftByLongjmpAreDropped) {
  // sub $8, %rsp; call *%rdi; add $8, %rsp; ret
  const Bytes code = {0x48, 0x83, 0xec, 0x08, 0x90, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3};
  uint8_t* victim = place(code);
  probe(victim, code.size(), 0, {}, {program()});
  uint8_t* outer = place(kNothing);
  probe(outer, kNothing.size(), 0, {}, {program()});
  static uint64_t round; // static: longjmp leaves locals undefined
  for (round = 0; round < 5000; ++round) {
    if (setjmp(g_jump) == 0) {
      deeper(round % 37, reinterpret_cast<Function>(victim), address(reinterpret_cast<void*>(&leave)));
    }
    reinterpret_cast<Function>(outer)(0);
  }
  EXPECT_EQ(g_seen.size(), 5000u);
  EXPECT_EQ(process_.missed_returns, 0u);
}

TEST_F(TrampolineTest, ATailCallReturnsThroughBothFrames) {
  uint8_t* second = place({0x48, 0x8d, 0x47, 0x01, 0x90, 0xc3}); // lea 1(%rdi), %rax; nop; ret
  Bytes code = {0x48, 0x8d, 0x7f, 0x01, 0x90, 0xe9, 0, 0, 0, 0};  // lea 1(%rdi), %rdi; nop; jmp second
  const int32_t relative = static_cast<int32_t>(second - (victims_ + code.size()));
  std::memcpy(&code[6], &relative, 4);
  uint8_t* first = place(code);
  probe(second, 6, 0, {}, {program(2)});
  probe(first, code.size(), 0, {}, {program(1)});
  EXPECT_EQ(reinterpret_cast<Function>(first)(5), 7u);
  EXPECT_EQ(reinterpret_cast<Function>(second)(5), 6u);
  ASSERT_EQ(g_seen.size(), 3u);
  EXPECT_EQ(g_seen[0].site, 2u);
  EXPECT_EQ(g_seen[1].site, 1u);
  EXPECT_EQ(g_seen[2].site, 2u);
}

TEST_F(TrampolineTest, AnUnwinderFindsTrueReturnAddresses) {
  uint8_t* unwinder = place(kNothing);
  TrampolineRequest wanted;
  SiteRequest request{{unwinder, kNothing.size()}, address(unwinder), kNothing.size(), 0, address(unwinder)};
  Result<SiteCover> cover = patcher_->cover(request);
  ASSERT_TRUE(cover);
  wanted.pc = address(trampolines_);
  wanted.cover = *cover;
  const Bytes original(unwinder, unwinder + cover->size);
  wanted.original = original;
  wanted.sweeps = true;
  wanted.support = patcher_->support().at(address(area_) + BPFAOT_ARENA_SUPPORT);
  Result<Trampoline> made = patcher_->make_trampoline(wanted);
  ASSERT_TRUE(made);
  std::memcpy(trampolines_, made->bytes.data(), made->bytes.size());
  const Result<Bytes> jump = patcher_->encode_jump(address(unwinder), wanted.pc, cover->scratch);
  std::memcpy(unwinder, jump->data(), jump->size());
  trampolines_ += 1024;
  expect_untouched(unwinder, 0x8d5); // nothing to sweep

  const Bytes code = {0x48, 0x83, 0xec, 0x08, 0x90, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3};
  uint8_t* victim = place(code);
  probe(victim, code.size(), 0, {}, {program()});
  reinterpret_cast<Function>(victim)(address(unwinder));
  EXPECT_EQ(g_seen.size(), 0u);
  EXPECT_EQ(process_.missed_returns, 1u);
  uint8_t* other = place(kNothing);
  reinterpret_cast<Function>(victim)(address(other));
  EXPECT_EQ(g_seen.size(), 1u);
}

struct ThreadJob {
  Function function;
  uint64_t sum = 0;
};

TEST_F(TrampolineTest, ThreadsHaveTheirOwnShadowStacksAndTooManyAreCounted) {
  uint8_t* victim = place(kRecursive);
  static const Bytes kEmptyProgram = {0x31, 0xc0, 0xc3};
  uint8_t* empty = place(kEmptyProgram);
  probe(victim, kRecursive.size(), 0, {}, {{address(empty), 0, 0, 1, false}});
  std::vector<pthread_t> threads(24); // more than the table holds
  std::vector<ThreadJob> jobs(threads.size(), {reinterpret_cast<Function>(victim), 0});
  for (size_t i = 0; i < threads.size(); ++i) {
    ASSERT_EQ(pthread_create(&threads[i], nullptr, [](void* job) -> void* {
      auto* work = static_cast<ThreadJob*>(job);
      for (int k = 0; k < 2000; ++k) {
        work->sum += work->function(10);
      }
      return nullptr;
    }, &jobs[i]), 0);
  }
  for (size_t i = 0; i < threads.size(); ++i) {
    pthread_join(threads[i], nullptr);
    EXPECT_EQ(jobs[i].sum, 2000u * 55);
  }
  EXPECT_LE(table_.used, 16u);
}

} // namespace
} // namespace bpfaot::targets
#endif
