// SPDX-License-Identifier: MIT
//
// Ring buffer, perf event array: capacity as in the kernel, order, discard, lost records, wrapping.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <random>
#include <sched.h>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kRingbuf = 27, kPerfArray = 4;

struct Ring {
  TestMap map;
  bpfaot_map_desc desc;
  bpfaot_env env{};
  explicit Ring(uint32_t size) : map((reset_runtime(), kRingbuf), 0, 0, size), desc(map.desc(1)) {}
  void* reserve(uint64_t size) { return __bpfaot_rt_ringbuf_reserve(&env, &desc, size, 0); }
  void submit(void* record) { __bpfaot_rt_ringbuf_submit(&env, record, 0); }
  void discard(void* record) { __bpfaot_rt_ringbuf_discard(&env, record, 0); }
  int64_t output(const std::string& text, uint64_t flags = 0) {
    return static_cast<int64_t>(
        __bpfaot_rt_ringbuf_output(&env, &desc, text.data(), text.size(), flags));
  }
  uint64_t query(uint64_t what) { return __bpfaot_rt_ringbuf_query(&env, &desc, what); }
};
} // namespace

TEST(Ring, layout_wants_a_power_of_two_of_pages_and_no_sizes) {
  EXPECT_EQ(TestMap(kRingbuf, 0, 0, 4096).layout, 0);
  EXPECT_EQ(TestMap(kRingbuf, 0, 0, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kRingbuf, 0, 0, 2048).layout, -EINVAL);
  EXPECT_EQ(TestMap(kRingbuf, 0, 0, 12288).layout, -EINVAL);
  EXPECT_EQ(TestMap(kRingbuf, 4, 0, 4096).layout, -EINVAL);
  EXPECT_EQ(TestMap(kRingbuf, 0, 8, 4096).layout, -EINVAL);
}

TEST(Ring, records_come_out_in_the_order_of_reservation) {
  Ring ring(4096);
  void* a = ring.reserve(3);
  void* b = ring.reserve(5);
  ASSERT_TRUE(a && b);
  std::memcpy(a, "one", 3);
  std::memcpy(b, "twooo", 5);
  ring.submit(b);
  EXPECT_TRUE(consume_all(ring.map).empty()) << "an unfinished record holds back the later ones";
  ring.submit(a);
  EXPECT_EQ(consume_all(ring.map), (std::vector<std::string>{"one", "twooo"}));
  EXPECT_TRUE(consume_all(ring.map).empty());
}

TEST(Ring, discarded_records_are_not_delivered_and_give_their_room_back) {
  Ring ring(4096);
  void* a = ring.reserve(100);
  ring.discard(a);
  EXPECT_EQ(ring.output("kept"), 0);
  EXPECT_EQ(consume_all(ring.map), (std::vector<std::string>{"kept"}));
  EXPECT_EQ(ring.query(0), 0u);
}

TEST(Ring, as_many_records_fit_as_in_the_kernel) {
  Ring ring(4096);
  int count = 0;
  while (ring.output("8 bytes.") == 0)
    count++;
  EXPECT_EQ(count, 255); // 16 bytes each, and never quite full
  EXPECT_EQ(bpfaot_ring_lost(&ring.map.view), 1u);
  EXPECT_EQ(ring.output("x"), -EAGAIN);
  EXPECT_EQ(bpfaot_ring_lost(&ring.map.view), 2u);
  EXPECT_EQ(ring.query(0), 255u * 16);
  EXPECT_EQ(consume_all(ring.map).size(), 255u);
  EXPECT_EQ(ring.output("x"), 0);
}

TEST(Ring, what_can_never_fit_is_refused_and_not_counted_as_lost) {
  Ring ring(4096);
  EXPECT_EQ(ring.reserve(4096), nullptr);
  EXPECT_EQ(ring.reserve(1ull << 40), nullptr);
  EXPECT_EQ(bpfaot_ring_lost(&ring.map.view), 0u);
  void* large = ring.reserve(4096 - 16);
  ASSERT_NE(large, nullptr);
  ring.submit(large);
  EXPECT_EQ(consume_all(ring.map)[0].size(), 4096u - 16);
}

TEST(Ring, flags_answer_like_the_kernel) {
  Ring ring(4096);
  EXPECT_EQ(__bpfaot_rt_ringbuf_reserve(&ring.env, &ring.desc, 8, 1), nullptr);
  EXPECT_EQ(ring.output("a", 1), 0) << "BPF_RB_NO_WAKEUP";
  EXPECT_EQ(ring.output("b", 2), 0) << "BPF_RB_FORCE_WAKEUP";
  EXPECT_EQ(ring.output("c", 4), -EINVAL);
}

