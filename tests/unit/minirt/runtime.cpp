// SPDX-License-Identifier: MIT
//
// The runtime block of the tests and what it points to.
#include "tests/unit/minirt/runtime.h"

extern "C" {
alignas(64)
    __attribute__((visibility("hidden"))) unsigned char __bpfaot_rt[bpfaot::test::kRuntimeBytes];
}

namespace bpfaot::test {

void* shared_memory(uint64_t size) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

TestMap::TestMap(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                 uint32_t cpus) {
  header = static_cast<bpfaot_map_header*>(shared_memory(sizeof(bpfaot_map_header)));
  header->size = sizeof(bpfaot_map_header);
  header->type = type;
  header->key_size = key;
  header->value_size = value;
  header->max_entries = entries;
  header->map_flags = flags;
  header->cpus = cpus;
  layout = bpfaot_map_layout(header);
  if (layout == 0) {
    view = {header, shared_memory(header->data_size)};
    bpfaot_map_init(&view);
  }
}

TestMap::~TestMap() {
  if (view.data)
    munmap(view.data, header->data_size);
  munmap(header, sizeof(bpfaot_map_header));
}

bpfaot_map_desc TestMap::desc(uint32_t slot) const {
  runtime().maps[slot] = {reinterpret_cast<uint64_t>(header),
                          reinterpret_cast<uint64_t>(view.data)};
  return {header->type, header->key_size, header->value_size, 0, 0, slot};
}

bpfaot_rt& runtime() {
  return *reinterpret_cast<bpfaot_rt*>(__bpfaot_rt);
}
bpfaot_session& session() {
  return *reinterpret_cast<bpfaot_session*>(runtime().session);
}
bpfaot_process& process() {
  return *reinterpret_cast<bpfaot_process*>(runtime().process);
}

bpfaot_rt& reset_runtime(uint32_t cpus, uint32_t thread_slots_log2) {
  std::memset(__bpfaot_rt, 0, sizeof __bpfaot_rt);
  bpfaot_rt& rt = runtime();
  rt.size = kRuntimeBytes;
  rt.page_size = 4096;
  rt.map_count = kSlots;
  rt.printk_map = BPFAOT_NONE;
  auto private_memory = [](uint64_t size) {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
  };
  auto* table = static_cast<bpfaot_thread_table*>(private_memory(4096));
  table->size = sizeof *table;
  table->capacity_log2 = thread_slots_log2;
  table->stride = sizeof(bpfaot_thread);
  table->base =
      reinterpret_cast<uint64_t>(private_memory(sizeof(bpfaot_thread) << thread_slots_log2));
  rt.threads = reinterpret_cast<uint64_t>(table);
  rt.process = reinterpret_cast<uint64_t>(private_memory(4096));
  void* fork_page = private_memory(4096);
  madvise(fork_page, 4096, MADV_WIPEONFORK);
  rt.fork_page = reinterpret_cast<uint64_t>(fork_page);
  rt.session = reinterpret_cast<uint64_t>(
      shared_memory(sizeof(bpfaot_session) + cpus * sizeof(bpfaot_cpu_slot)));
  session().size = sizeof(bpfaot_session);
  session().cpu_count = cpus;
  rt.cpu_count = cpus;
  return runtime();
}

std::vector<std::string> consume_all(const TestMap& map, uint32_t limit) {
  std::vector<std::string> records;
  bpfaot_ring_consume(
      &map.view,
      [](void* arg, const void* record, uint32_t size, uint32_t) {
        static_cast<std::vector<std::string>*>(arg)->emplace_back(static_cast<const char*>(record),
                                                                  size);
        return 0;
      },
      &records, limit);
  return records;
}

} // namespace bpfaot::test
