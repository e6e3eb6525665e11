// SPDX-License-Identifier: MIT
//
// The kernel as oracle: the same random operations on a map of the kernel (bpf(2)) and on ours must
// give the same results, errors and contents.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <map>
#include <random>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
class KernelMap {
public:
  KernelMap(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags) {
    bpf_attr attr{};
    attr.map_type = type;
    attr.key_size = key;
    attr.value_size = value;
    attr.max_entries = entries;
    attr.map_flags = flags;
    fd_ = static_cast<int>(call(BPF_MAP_CREATE, attr));
  }
  ~KernelMap() {
    if (fd_ >= 0)
      close(fd_);
  }
  KernelMap(const KernelMap&) = delete;
  KernelMap& operator=(const KernelMap&) = delete;
  int fd() const { return fd_; }
  int update(const void* key, const void* value, uint64_t flags) {
    return elem(BPF_MAP_UPDATE_ELEM, key, value, flags);
  }
  int lookup(const void* key, void* value) { return elem(BPF_MAP_LOOKUP_ELEM, key, value, 0); }
  int remove(const void* key) { return elem(BPF_MAP_DELETE_ELEM, key, nullptr, 0); }
  int next_key(const void* key, void* next) { return elem(BPF_MAP_GET_NEXT_KEY, key, next, 0); }

private:
  static long call(int command, bpf_attr& attr) {
    long r = syscall(SYS_bpf, command, &attr, sizeof attr);
    return r < 0 ? -errno : r;
  }
  int elem(int command, const void* key, const void* value, uint64_t flags) {
    bpf_attr attr{};
    attr.map_fd = static_cast<uint32_t>(fd_);
    attr.key = reinterpret_cast<uint64_t>(key);
    attr.value = reinterpret_cast<uint64_t>(value);
    attr.flags = flags;
    return static_cast<int>(call(command, attr));
  }
  int fd_ = -1;
};

struct Spec {
  uint32_t type, key, value, entries, flags;
};
void PrintTo(const Spec& s, std::ostream* out) {
  *out << "type " << s.type << " key " << s.key << " value " << s.value << " entries " << s.entries
       << " flags " << s.flags;
}

class Kernel : public ::testing::TestWithParam<Spec> {};

// The value as user space sees it: of a per-CPU map all slots, 8-byte strides.
std::string our_value(const TestMap& map, const void* key, uint32_t slots) {
  std::string all;
  for (uint32_t cpu = 0; cpu < slots; cpu++) {
    auto* value = static_cast<const char*>(bpfaot_map_lookup(&map.view, key, cpu));
    if (!value)
      return {};
    all += std::string(value, map.header->value_size);
    all.resize(all.size() + map.header->elem_size - map.header->value_size);
  }
  return all;
}
} // namespace

