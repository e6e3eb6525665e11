// SPDX-License-Identifier: MIT
//
// Hash map by one thread: results, full maps, deletion, iteration, key sizes, against std::map.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kHash = 1;
enum : uint64_t { kAny = 0, kNoExist = 1, kExist = 2 };

int put(const TestMap& map, uint64_t key, uint64_t value, uint64_t flags = kAny) {
  return bpfaot_map_update(&map.view, &key, &value, flags, 0);
}
int64_t get(const TestMap& map, uint64_t key) {
  void* p = bpfaot_map_lookup(&map.view, &key, 0);
  if (!p)
    return -ENOENT;
  int64_t value;
  std::memcpy(&value, p, 8);
  return value;
}
int drop(const TestMap& map, uint64_t key) {
  return bpfaot_map_delete(&map.view, &key);
}

std::set<uint64_t> keys_of(const TestMap& map) {
  std::set<uint64_t> keys;
  uint64_t key = 0;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &key); r == 0;
       r = bpfaot_map_next_key(&map.view, &key, &key))
    EXPECT_TRUE(keys.insert(key).second) << "twice: " << key;
  return keys;
}
} // namespace

TEST(Hash, layout_refuses_what_the_kernel_refuses) {
  EXPECT_EQ(TestMap(kHash, 0, 8, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kHash, 8, 0, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kHash, 8, 8, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kHash, 8, 8, 1, 0x400).layout, -EINVAL) << "BPF_F_MMAPABLE";
  EXPECT_EQ(TestMap(kHash, 513, 8, 1).layout, -E2BIG);
  EXPECT_EQ(TestMap(kHash, 8, 8, 1, 1).layout, 0) << "BPF_F_NO_PREALLOC";
  EXPECT_EQ(TestMap(kHash, 8, 8, 1, 0x40).layout, 0) << "BPF_F_ZERO_SEED";
}

TEST(Hash, update_lookup_delete) {
  TestMap map(kHash, 8, 8, 16);
  EXPECT_EQ(get(map, 1), -ENOENT);
  EXPECT_EQ(put(map, 1, 10), 0);
  EXPECT_EQ(get(map, 1), 10);
  EXPECT_EQ(put(map, 1, 11), 0);
  EXPECT_EQ(get(map, 1), 11);
  EXPECT_EQ(drop(map, 1), 0);
  EXPECT_EQ(get(map, 1), -ENOENT);
  EXPECT_EQ(drop(map, 1), -ENOENT);
}

TEST(Hash, flags_answer_like_the_kernel) {
  TestMap map(kHash, 8, 8, 16);
  EXPECT_EQ(put(map, 1, 1, kExist), -ENOENT);
  EXPECT_EQ(put(map, 1, 1, kNoExist), 0);
  EXPECT_EQ(put(map, 1, 2, kNoExist), -EEXIST);
  EXPECT_EQ(get(map, 1), 1);
  EXPECT_EQ(put(map, 1, 3, kExist), 0);
  EXPECT_EQ(get(map, 1), 3);
  EXPECT_EQ(put(map, 1, 3, 3), -EINVAL);
  EXPECT_EQ(put(map, 1, 3, 4), -EINVAL) << "BPF_F_LOCK without a lock in the value";
}

TEST(Hash, a_full_map_refuses_new_keys_and_takes_updates) {
  TestMap map(kHash, 8, 8, 4);
  for (uint64_t key = 0; key < 10; key++)
    EXPECT_EQ(put(map, key, key), key < 4 ? 0 : -E2BIG) << key;
  EXPECT_EQ(put(map, 2, 77), 0);
  EXPECT_EQ(get(map, 2), 77);
  EXPECT_EQ(put(map, 99, 1, kExist), -ENOENT);
  EXPECT_EQ(drop(map, 2), 0);
  EXPECT_EQ(put(map, 50, 5), 0);
  EXPECT_EQ(put(map, 51, 5), -E2BIG);
  EXPECT_EQ(keys_of(map), (std::set<uint64_t>{0, 1, 3, 50}));
}

TEST(Hash, colliding_keys_survive_each_others_deletion) {
  TestMap map(kHash, 8, 8, 64);
  for (uint64_t key = 0; key < 64; key++)
    ASSERT_EQ(put(map, key, key), 0);
  for (uint64_t key = 0; key < 64; key += 2)
    ASSERT_EQ(drop(map, key), 0);
  for (uint64_t key = 0; key < 64; key++)
    EXPECT_EQ(get(map, key), key % 2 ? static_cast<int64_t>(key) : -ENOENT);
}

TEST(Hash, a_pointer_stays_good_over_updates_of_its_key) {
  TestMap map(kHash, 8, 8, 4);
  ASSERT_EQ(put(map, 1, 1), 0);
  uint64_t key = 1;
  void* before = bpfaot_map_lookup(&map.view, &key, 0);
  ASSERT_EQ(put(map, 1, 2), 0);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &key, 0), before);
}

