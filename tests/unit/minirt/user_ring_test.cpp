// SPDX-License-Identifier: MIT
//
// User ring buffers: what is pushed is drained, in order; rings that make no sense are refused.
#include "minirt/dynptr.h"
#include "minirt/user_ring.h"
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kUserRing = 31;

struct Seen {
  std::vector<std::string> records;
  size_t stop_after = SIZE_MAX;
  uint64_t inner = 0; // what a drain in the callback returns
  bpfaot_map_desc* desc = nullptr;
};

uint64_t see(rt_env* env, uint64_t dynptr, void* arg, void*, void*) {
  auto* seen = static_cast<Seen*>(arg);
  const auto* d = reinterpret_cast<const rt_dynptr*>(dynptr);
  seen->records.emplace_back(reinterpret_cast<const char*>(d->data), d->size);
  if (seen->desc)
    seen->inner = __bpfaot_rt_user_ringbuf_drain(env, seen->desc, see, arg, 0);
  return seen->records.size() >= seen->stop_after;
}

struct Ring {
  TestMap map;
  bpfaot_map_desc desc;
  bpfaot_env env{};
  Seen seen;
  explicit Ring(uint32_t size = 4096) : map((reset_runtime(), kUserRing), 0, 0, size), desc(map.desc(1)) {}
  rt_user_ring_head* head() { return static_cast<rt_user_ring_head*>(map.view.data); }
  uint8_t* bytes() { return static_cast<uint8_t*>(map.view.data) + map.header->aux[RT_USER_RING_DATA]; }
  int push(const std::string& text) { return bpfaot_user_ring_push(&map.view, text.data(), text.size()); }
  int64_t drain(uint64_t flags = 0) {
    seen.records.clear();
    return static_cast<int64_t>(__bpfaot_rt_user_ringbuf_drain(&env, &desc, see, &seen, flags));
  }
};
} // namespace

TEST(UserRing, layout_is_as_for_ring_buffers) {
  EXPECT_EQ(TestMap(kUserRing, 0, 0, 4096).layout, 0);
  EXPECT_EQ(TestMap(kUserRing, 0, 0, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kUserRing, 0, 0, 6000).layout, -EINVAL);
  EXPECT_EQ(TestMap(kUserRing, 4, 0, 4096).layout, -EINVAL);
}

TEST(UserRing, records_are_drained_in_order_once) {
  Ring ring;
  EXPECT_EQ(ring.drain(), 0);
  EXPECT_EQ(ring.push("one"), 0);
  EXPECT_EQ(ring.push(""), 0);
  EXPECT_EQ(ring.push("three and more"), 0);
  EXPECT_EQ(ring.drain(), 3);
  EXPECT_EQ(ring.seen.records, (std::vector<std::string>{"one", "", "three and more"}));
  EXPECT_EQ(ring.drain(), 0);
}

TEST(UserRing, the_callback_may_stop_and_the_next_drain_goes_on) {
  Ring ring;
  for (const char* text : {"a", "b", "c"})
    ring.push(text);
  ring.seen.stop_after = 2;
  EXPECT_EQ(ring.drain(), 2);
  EXPECT_EQ(ring.drain(), 1);
  EXPECT_EQ(ring.seen.records, (std::vector<std::string>{"c"}));
}

TEST(UserRing, is_full_when_the_bytes_are_taken) {
  Ring ring;
  EXPECT_EQ(ring.push(std::string(4089, 'x')), -E2BIG);
  EXPECT_EQ(ring.push(std::string(4088, 'x')), 0);
  EXPECT_EQ(ring.push(""), -ENOSPC);
  EXPECT_EQ(ring.drain(), 1);
  EXPECT_EQ(ring.push(""), 0);
}

TEST(UserRing, records_that_run_past_the_end_are_whole) {
  Ring ring;
  std::mt19937 random(1);
  uint64_t number = 0;
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> pushed;
    for (int i = 0; i < 5; ++i) {
      std::string text(random() % 1500, static_cast<char>('a' + number++ % 26));
      if (ring.push(text) == 0)
        pushed.push_back(std::move(text));
    }
    EXPECT_EQ(ring.drain(), static_cast<int64_t>(pushed.size()));
    ASSERT_EQ(ring.seen.records, pushed) << round;
  }
}

