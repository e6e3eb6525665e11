// SPDX-License-Identifier: MIT
//
// Array, per-CPU array and cgroup array: layout, results, order of checks.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kArray = 2, kProgArray = 3, kPerCpuArray = 6, kCgroupArray = 8;

uint64_t read_u64(const void* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
} // namespace

TEST(Array, layout_rounds_values_to_eight_and_data_to_pages) {
  TestMap map(kArray, 4, 13, 10);
  ASSERT_EQ(map.layout, 0);
  EXPECT_EQ(map.header->elem_size, 16u);
  EXPECT_EQ(map.header->data_size, 4096u);
}

TEST(Array, layout_refuses_what_the_kernel_refuses) {
  EXPECT_EQ(TestMap(kArray, 8, 8, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kArray, 4, 0, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kArray, 4, 8, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kArray, 4, 8, 1, 1).layout, -EINVAL) << "BPF_F_NO_PREALLOC";
  EXPECT_EQ(TestMap(kArray, 4, UINT32_MAX, 1).layout, -E2BIG);
  EXPECT_EQ(TestMap(99, 4, 8, 1).layout, -EINVAL);
}

TEST(Array, values_start_at_zero_and_keep_what_is_written) {
  TestMap map(kArray, 4, 8, 3);
  for (uint32_t key = 0; key < 3; key++) {
    EXPECT_EQ(read_u64(bpfaot_map_lookup(&map.view, &key, 0)), 0u);
    uint64_t value = key + 100;
    EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 0, 0), 0);
  }
  for (uint32_t key = 0; key < 3; key++)
    EXPECT_EQ(read_u64(bpfaot_map_lookup(&map.view, &key, 0)), key + 100);
}

TEST(Array, a_value_of_odd_size_does_not_touch_its_neighbour) {
  TestMap map(kArray, 4, 13, 2);
  uint32_t key = 0;
  unsigned char value[13];
  std::memset(value, 0xee, sizeof value);
  ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 0, 0), 0);
  auto* bytes = static_cast<unsigned char*>(map.view.data);
  EXPECT_EQ(std::memcmp(bytes, value, 13), 0);
  for (int i = 13; i < 32; i++)
    EXPECT_EQ(bytes[i], 0) << i;
}

TEST(Array, flags_and_bounds_answer_like_the_kernel) {
  TestMap map(kArray, 4, 8, 3);
  uint32_t key = 1, outside = 3;
  uint64_t value = 1;
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 2, 0), 0) << "BPF_EXIST";
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 1, 0), -EEXIST) << "BPF_NOEXIST";
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 3, 0), -EINVAL);
  EXPECT_EQ(bpfaot_map_update(&map.view, &outside, &value, 1, 0), -E2BIG);
  EXPECT_EQ(bpfaot_map_update(&map.view, &outside, &value, 3, 0), -EINVAL);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &outside, 0), nullptr);
  EXPECT_EQ(bpfaot_map_delete(&map.view, &key), -EINVAL);
}

TEST(Array, iteration_gives_each_index_once) {
  TestMap map(kArray, 4, 8, 3);
  uint32_t next = 77, unknown = 1000;
  ASSERT_EQ(bpfaot_map_next_key(&map.view, nullptr, &next), 0);
  EXPECT_EQ(next, 0u);
  ASSERT_EQ(bpfaot_map_next_key(&map.view, &next, &next), 0);
  EXPECT_EQ(next, 1u);
  ASSERT_EQ(bpfaot_map_next_key(&map.view, &next, &next), 0);
  EXPECT_EQ(bpfaot_map_next_key(&map.view, &next, &next), -ENOENT);
  ASSERT_EQ(bpfaot_map_next_key(&map.view, &unknown, &next), 0);
  EXPECT_EQ(next, 0u);
}

TEST(PerCpuArray, each_slot_has_its_own_values_on_its_own_cache_line) {
  TestMap map(kPerCpuArray, 4, 8, 3, 0, 4);
  ASSERT_EQ(map.layout, 0);
  uint32_t key = 2;
  for (uint64_t cpu = 0; cpu < 4; cpu++)
    ASSERT_EQ(bpfaot_map_update(&map.view, &key, &cpu, 0, static_cast<uint32_t>(cpu)), 0);
  for (uint32_t cpu = 0; cpu < 4; cpu++)
    EXPECT_EQ(read_u64(bpfaot_map_lookup(&map.view, &key, cpu)), cpu);
  auto at = [&](uint32_t cpu) {
    return reinterpret_cast<uint64_t>(bpfaot_map_lookup(&map.view, &key, cpu));
  };
  EXPECT_EQ((at(1) - at(0)) % 64, 0u);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &key, 4), nullptr);
}