TEST(Ring, query_tells_positions_and_size) {
  Ring ring(8192);
  ring.output("12345678");
  ring.output("123456789");
  EXPECT_EQ(ring.query(0), 16u + 24);
  EXPECT_EQ(ring.query(1), 8192u);
  EXPECT_EQ(ring.query(2), 0u);
  EXPECT_EQ(ring.query(3), 40u);
  EXPECT_EQ(ring.query(9), 0u);
  consume_all(ring.map, 1);
  EXPECT_EQ(ring.query(0), 24u);
  EXPECT_EQ(ring.query(2), 16u);
}

TEST(Ring, records_of_all_sizes_survive_many_laps) {
  Ring ring(4096);
  std::mt19937 random(7);
  std::vector<std::string> sent, received;
  for (int i = 0; i < 20000; i++) {
    std::string text(random() % 700, static_cast<char>('a' + i % 26));
    if (ring.output(text) == 0)
      sent.push_back(text);
    if (random() % 3 == 0)
      for (auto& record : consume_all(ring.map, random() % 4))
        received.push_back(record);
  }
  for (auto& record : consume_all(ring.map))
    received.push_back(record);
  EXPECT_GT(sent.size(), 5000u);
  EXPECT_EQ(sent.size() + bpfaot_ring_lost(&ring.map.view), 20000u);
  EXPECT_EQ(sent, received);
}

TEST(Ring, a_callback_can_stop_the_consumer_after_its_record) {
  Ring ring(4096);
  ring.output("a");
  ring.output("b");
  int seen = 0;
  auto once = [](void* arg, const void*, uint32_t, uint32_t) { return ++*static_cast<int*>(arg); };
  EXPECT_EQ(bpfaot_ring_consume(&ring.map.view, once, &seen, 0), 1);
  EXPECT_EQ(consume_all(ring.map), (std::vector<std::string>{"b"}));
}

TEST(Ring, a_wrong_hint_in_shared_memory_does_not_misdirect_submit) {
  Ring ring(4096);
  void* record = ring.reserve(8);
  static_cast<uint32_t*>(record)[-1] = 0xdeadbeef; // the tag before the payload
  std::memcpy(record, "payload!", 8);
  ring.submit(record);
  EXPECT_EQ(consume_all(ring.map), (std::vector<std::string>{"payload!"}));
}

TEST(Ring, bytes_of_a_hostile_peer_do_no_harm) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 100; round++) {
    Ring ring(4096);
    for (int i = 0; i < 10; i++)
      ring.output("some text");
    auto* words = static_cast<uint64_t*>(ring.map.view.data);
    uint64_t head_words = ring.map.header->aux[2] / 8;
    for (int i = 0; i < 8; i++)
      words[random() % head_words] = random() % 2 ? random() : random() % 512;
    consume_all(ring.map, 1000);
    ring.output("more");
    consume_all(ring.map, 1000);
  }
}

TEST(PerfEventArray, records_carry_the_cpu_they_were_written_on) {
  reset_runtime();
  TestMap map(kPerfArray, 4, 4, 0, 0, 8);
  ASSERT_EQ(map.layout, 0);
  EXPECT_EQ(map.header->max_entries, 8u) << "0 means one per CPU";
  bpfaot_map_desc desc = map.desc(2);
  desc.max_entries = 0;
  bpfaot_env env{};
  auto output = [&](uint64_t flags, uint64_t size = 5) {
    return static_cast<int64_t>(
        __bpfaot_rt_perf_event_output(&env, nullptr, &desc, flags, "hello", size));
  };
  cpu_set_t one;
  CPU_ZERO(&one);
  int here = sched_getcpu();
  CPU_SET(here, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(output(0xffffffff), 0);
  EXPECT_EQ(output(static_cast<uint64_t>(here)), 0);
  EXPECT_EQ(output(static_cast<uint64_t>(here == 0 ? 1 : 0)), -EOPNOTSUPP);
  EXPECT_EQ(output(8), -E2BIG);
  EXPECT_EQ(output(1ull << 40), -EINVAL);
  EXPECT_EQ(output(0xffffffff, 65530), -E2BIG);
  std::vector<uint32_t> cpus;
  EXPECT_EQ(bpfaot_ring_consume(
                &map.view,
                [](void* arg, const void* record, uint32_t size, uint32_t cpu) {
                  EXPECT_EQ(std::string(static_cast<const char*>(record), size), "hello");
                  static_cast<std::vector<uint32_t>*>(arg)->push_back(cpu);
                  return 0;
                },
                &cpus, 0),
            2);
  EXPECT_EQ(cpus,
            (std::vector<uint32_t>{static_cast<uint32_t>(here), static_cast<uint32_t>(here)}));
  std::string large(60000, 'x');
  int64_t result = 0;
  for (int i = 0; i < 30 && result == 0; i++)
    result = static_cast<int64_t>(__bpfaot_rt_perf_event_output(&env, nullptr, &desc, 0xffffffff,
                                                                large.data(), large.size()));
  EXPECT_EQ(result, -ENOSPC);
  EXPECT_EQ(bpfaot_ring_lost(&map.view), 1u);
}
