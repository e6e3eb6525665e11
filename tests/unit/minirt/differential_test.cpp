// SPDX-License-Identifier: MIT
//
// Our maps beside the kernel's: the same random operations, from programs and from user space mixed,
// on a map of each, must give the same results, values and contents. The seed is printed with a
// failure; BPFAOT_DIFF_SEED and BPFAOT_DIFF_STEPS (per map) repeat it or make it longer.
#include "tests/unit/minirt/kernel.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <random>
#include <sched.h>
#include <set>

using namespace bpfaot::test;

namespace {

struct Spec {
  uint32_t type, key, value, entries, flags;
};
void PrintTo(const Spec& s, std::ostream* out) {
  *out << "type " << s.type << " key " << s.key << " value " << s.value << " entries " << s.entries
       << " flags " << s.flags;
}

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

bool is_per_cpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
         type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}
bool is_lru(uint32_t type) {
  return type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

// A map on each side, with all operations on either side.
class Pair {
public:
  Pair(Spec spec, uint64_t seed)
      : spec_(spec), cpus_(static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_CONF))),
        kernel_(spec.type, spec.key, spec.value, spec.entries, spec.flags),
        ours_(spec.type, spec.key, spec.value, spec.entries, spec.flags, cpus_), random_(seed) {
    desc_ = ours_.desc(0);
  }
  bool kernel_refuses() const { return kernel_.fd() == -EPERM || kernel_.fd() == -ENOSYS; }
  void check_made() {
    ASSERT_GE(kernel_.fd(), 0);
    ASSERT_EQ(ours_.layout, 0);
  }
  KernelMap& kernel() { return kernel_; }
  const TestMap& ours() const { return ours_; }
  const Spec& spec() const { return spec_; }
  uint32_t cpus() const { return is_per_cpu(spec_.type) ? cpus_ : 1; }
  uint32_t stride() const { return (spec_.value + 7) / 8 * 8; }
  uint32_t pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  // Both sides have a notion of the CPU that a program runs on.
  void move_to_cpu(uint32_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    env_.cpu = cpu;
  }

  std::string key_of(uint32_t id) const {
    std::string key(spec_.key, 'k');
    std::memcpy(key.data(), &id, std::min<size_t>(4, spec_.key));
    return key;
  }
  std::string random_value(uint32_t size) {
    std::string value(size, '\0');
    for (char& c : value)
      c = static_cast<char>(random_());
    return value;
  }

  int64_t program(KernelCall::Helper helper, const std::string& key, uint64_t flags, void* value) {
    auto& call = calls_[helper];
    if (!call) {
      call = std::make_unique<KernelCall>(kernel_, helper, spec_.key, spec_.value);
      EXPECT_GE(call->fd(), 0) << "helper " << helper;
    }
    return (*call)(key.empty() ? nullptr : key.data(), key.size(), flags, value, spec_.value);
  }

  int64_t our_program(KernelCall::Helper helper, const std::string& key, uint64_t flags,
                      void* value) {
    const auto found = [&](const void* p) -> int64_t {
      if (!p)
        return -ENOENT;
      std::memcpy(value, p, spec_.value);
      return 0;
    };
    switch (helper) {
    case KernelCall::lookup:
      return found(__bpfaot_rt_map_lookup_elem(&env_, &desc_, key.data()));
    case KernelCall::lookup_percpu:
      return found(__bpfaot_rt_map_lookup_percpu_elem(&env_, &desc_, key.data(), flags));
    case KernelCall::update:
      return static_cast<int64_t>(
          __bpfaot_rt_map_update_elem(&env_, &desc_, key.data(), value, flags));
    case KernelCall::remove:
      return static_cast<int64_t>(__bpfaot_rt_map_delete_elem(&env_, &desc_, key.data()));
    case KernelCall::push:
      return static_cast<int64_t>(__bpfaot_rt_map_push_elem(&env_, &desc_, value, flags));
    case KernelCall::pop: return static_cast<int64_t>(__bpfaot_rt_map_pop_elem(&env_, &desc_, value));
    case KernelCall::peek:
      return static_cast<int64_t>(__bpfaot_rt_map_peek_elem(&env_, &desc_, value));
    case KernelCall::ring_output:
      return static_cast<int64_t>(
          __bpfaot_rt_ringbuf_output(&env_, &desc_, value, spec_.value, flags));
    case KernelCall::ring_query:
      return static_cast<int64_t>(__bpfaot_rt_ringbuf_query(&env_, &desc_, flags));
    }
    return -1;
  }

  // From user space: values of all CPUs at once, each in a multiple of 8 bytes.
  int user_update(const std::string& key, const std::string& all, uint64_t flags) {
    for (uint32_t cpu = 0; cpu < cpus(); cpu++) {
      const int r = bpfaot_map_update(&ours_.view, key.data(), all.data() + cpu * stride(),
                                      cpu ? uint64_t{BPF_ANY} : flags, cpu);
      if (r != 0)
        return r;
    }
    return 0;
  }
  std::string user_lookup(const std::string& key) const {
    std::string all;
    for (uint32_t cpu = 0; cpu < cpus(); cpu++) {
      const auto* value =
          static_cast<const char*>(bpfaot_map_lookup(&ours_.view, key.data(), cpu));
      if (!value)
        return {};
      all += std::string(value, spec_.value);
      all.resize(cpu + 1 == cpus() && cpus() == 1 ? spec_.value : (cpu + 1) * stride());
    }
    return all;
  }
  std::string kernel_lookup(const std::string& key) {
    std::string all(cpus() == 1 ? spec_.value : cpus() * stride(), '\0');
    return kernel_.lookup(key.data(), all.data()) == 0 ? all : std::string();
  }
  std::string values_of_all_cpus() {
    std::string all;
    for (uint32_t cpu = 0; cpu < cpus(); cpu++) {
      all += random_value(spec_.value);
      all.resize(cpus() == 1 ? spec_.value : (cpu + 1) * stride());
    }
    return all;
  }

  std::set<std::string> kernel_keys() {
    std::set<std::string> keys;
    std::string key(spec_.key, '\0');
    for (int r = kernel_.next_key(nullptr, key.data()); r == 0;
         r = kernel_.next_key(key.data(), key.data()))
      keys.insert(key);
    return keys;
  }
  std::set<std::string> our_keys() const {
    std::set<std::string> keys;
    std::string key(spec_.key, '\0');
    for (int r = bpfaot_map_next_key(&ours_.view, nullptr, key.data()); r == 0;
         r = bpfaot_map_next_key(&ours_.view, key.data(), key.data()))
      keys.insert(key);
    return keys;
  }