TEST_P(Kernel, gives_the_same_results_and_contents) {
  Spec spec = GetParam();
  bool per_cpu = spec.type == BPF_MAP_TYPE_PERCPU_ARRAY;
  uint32_t slots = per_cpu ? static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_CONF)) : 1;
  KernelMap kernel(spec.type, spec.key, spec.value, spec.entries, spec.flags);
  if (kernel.fd() == -EPERM || kernel.fd() == -ENOSYS)
    GTEST_SKIP() << "bpf(2) is not permitted here";
  ASSERT_GE(kernel.fd(), 0);
  TestMap map(spec.type, spec.key, spec.value, spec.entries, spec.flags, slots);
  ASSERT_EQ(map.layout, 0);
  uint32_t stride = (spec.value + 7) / 8 * 8;
  std::mt19937 random(spec.type * 1000 + spec.key);
  for (int i = 0; i < 20000; i++) {
    std::string key(spec.key, 'k');
    uint32_t id = random() % (spec.entries * 3 / 2 + 2);
    std::memcpy(key.data(), &id, std::min<size_t>(4, spec.key));
    std::string value(per_cpu ? stride * slots : spec.value, '\0');
    for (uint32_t cpu = 0; cpu < slots; cpu++)
      for (uint32_t b = 0; b < spec.value; b++)
        value[cpu * stride + b] = static_cast<char>(random());
    std::string expected(value.size(), '\0');
    switch (random() % 4) {
    case 0:
    case 1: {
      uint64_t flags = random() % 16 ? random() % 3 : 3 + random() % 2 * 5; // 3 and 8 are invalid
      int theirs = kernel.update(key.data(), value.data(), flags), ours = 0;
      for (uint32_t cpu = 0; cpu < slots; cpu++)
        ours = bpfaot_map_update(&map.view, key.data(), value.data() + cpu * stride, flags, cpu);
      ASSERT_EQ(ours, theirs) << "update " << id << " flags " << flags << " step " << i;
      break;
    }
    case 2:
      ASSERT_EQ(bpfaot_map_delete(&map.view, key.data()), kernel.remove(key.data()))
          << "delete " << id;
      break;
    default: {
      int theirs = kernel.lookup(key.data(), expected.data());
      std::string ours = our_value(map, key.data(), slots);
      ASSERT_EQ(ours.empty(), theirs == -ENOENT) << "lookup " << id;
      if (!ours.empty()) {
        ours.resize(expected.size());
        ASSERT_EQ(ours, expected);
      }
    }
    }
  }
  std::set<std::string> theirs, ours;
  std::string key(spec.key, '\0'), unknown(spec.key, '\xfe');
  for (int r = kernel.next_key(nullptr, key.data()); r == 0;
       r = kernel.next_key(key.data(), key.data()))
    theirs.insert(key);
  for (int r = bpfaot_map_next_key(&map.view, nullptr, key.data()); r == 0;
       r = bpfaot_map_next_key(&map.view, key.data(), key.data()))
    ours.insert(key);
  EXPECT_EQ(ours, theirs);
  EXPECT_EQ(bpfaot_map_next_key(&map.view, unknown.data(), key.data()),
            kernel.next_key(unknown.data(), key.data()));
}

INSTANTIATE_TEST_SUITE_P(
    Maps, Kernel,
    ::testing::Values(Spec{BPF_MAP_TYPE_HASH, 4, 8, 50, 0}, Spec{BPF_MAP_TYPE_HASH, 8, 8, 200, 0},
                      Spec{BPF_MAP_TYPE_HASH, 16, 20, 33, 0}, Spec{BPF_MAP_TYPE_HASH, 5, 3, 64, 0},
                      Spec{BPF_MAP_TYPE_HASH, 8, 8, 50, BPF_F_NO_PREALLOC},
                      Spec{BPF_MAP_TYPE_HASH, 8, 100, 50, BPF_F_ZERO_SEED},
                      Spec{BPF_MAP_TYPE_ARRAY, 4, 8, 20, 0}, Spec{BPF_MAP_TYPE_ARRAY, 4, 13, 7, 0},
                      Spec{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 10, 0},
                      Spec{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 20, 3, 0}));

TEST(KernelCreate, accepts_and_refuses_the_same_maps) {
  KernelMap probe(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
  if (probe.fd() < 0)
    GTEST_SKIP() << "bpf(2) is not permitted here";
  // Hash keys of more than 512 bytes (which fit no program's stack) we refuse, newer kernels do
  // not.
  const uint32_t sizes[] = {0, 1, 4, 8, 512}, entries[] = {0, 1, 4096, 5000};
  for (uint32_t type :
       {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_RINGBUF,
        BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_CGROUP_ARRAY})
    for (uint32_t key : sizes)
      for (uint32_t value : sizes)
        for (uint32_t count : entries)
          for (uint32_t flags : {0u, 1u, 2u, 8u, 0x40u, 0x80u, 0x400u, 0x800u, 0x8000u}) {
            if (type == BPF_MAP_TYPE_PERF_EVENT_ARRAY && count == 0)
              continue; // libbpf puts the number of CPUs there, so do we
            KernelMap theirs(type, key, value, count, flags);
            TestMap ours(type, key, value, count, flags, 2);
            int expected = theirs.fd() < 0 ? theirs.fd() : 0;
            EXPECT_EQ(ours.layout, expected) << "type " << type << " key " << key << " value "
                                             << value << " entries " << count << " flags " << flags;
          }
}