TEST(UserRing, busy_records_hold_back_and_discarded_ones_are_skipped) {
  Ring ring;
  ring.push("first");
  ring.push("second");
  auto* word = reinterpret_cast<uint32_t*>(ring.bytes());
  *word |= 1u << 31;
  EXPECT_EQ(ring.drain(), 0);
  *word = 5 | 1u << 30;
  EXPECT_EQ(ring.drain(), 1);
  EXPECT_EQ(ring.seen.records, (std::vector<std::string>{"second"}));
}

TEST(UserRing, one_drains_at_a_time) {
  Ring ring;
  ring.push("x");
  ring.seen.desc = &ring.desc;
  EXPECT_EQ(ring.drain(), 1);
  EXPECT_EQ(static_cast<int64_t>(ring.seen.inner), -EBUSY);
  ring.seen.desc = nullptr;
  ring.head()->drains = 1; // init lives
  EXPECT_EQ(ring.drain(), -EBUSY);
  // The right of a thread that is gone is taken over.
  const pid_t child = fork();
  if (child == 0)
    _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  ring.head()->drains = static_cast<uint32_t>(child);
  ring.push("y");
  EXPECT_EQ(ring.drain(), 1);
  EXPECT_EQ(ring.head()->drains, 0u);
}

TEST(UserRing, flags_are_checked) {
  Ring ring;
  EXPECT_EQ(ring.drain(1), 0);
  EXPECT_EQ(ring.drain(2), 0);
  EXPECT_EQ(ring.drain(4), -EINVAL);
}

TEST(UserRing, that_make_no_sense_are_refused) {
  Ring ring;
  ring.push("x");
  ring.head()->produced += 4;
  EXPECT_EQ(ring.drain(), -EINVAL);
  ring.head()->produced = 16;
  ring.head()->consumed = 3;
  EXPECT_EQ(ring.drain(), -EINVAL);
  ring.head()->consumed = 0;
  *reinterpret_cast<uint32_t*>(ring.bytes()) = 9; // more than was produced
  EXPECT_EQ(ring.drain(), -EINVAL);
  *reinterpret_cast<uint32_t*>(ring.bytes()) = (1u << 30) - 1;
  ring.head()->produced = uint64_t{1} << 40;
  EXPECT_EQ(ring.drain(), -E2BIG);
  ring.head()->produced = ~uint64_t{7};
  EXPECT_EQ(ring.push("x"), -EINVAL);
}

// Whatever is in the memory, what a program gets lies in it.
TEST(UserRing, lends_nothing_outside_of_its_memory) {
  Ring ring;
  std::mt19937_64 random(7);
  const auto* begin = ring.bytes();
  struct Bounds {
    const uint8_t *begin, *end;
    uint64_t count = 0, wrong = 0;
  } bounds{begin, begin + 2 * 4096};
  const auto check = [](rt_env*, uint64_t dynptr, void* arg, void*, void*) -> uint64_t {
    auto* b = static_cast<Bounds*>(arg);
    const auto* d = reinterpret_cast<const rt_dynptr*>(dynptr);
    ++b->count;
    b->wrong += d->data < b->begin || d->data > b->end || d->size > static_cast<uint64_t>(b->end - d->data);
    return b->count % 50 == 0;
  };
  for (int round = 0; round < 20000; ++round) {
    for (uint32_t at = 0; at < 8192; at += 8)
      if (random() % 64 == 0 || round == 0)
        *reinterpret_cast<uint32_t*>(ring.bytes() + at) =
            static_cast<uint32_t>(random() % (random() % 2 ? 5000 : 64)) | (random() % 8 == 0 ? 1u << 30 : 0);
    ring.head()->consumed = random() % 3 ? random() & ~uint64_t{7} : random() % 100000 * 8;
    ring.head()->produced = random() % 4 ? ring.head()->consumed + random() % 10000 * 8 : random() & ~uint64_t{7};
    __bpfaot_rt_user_ringbuf_drain(&ring.env, &ring.desc, check, &bounds, 0);
  }
  EXPECT_GT(bounds.count, 10000u);
  EXPECT_EQ(bounds.wrong, 0u);
}