private:
  Spec spec_;
  uint32_t cpus_;
  KernelMap kernel_;
  TestMap ours_;
  bpfaot_map_desc desc_{};
  bpfaot_env env_{};
  std::mt19937_64 random_;
  std::map<KernelCall::Helper, std::unique_ptr<KernelCall>> calls_;
};

class Differential : public ::testing::TestWithParam<Spec> {
protected:
  void SetUp() override {
    reset_runtime();
    sched_getaffinity(0, sizeof before_, &before_);
    seed_ = number_from("BPFAOT_DIFF_SEED", GetParam().type * 1000 + GetParam().key);
    steps_ = number_from("BPFAOT_DIFF_STEPS", 3000);
    pair_ = std::make_unique<Pair>(GetParam(), seed_);
    if (pair_->kernel_refuses())
      GTEST_SKIP() << "bpf(2) is not permitted here";
    pair_->check_made();
    pair_->move_to_cpu(0);
  }
  void TearDown() override { sched_setaffinity(0, sizeof before_, &before_); }
  std::string place(uint64_t step) const {
    return "seed " + std::to_string(seed_) + " step " + std::to_string(step);
  }

  cpu_set_t before_{};
  uint64_t seed_ = 0, steps_ = 0;
  std::unique_ptr<Pair> pair_;
};

