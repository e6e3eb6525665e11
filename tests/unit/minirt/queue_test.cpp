// SPDX-License-Identifier: MIT
//
// Queue and stack maps by one thread, against std::deque, through the helpers and from outside.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <deque>
#include <gtest/gtest.h>
#include <random>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kQueue = 22, kStack = 23;
enum : uint64_t { kAny = 0, kNoExist = 1, kExist = 2 };

int push(const TestMap& map, uint64_t value, uint64_t flags = kAny) {
  return bpfaot_map_push(&map.view, &value, flags);
}
int64_t pop(const TestMap& map) {
  uint64_t value = 99;
  const int r = bpfaot_map_pop(&map.view, &value);
  if (r != 0) {
    EXPECT_EQ(value, 0u) << "a failed pop leaves zeros";
  }
  return r == 0 ? static_cast<int64_t>(value) : r;
}
int64_t peek(const TestMap& map, uint64_t index = 0) {
  uint64_t value = 99;
  const int r = bpfaot_map_peek(&map.view, &value, index);
  return r == 0 ? static_cast<int64_t>(value) : r;
}
} // namespace

TEST(Queue, layout_refuses_what_the_kernel_refuses) {
  for (uint32_t type : {kQueue, kStack}) {
    EXPECT_EQ(TestMap(type, 4, 8, 1).layout, -EINVAL) << "a key";
    EXPECT_EQ(TestMap(type, 0, 0, 1).layout, -EINVAL);
    EXPECT_EQ(TestMap(type, 0, 8, 0).layout, -EINVAL);
    EXPECT_EQ(TestMap(type, 0, 8, 1, 1).layout, -EINVAL) << "BPF_F_NO_PREALLOC";
    EXPECT_EQ(TestMap(type, 0, 3, 1).layout, 0);
  }
}

TEST(Queue, gives_the_oldest_first) {
  TestMap map(kQueue, 0, 8, 3);
  EXPECT_EQ(pop(map), -ENOENT);
  EXPECT_EQ(peek(map), -ENOENT);
  for (uint64_t i = 1; i <= 3; i++)
    EXPECT_EQ(push(map, i), 0);
  EXPECT_EQ(push(map, 4), -E2BIG);
  EXPECT_EQ(peek(map), 1);
  EXPECT_EQ(peek(map, 2), 3);
  EXPECT_EQ(peek(map, 3), -ENOENT);
  EXPECT_EQ(pop(map), 1);
  EXPECT_EQ(push(map, 4), 0);
  EXPECT_EQ(push(map, 5, kExist), 0) << "pushes out the oldest";
  EXPECT_EQ(pop(map), 3);
  EXPECT_EQ(pop(map), 4);
  EXPECT_EQ(pop(map), 5);
  EXPECT_EQ(pop(map), -ENOENT);
}

TEST(Queue, a_stack_gives_the_newest_first) {
  TestMap map(kStack, 0, 8, 3);
  for (uint64_t i = 1; i <= 3; i++)
    EXPECT_EQ(push(map, i), 0);
  EXPECT_EQ(push(map, 4), -E2BIG);
  EXPECT_EQ(peek(map), 3);
  EXPECT_EQ(peek(map, 2), 1);
  EXPECT_EQ(push(map, 4, kExist), 0) << "pushes out the oldest";
  EXPECT_EQ(pop(map), 4);
  EXPECT_EQ(pop(map), 3);
  EXPECT_EQ(pop(map), 2);
  EXPECT_EQ(pop(map), -ENOENT);
}

TEST(Queue, flags_answer_like_the_kernel) {
  TestMap map(kQueue, 0, 8, 1);
  EXPECT_EQ(push(map, 1, kNoExist), -EINVAL);
  EXPECT_EQ(push(map, 1, 3), -EINVAL);
  EXPECT_EQ(push(map, 1, 4), -EINVAL);
  EXPECT_EQ(push(map, 1, kExist), 0);
  uint64_t value = 2;
  EXPECT_EQ(bpfaot_map_update(&map.view, nullptr, &value, kAny, 0), -E2BIG);
  EXPECT_EQ(bpfaot_map_delete(&map.view, &value), -EINVAL);
  EXPECT_EQ(bpfaot_map_next_key(&map.view, nullptr, &value), -EINVAL);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &value, 0), nullptr);
  TestMap hash(1, 4, 8, 1);
  EXPECT_EQ(bpfaot_map_push(&hash.view, &value, 0), -EOPNOTSUPP);
  EXPECT_EQ(bpfaot_map_pop(&hash.view, &value), -EOPNOTSUPP);
  EXPECT_EQ(bpfaot_map_peek(&hash.view, &value, 0), -EOPNOTSUPP);
}

TEST(Queue, is_a_deque_whatever_the_sizes) {
  reset_runtime();
  for (uint32_t type : {kQueue, kStack})
    for (uint32_t size : {1u, 3u, 8u, 13u, 100u})
      for (uint32_t room : {1u, 2u, 5u, 64u, 1000u}) {
        TestMap map(type, 0, size, room);
        bpfaot_map_desc desc = map.desc(0);
        bpfaot_env env{};
        std::deque<std::string> model;
        std::mt19937 random(size * 1000 + room);
        for (int i = 0; i < 4000; i++) {
          std::string value(size, '\0'), found(size, 'x');
          for (char& c : value)
            c = static_cast<char>(random());
          const bool pushes = random() % 1000 < (i / 1000 % 2 ? 600u : 400u);
          if (pushes) {
            const uint64_t flags = random() % 2 * 2;
            const bool full = model.size() == room;
            ASSERT_EQ(static_cast<int64_t>(
                          __bpfaot_rt_map_push_elem(&env, &desc, value.data(), flags)),
                      full && !flags ? -E2BIG : 0);
            if (full && flags)
              model.pop_front();
            if (!full || flags)
              model.push_back(value);
            continue;
          }
          const bool takes = random() % 4 != 0;
          const auto r = static_cast<int64_t>(
              takes ? __bpfaot_rt_map_pop_elem(&env, &desc, found.data())
                    : __bpfaot_rt_map_peek_elem(&env, &desc, found.data()));
          if (model.empty()) {
            ASSERT_EQ(r, -ENOENT);
            ASSERT_EQ(found, std::string(size, '\0'));
            continue;
          }
          ASSERT_EQ(r, 0);
          ASSERT_EQ(found, type == kQueue ? model.front() : model.back());
          if (takes && type == kQueue)
            model.pop_front();
          else if (takes)
            model.pop_back();
        }
      }
}