TEST(Hash, iteration_restarts_after_a_deleted_key) {
  TestMap map(kHash, 8, 8, 8);
  uint64_t next = 0, gone = 12345;
  EXPECT_EQ(bpfaot_map_next_key(&map.view, nullptr, &next), -ENOENT);
  for (uint64_t key = 1; key <= 5; key++)
    ASSERT_EQ(put(map, key, key), 0);
  EXPECT_EQ(keys_of(map).size(), 5u);
  uint64_t first = 0;
  ASSERT_EQ(bpfaot_map_next_key(&map.view, nullptr, &first), 0);
  ASSERT_EQ(bpfaot_map_next_key(&map.view, &gone, &next), 0);
  EXPECT_EQ(next, first);
}

TEST(Hash, a_large_map_touches_only_what_it_uses) {
  TestMap map(kHash, 8, 4096, 1 << 20);
  ASSERT_EQ(map.layout, 0);
  uint64_t key = 5;
  std::vector<char> value(4096, 'x');
  ASSERT_EQ(bpfaot_map_update(&map.view, &key, value.data(), 0, 0), 0);
  std::vector<unsigned char> resident(map.header->data_size / 4096);
  ASSERT_EQ(mincore(map.view.data, map.header->data_size, resident.data()), 0);
  size_t pages = 0;
  for (unsigned char page : resident)
    pages += page & 1;
  EXPECT_LT(pages, 16u);
}

class HashKeySize : public ::testing::TestWithParam<uint32_t> {};

TEST_P(HashKeySize, agrees_with_a_model_over_random_operations) {
  uint32_t key_size = GetParam();
  TestMap map(kHash, key_size, 12, 100);
  ASSERT_EQ(map.layout, 0);
  std::map<std::string, std::string> model;
  std::mt19937 random(key_size);
  for (int i = 0; i < 20000; i++) {
    std::string key(key_size + 1, '\0');
    uint32_t id = random() % (key_size == 1 ? 250 : 300);
    for (uint32_t b = 0; b < key_size; b++) // all of the key's bytes matter
      key[1 + b] = static_cast<char>(b + 1 == key_size ? id : (id >> 8) * 17 + b);
    const char* k = key.data() + 1; // at an odd address
    key = key.substr(1);
    std::string unaligned = "-" + key;
    k = unaligned.data() + 1;
    std::string value(12, static_cast<char>('a' + random() % 26));
    switch (random() % 4) {
    case 0:
    case 1: {
      uint64_t flags = random() % 3;
      bool exists = model.count(key);
      int expected = flags == kNoExist && exists      ? -EEXIST
                     : flags == kExist && !exists     ? -ENOENT
                     : !exists && model.size() >= 100 ? -E2BIG
                                                      : 0;
      ASSERT_EQ(bpfaot_map_update(&map.view, k, value.data(), flags, 0), expected) << i;
      if (!expected)
        model[key] = value;
      break;
    }
    case 2: ASSERT_EQ(bpfaot_map_delete(&map.view, k), model.erase(key) ? 0 : -ENOENT) << i; break;
    default: {
      void* found = bpfaot_map_lookup(&map.view, k, 0);
      ASSERT_EQ(found != nullptr, model.count(key) == 1) << i;
      if (found) {
        ASSERT_EQ(std::memcmp(found, model[key].data(), 12), 0);
      }
    }
    }
  }
  std::set<std::string> seen;
  std::string key(key_size, '\0');
  for (int r = bpfaot_map_next_key(&map.view, nullptr, key.data()); r == 0;
       r = bpfaot_map_next_key(&map.view, key.data(), key.data()))
    seen.insert(key);
  EXPECT_EQ(seen.size(), model.size());
  for (auto& [k, v] : model)
    EXPECT_TRUE(seen.count(k));
}
INSTANTIATE_TEST_SUITE_P(Sizes, HashKeySize,
                         ::testing::Values(1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 31, 128, 512));

TEST(Hash, helpers_reach_the_map_through_the_runtime_block) {
  reset_runtime();
  TestMap map(kHash, 4, 16, 8);
  bpfaot_map_desc desc = map.desc(3);
  bpfaot_env env{};
  uint32_t key = 7;
  char value[16] = "fifteen letters";
  EXPECT_EQ(__bpfaot_rt_map_lookup_elem(&env, &desc, &key), nullptr);
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_map_update_elem(&env, &desc, &key, value, kExist)),
            -ENOENT);
  EXPECT_EQ(__bpfaot_rt_map_update_elem(&env, &desc, &key, value, kAny), 0u);
  void* found = __bpfaot_rt_map_lookup_elem(&env, &desc, &key);
  ASSERT_NE(found, nullptr);
  EXPECT_STREQ(static_cast<char*>(found), value);
  EXPECT_EQ(__bpfaot_rt_map_delete_elem(&env, &desc, &key), 0u);
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_map_delete_elem(&env, &desc, &key)), -ENOENT);
}

TEST(Hash, bytes_of_a_hostile_peer_do_no_harm) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; round++) {
    TestMap map(kHash, 8, 8, 16);
    for (uint64_t key = 0; key < 8; key++)
      put(map, key, key);
    auto* words = static_cast<uint64_t*>(map.view.data);
    for (int i = 0; i < 20; i++)
      words[random() % (map.header->data_size / 8)] = random() % 3 ? random() % 40 : random();
    // Only that these end, inside the mapping, is asked.
    for (uint64_t key = 0; key < 4; key++) {
      put(map, key + 100, 1);
      get(map, key);
      drop(map, key);
    }
    uint64_t key = 0;
    bpfaot_map_next_key(&map.view, nullptr, &key);
  }
}