// One operation on a keyed map, the same on both sides.
void keyed_step(Pair& p, uint32_t ids) {
  const Spec& spec = p.spec();
  const std::string key = p.key_of(p.pick(ids));
  const uint64_t flags = p.pick(16) ? p.pick(3) : 3 + p.pick(2) * 5; // 3 and 8 are invalid
  std::string value = p.random_value(spec.value), theirs = value, ours = value;
  switch (p.pick(9)) {
  case 0:
  case 1:
    ASSERT_EQ(p.our_program(KernelCall::update, key, flags, ours.data()),
              p.program(KernelCall::update, key, flags, theirs.data()))
        << "update by program, flags " << flags;
    break;
  case 2:
  case 3: {
    const std::string all = p.values_of_all_cpus();
    ASSERT_EQ(p.user_update(key, all, flags), p.kernel().update(key.data(), all.data(), flags))
        << "update by user, flags " << flags;
    break;
  }
  case 4:
    ASSERT_EQ(p.our_program(KernelCall::remove, key, 0, ours.data()),
              p.program(KernelCall::remove, key, 0, theirs.data()))
        << "delete by program";
    break;
  case 5:
    ASSERT_EQ(bpfaot_map_delete(&p.ours().view, key.data()), p.kernel().remove(key.data()))
        << "delete by user";
    break;
  case 6:
    if (is_per_cpu(spec.type)) {
      const uint64_t cpu = p.pick(p.cpus() + 1);
      ASSERT_EQ(p.our_program(KernelCall::lookup_percpu, key, cpu, ours.data()),
                p.program(KernelCall::lookup_percpu, key, cpu, theirs.data()))
          << "lookup of CPU " << cpu;
      ASSERT_EQ(ours, theirs);
      break;
    }
    [[fallthrough]];
  case 7:
    ASSERT_EQ(p.our_program(KernelCall::lookup, key, 0, ours.data()),
              p.program(KernelCall::lookup, key, 0, theirs.data()))
        << "lookup by program";
    ASSERT_EQ(ours, theirs);
    break;
  default: ASSERT_EQ(p.user_lookup(key), p.kernel_lookup(key)) << "lookup by user"; break;
  }
}

} // namespace

TEST_P(Differential, operations_agree) {
  if (IsSkipped())
    return;
  Pair& p = *pair_;
  // An LRU map that has room for all keys behaves like a hash. The kernel takes the new element of
  // an update before it frees the old one, so a little more room is needed there.
  const uint32_t entries = GetParam().entries;
  const uint32_t ids = is_lru(GetParam().type) ? entries / 2 : entries * 3 / 2 + 2;
  for (uint64_t step = 0; step < steps_; step++) {
    SCOPED_TRACE(place(step));
    if (!is_lru(GetParam().type) && p.pick(64) == 0)
      p.move_to_cpu(p.pick(p.cpus()));
    keyed_step(p, ids);
    if (HasFatalFailure())
      return;
    if (step % 1000 == 0) {
      ASSERT_EQ(p.our_keys(), p.kernel_keys());
    }
  }
  ASSERT_EQ(p.our_keys(), p.kernel_keys());
  for (const std::string& key : p.our_keys())
    ASSERT_EQ(p.user_lookup(key), p.kernel_lookup(key));
  const std::string unknown(GetParam().key, '\xfe');
  std::string next(GetParam().key, '\0');
  EXPECT_EQ(bpfaot_map_next_key(&p.ours().view, unknown.data(), next.data()),
            p.kernel().next_key(unknown.data(), next.data()));
}

INSTANTIATE_TEST_SUITE_P(
    Maps, Differential,
    ::testing::Values(
        Spec{BPF_MAP_TYPE_HASH, 4, 8, 50, 0}, Spec{BPF_MAP_TYPE_HASH, 8, 8, 200, 0},
        Spec{BPF_MAP_TYPE_HASH, 16, 20, 33, 0}, Spec{BPF_MAP_TYPE_HASH, 5, 3, 64, 0},
        Spec{BPF_MAP_TYPE_HASH, 1, 1, 7, 0}, Spec{BPF_MAP_TYPE_HASH, 31, 45, 100, 0},
        Spec{BPF_MAP_TYPE_HASH, 8, 8, 1, 0}, Spec{BPF_MAP_TYPE_HASH, 8, 8, 50, BPF_F_NO_PREALLOC},
        Spec{BPF_MAP_TYPE_HASH, 8, 100, 50, BPF_F_ZERO_SEED}, Spec{BPF_MAP_TYPE_ARRAY, 4, 8, 20, 0},
        Spec{BPF_MAP_TYPE_ARRAY, 4, 13, 7, 0}, Spec{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 10, 0},
        Spec{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 20, 3, 0}, Spec{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 1, 9, 0},
        Spec{BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 50, 0}, Spec{BPF_MAP_TYPE_PERCPU_HASH, 7, 13, 33, 0},
        Spec{BPF_MAP_TYPE_PERCPU_HASH, 8, 24, 1, 0},
        Spec{BPF_MAP_TYPE_PERCPU_HASH, 16, 40, 100, BPF_F_NO_PREALLOC},
        Spec{BPF_MAP_TYPE_LRU_HASH, 4, 8, 100, 0}, Spec{BPF_MAP_TYPE_LRU_HASH, 9, 21, 300, 0},
        Spec{BPF_MAP_TYPE_LRU_HASH, 8, 8, 400, BPF_F_NO_COMMON_LRU},
        Spec{BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 100, 0},
        Spec{BPF_MAP_TYPE_LRU_PERCPU_HASH, 11, 5, 300, 0}));