TEST(PerCpuArray, helpers_use_the_leased_slot) {
  reset_runtime();
  TestMap map(kPerCpuArray, 4, 8, 3, 0, 4);
  bpfaot_map_desc desc = map.desc(0);
  bpfaot_env env{};
  env.cpu = 3;
  uint32_t key = 1;
  auto* value = static_cast<uint64_t*>(__bpfaot_rt_map_lookup_elem(&env, &desc, &key));
  ASSERT_NE(value, nullptr);
  *value = 9;
  EXPECT_EQ(read_u64(bpfaot_map_lookup(&map.view, &key, 3)), 9u);
  EXPECT_EQ(read_u64(bpfaot_map_lookup(&map.view, &key, 0)), 0u);
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_map_delete_elem(&env, &desc, &key)), -EINVAL);
}

TEST(CgroupArray, a_set_slot_contains_every_task) {
  reset_runtime();
  TestMap map(kCgroupArray, 4, 4, 2);
  ASSERT_EQ(map.layout, 0);
  bpfaot_map_desc desc = map.desc(0);
  bpfaot_env env{};
  auto under = [&](uint64_t index) {
    return static_cast<int64_t>(__bpfaot_rt_current_task_under_cgroup(&env, &desc, index));
  };
  EXPECT_EQ(under(0), -EAGAIN);
  EXPECT_EQ(under(2), -E2BIG);
  uint32_t key = 0, fd = 5;
  ASSERT_EQ(bpfaot_map_update(&map.view, &key, &fd, 0, 0), 0);
  EXPECT_EQ(under(0), 1);
  ASSERT_EQ(bpfaot_map_delete(&map.view, &key), 0);
  EXPECT_EQ(under(0), -EAGAIN);
  EXPECT_EQ(bpfaot_map_delete(&map.view, &key), -ENOENT);
}

TEST(ProgArray, slots_are_filled_and_emptied_as_in_the_kernel) {
  EXPECT_EQ(TestMap(kProgArray, 4, 8, 3).layout, -EINVAL);
  EXPECT_EQ(TestMap(kProgArray, 8, 4, 3).layout, -EINVAL);
  EXPECT_EQ(TestMap(kProgArray, 4, 4, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kProgArray, 4, 4, 3, 0x80).layout, -EINVAL) << "BPF_F_RDONLY_PROG";
  TestMap map(kProgArray, 4, 4, 3);
  ASSERT_EQ(map.layout, 0);
  uint32_t key = 2, value = 7;
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &key, 0), nullptr) << "an empty slot";
  EXPECT_EQ(bpfaot_map_delete(&map.view, &key), -ENOENT);
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 1, 0), -EINVAL) << "flags";
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 0, 0), 0);
  ASSERT_NE(bpfaot_map_lookup(&map.view, &key, 0), nullptr);
  reset_runtime();
  const bpfaot_map_desc desc = map.desc(0);
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, 2), 7u);
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, 0x500000002), 7u) << "32 bits";
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, 1), 0u);
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, 3), 0u);
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, UINT64_MAX), 0u);
  EXPECT_EQ(bpfaot_map_delete(&map.view, &key), 0);
  EXPECT_EQ(__bpfaot_rt_tail_call(nullptr, nullptr, &desc, 2), 0u);
  key = 3;
  EXPECT_EQ(bpfaot_map_update(&map.view, &key, &value, 0, 0), -E2BIG);
}

TEST(MapOfMaps, lookup_gives_maps_of_the_right_shape_only) {
  constexpr uint32_t kArrayOfMaps = 12, kHashOfMaps = 13;
  EXPECT_EQ(TestMap(kArrayOfMaps, 4, 8, 3).layout, -EINVAL);
  EXPECT_EQ(TestMap(kHashOfMaps, 4, 8, 3).layout, -EINVAL);
  for (const uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    reset_runtime();
    TestMap outer(type, 4, 4, 3), inner(kArray, 4, 8, 2);
    ASSERT_EQ(outer.layout, 0);
    bpfaot_map_desc maps[3] = {outer.desc(0), inner.desc(1), inner.desc(1)};
    maps[0].shape = maps[1].shape = 7;
    maps[2].shape = 8;
    rt_env env{};
    const auto find = [&](uint32_t key) { return __bpfaot_rt_map_lookup_map(&env, &maps[0], &key, maps, 3); };
    uint32_t key = 1, value = 2;
    EXPECT_EQ(find(1), nullptr);
    ASSERT_EQ(bpfaot_map_update(&outer.view, &key, &value, 0, 0), 0);
    EXPECT_EQ(find(1), &maps[1]);
    EXPECT_EQ(find(0), nullptr);
    EXPECT_EQ(find(3), nullptr);
    for (const uint32_t bad : {3u, 4u, 0x80000000u, 0xffffffffu, 0u}) { // 3 has another shape
      ASSERT_EQ(bpfaot_map_update(&outer.view, &key, &bad, 0, 0), 0);
      EXPECT_EQ(find(1), nullptr) << bad;
    }
  }
}