namespace {
class LruDifferential : public Differential {};

// What was written on one side and was not evicted there.
struct LruSide {
  std::map<std::string, std::string> written;
  uint64_t evicted = 0;
};
} // namespace

TEST_P(LruDifferential, both_keep_the_promises_of_an_lru_map) {
  if (IsSkipped())
    return;
  Pair& p = *pair_;
  const Spec spec = GetParam();
  LruSide sides[2];
  // As many again as fit, so that keys are evicted all the time.
  const uint32_t ids = spec.entries * 2 + 2;
  const uint64_t steps = std::max<uint64_t>(steps_, spec.entries * 20);
  for (uint64_t step = 0; step < steps; step++) {
    SCOPED_TRACE(place(step));
    const std::string key = p.key_of(p.pick(ids));
    const std::string value = p.random_value(spec.value);
    const uint64_t flags = p.pick(3);
    const uint32_t operation = p.pick(6);
    for (int side = 0; side < 2; side++) {
      const auto call = [&](KernelCall::Helper helper, uint64_t with, std::string& v) {
        return side ? p.program(helper, key, with, v.data())
                    : p.our_program(helper, key, with, v.data());
      };
      std::string found(spec.value, '\0'), copy = value;
      LruSide& own = sides[side];
      // From user space: that does not count as use on either side.
      const bool present = !(side ? p.kernel_lookup(key) : p.user_lookup(key)).empty();
      if (!present && own.written.erase(key))
        own.evicted++;
      if (operation == 0) {
        ASSERT_EQ(call(KernelCall::remove, 0, copy), present ? 0 : -ENOENT) << side;
        own.written.erase(key);
      } else if (operation < 4) {
        const int64_t wanted = flags == BPF_NOEXIST && present ? -EEXIST
                               : flags == BPF_EXIST && !present ? -ENOENT
                                                                : 0;
        const int64_t got = call(KernelCall::update, flags, copy);
        // The kernel makes room before it looks for the key, and may evict that very key.
        const int64_t other = !side || !present || flags == BPF_ANY ? wanted
                              : flags == BPF_NOEXIST                ? 0
                                                                    : -ENOENT;
        ASSERT_TRUE(got == wanted || got == other) << side << ": " << got << ", flags " << flags;
        if (got == 0)
          own.written[key] = value;
        else if (got == -ENOENT)
          own.written.erase(key);
      }
      const int64_t r = call(KernelCall::lookup, 0, found);
      ASSERT_EQ(r == 0, own.written.count(key) == 1) << side << ": what was written last is there";
      if (r == 0) {
        ASSERT_EQ(found, own.written[key]) << side;
      }
    }
  }
  EXPECT_LE(p.our_keys().size(), spec.entries);
  EXPECT_GT(p.our_keys().size(), spec.entries / 2) << "evicts more than it needs";
  EXPECT_GT(sides[0].evicted, steps / 50);
  EXPECT_GT(sides[1].evicted, steps / 50);
}

TEST_P(LruDifferential, both_keep_what_is_used) {
  if (IsSkipped())
    return;
  Pair& p = *pair_;
  constexpr uint32_t kHot = 8;
  std::string value = p.random_value(GetParam().value), found = value;
  for (uint32_t id = 0; id < kHot; id++)
    for (int side = 0; side < 2; side++)
      ASSERT_EQ(side ? p.program(KernelCall::update, p.key_of(id), 0, value.data())
                     : p.our_program(KernelCall::update, p.key_of(id), 0, value.data()),
                0);
  for (uint32_t cold = 0; cold < 4 * GetParam().entries; cold++) {
    for (uint32_t id = 0; id < kHot; id++) {
      ASSERT_EQ(p.our_program(KernelCall::lookup, p.key_of(id), 0, found.data()), 0) << cold;
      ASSERT_EQ(p.program(KernelCall::lookup, p.key_of(id), 0, found.data()), 0) << cold;
    }
    const std::string key = p.key_of(1000000 + cold);
    ASSERT_EQ(p.our_program(KernelCall::update, key, 0, value.data()), 0);
    ASSERT_EQ(p.program(KernelCall::update, key, 0, value.data()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, LruDifferential,
                         ::testing::Values(Spec{BPF_MAP_TYPE_LRU_HASH, 4, 8, 300, 0},
                                           Spec{BPF_MAP_TYPE_LRU_HASH, 13, 5, 1000, 0},
                                           Spec{BPF_MAP_TYPE_LRU_HASH, 8, 8, 512,
                                                BPF_F_NO_COMMON_LRU},
                                           Spec{BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 300, 0}));

namespace {
class QueueDifferential : public Differential {};
} // namespace

TEST_P(QueueDifferential, operations_agree) {
  if (IsSkipped())
    return;
  Pair& p = *pair_;
  for (uint64_t step = 0; step < steps_; step++) {
    SCOPED_TRACE(place(step));
    std::string ours = p.random_value(GetParam().value), theirs = ours;
    const bool grows = step / 500 % 2 == 0;
    const uint64_t flags = p.pick(8) ? p.pick(2) * 2 : p.pick(5);
    if (p.pick(10) < (grows ? 6u : 4u)) {
      if (p.pick(2)) {
        ASSERT_EQ(p.our_program(KernelCall::push, {}, flags, ours.data()),
                  p.program(KernelCall::push, {}, flags, theirs.data()))
            << "push by program, flags " << flags;
      } else {
        ASSERT_EQ(bpfaot_map_push(&p.ours().view, ours.data(), flags),
                  p.kernel().update(nullptr, ours.data(), flags))
            << "push by user, flags " << flags;
      }
      continue;
    }
    const uint32_t how = p.pick(4);
    int64_t r;
    if (how < 2) {
      const auto helper = how ? KernelCall::pop : KernelCall::peek;
      r = p.program(helper, {}, 0, theirs.data());
      ASSERT_EQ(p.our_program(helper, {}, 0, ours.data()), r) << "helper " << helper;
      ASSERT_EQ(ours, theirs); // zeros when it is empty
    } else if (how == 2) {
      r = p.kernel().take(nullptr, theirs.data());
      ASSERT_EQ(bpfaot_map_pop(&p.ours().view, ours.data()), r) << "pop by user";
    } else {
      r = p.kernel().lookup(nullptr, theirs.data());
      ASSERT_EQ(bpfaot_map_peek(&p.ours().view, ours.data(), 0), r) << "peek by user";
    }
    if (r == 0) {
      ASSERT_EQ(ours, theirs);
    }
  }
  std::string key(8, '\0');
  EXPECT_EQ(bpfaot_map_delete(&p.ours().view, key.data()), p.kernel().remove(nullptr));
  EXPECT_EQ(bpfaot_map_next_key(&p.ours().view, nullptr, key.data()),
            p.kernel().next_key(nullptr, nullptr));
}

INSTANTIATE_TEST_SUITE_P(
    Maps, QueueDifferential,
    ::testing::Values(Spec{BPF_MAP_TYPE_QUEUE, 0, 8, 10, 0}, Spec{BPF_MAP_TYPE_QUEUE, 0, 3, 1, 0},
                      Spec{BPF_MAP_TYPE_QUEUE, 0, 45, 100, 0}, Spec{BPF_MAP_TYPE_STACK, 0, 8, 10, 0},
                      Spec{BPF_MAP_TYPE_STACK, 0, 1, 7, 0}, Spec{BPF_MAP_TYPE_STACK, 0, 100, 64, 0}));

namespace {
// The kernel's ring from its consumer's side: one page with the position, then positions and records.
class KernelRing {
public:
  KernelRing(int fd, uint32_t size) : size_(size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    consumer_ = static_cast<uint64_t*>(
        mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    producer_ = static_cast<uint8_t*>(mmap(nullptr, page + 2 * size, PROT_READ, MAP_SHARED, fd,
                                           static_cast<off_t>(page)));
    data_ = producer_ + page;
  }
  ~KernelRing() {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    munmap(consumer_, page);
    munmap(producer_, page + 2 * size_);
  }
  KernelRing(const KernelRing&) = delete;
  KernelRing& operator=(const KernelRing&) = delete;

  std::vector<std::string> take(uint32_t limit) {
    std::vector<std::string> records;
    uint64_t produced;
    std::memcpy(&produced, producer_, 8);
    while (*consumer_ < produced && records.size() < limit) {
      uint32_t header;
      const uint8_t* record = data_ + (*consumer_ & (size_ - 1));
      std::memcpy(&header, record, 4);
      const uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
      if (!(header & BPF_RINGBUF_DISCARD_BIT))
        records.emplace_back(reinterpret_cast<const char*>(record + 8), length);
      *consumer_ += (length + 8 + 7) / 8 * 8;
    }
    return records;
  }

private:
  uint32_t size_;
  uint64_t* consumer_;
  uint8_t *producer_, *data_;
};

// The record's size is in `value`, so that a Spec makes programs for it.
class RingDifferential : public Differential {};
} // namespace

TEST_P(RingDifferential, the_same_records_fit_and_come_out) {
  if (IsSkipped())
    return;
  const Spec spec = GetParam();
  KernelMap kernel(BPF_MAP_TYPE_RINGBUF, 0, 0, spec.entries, 0);
  ASSERT_GE(kernel.fd(), 0);
  KernelRing theirs(kernel.fd(), spec.entries);
  TestMap ours(BPF_MAP_TYPE_RINGBUF, 0, 0, spec.entries);
  const bpfaot_map_desc desc = ours.desc(1);
  bpfaot_env env{};
  KernelCall query(kernel, KernelCall::ring_query, 0, 0);
  std::vector<std::unique_ptr<KernelCall>> outputs; // one for each size of record
  for (uint32_t size = 1; size <= spec.value; size++)
    outputs.push_back(std::make_unique<KernelCall>(kernel, KernelCall::ring_output, 0, size));
  Pair& p = *pair_;
  for (uint64_t step = 0; step < steps_; step++) {
    SCOPED_TRACE(place(step));
    const bool grows = step / 400 % 2 == 0;
    if (p.pick(10) < (grows ? 8u : 5u)) {
      const uint32_t size = 1 + p.pick(spec.value);
      const uint64_t flags = p.pick(8) ? p.pick(3) : p.pick(10);
      std::string value = p.random_value(size);
      ASSERT_EQ(static_cast<int64_t>(
                    __bpfaot_rt_ringbuf_output(&env, &desc, value.data(), size, flags)),
                (*outputs[size - 1])(nullptr, 0, flags, value.data(), size))
          << "record of " << size << ", flags " << flags;
    } else if (p.pick(2)) {
      const uint32_t limit = 1 + p.pick(4);
      ASSERT_EQ(consume_all(ours, limit), theirs.take(limit));
    } else {
      const uint64_t what = p.pick(5);
      ASSERT_EQ(static_cast<int64_t>(__bpfaot_rt_ringbuf_query(&env, &desc, what)),
                query(nullptr, 0, what, nullptr, 0))
          << "query " << what;
    }
  }
  ASSERT_EQ(consume_all(ours), theirs.take(UINT32_MAX));
}

// The array is only there for the fixture.
INSTANTIATE_TEST_SUITE_P(Maps, RingDifferential,
                         ::testing::Values(Spec{BPF_MAP_TYPE_ARRAY, 4, 40, 4096, 0},
                                           Spec{BPF_MAP_TYPE_ARRAY, 4, 128, 8192, 0}));
