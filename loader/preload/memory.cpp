// SPDX-License-Identifier: MIT
//
// Memory and language support for C++ code without libstdc++'s library and without the host's
// malloc. Blocks are taken one behind the other from a region of anonymous memory and kept by size
// when they are freed; release_memory() gives everything back when the work is done, so nothing of
// the loader's heap stays in the program. One thread only.
#include "loader/preload/memory.h"

#include "loader/preload/system.h"

#include <sys/mman.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <new>

namespace bpfaot::loader {
namespace {

constexpr size_t kRegion = 256u << 20;  // addresses; memory is used where it is touched
constexpr size_t kSmallRegion = 16u << 20; // where an address limit is in force
constexpr size_t kPage = 4096;
constexpr unsigned kClasses = 48; // 16 bytes and its doubles

struct Header { // before each block; keeps blocks 16-aligned
  size_t index; // of its class
  size_t unused;
};
static_assert(sizeof(Header) == 16);

struct Free {
  Free* next;
};
struct Region {
  Region* next;
  size_t size;
};
static_assert(sizeof(Region) == 16);

Region* regions; // the current one first
size_t used;     // bytes of it
Free* free_blocks[kClasses];

void* map_region(size_t size) {
  void* got = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return got == MAP_FAILED ? nullptr : got;
}

void add_region(size_t need) {
  for (const size_t size : {kRegion, kSmallRegion, (need + sizeof(Region) + kPage - 1) & ~(kPage - 1)}) {
    void* start = size >= need + sizeof(Region) ? map_region(size) : nullptr;
    if (start != nullptr) {
      auto* region = static_cast<Region*>(start);
      *region = {regions, size};
      regions = region;
      used = sizeof(Region);
      return;
    }
  }
  bpfaot_preload_die("no memory");
}

void* allocate(size_t size) {
  const unsigned index = size <= 16 ? 0 : static_cast<unsigned>(std::bit_width(size - 1)) - 4;
  if (index >= kClasses)
    bpfaot_preload_die("no memory");
  // Rounding up costs addresses only: memory is used where it is touched.
  const size_t rounded = size_t{16} << index;
  if (Free* block = free_blocks[index]) {
    free_blocks[index] = block->next;
    return block;
  }
  if (regions == nullptr || regions->size - used < sizeof(Header) + rounded)
    add_region(sizeof(Header) + rounded);
  auto* header = reinterpret_cast<Header*>(reinterpret_cast<uint8_t*>(regions) + used);
  used += sizeof(Header) + rounded;
  header->index = index;
  return header + 1;
}

void deallocate(void* block) {
  if (block == nullptr)
    return;
  const size_t index = (static_cast<Header*>(block) - 1)->index;
  auto* entry = static_cast<Free*>(block);
  entry->next = free_blocks[index];
  free_blocks[index] = entry;
}

} // namespace

void release_memory() {
  while (regions != nullptr) {
    Region* gone = regions;
    regions = gone->next;
    munmap(gone, gone->size);
  }
  for (Free*& list : free_blocks)
    list = nullptr;
}

} // namespace bpfaot::loader

using bpfaot::loader::allocate;
using bpfaot::loader::deallocate;

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* block) noexcept { deallocate(block); }
void operator delete[](void* block) noexcept { deallocate(block); }
void operator delete(void* block, size_t) noexcept { deallocate(block); }
void operator delete[](void* block, size_t) noexcept { deallocate(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { deallocate(block); }
extern "C" void free(void* block) { deallocate(block); }

// What the standard library's headers call instead of throwing where we stand, and what the
// compiler calls for objects of static storage. Nothing is ever destroyed: the library stays.
namespace std {
const nothrow_t nothrow{};
void __throw_length_error(const char* what) { bpfaot_preload_die(what); }
void __throw_logic_error(const char* what) { bpfaot_preload_die(what); }
void __throw_out_of_range(const char* what) { bpfaot_preload_die(what); }
void __throw_out_of_range_fmt(const char* what, ...) { bpfaot_preload_die(what); }
void __throw_bad_alloc() { bpfaot_preload_die("no memory"); }
void __throw_bad_array_new_length() { bpfaot_preload_die("an array of impossible length"); }
void __throw_bad_function_call() { bpfaot_preload_die("an empty function is called"); }
} // namespace std

extern "C" {
void* __dso_handle = &__dso_handle;
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void __cxa_pure_virtual() { bpfaot_preload_die("a pure virtual function is called"); }
int __cxa_guard_acquire(uint64_t* guard) { return *reinterpret_cast<uint8_t*>(guard) == 0; }
void __cxa_guard_release(uint64_t* guard) { *reinterpret_cast<uint8_t*>(guard) = 1; }
}
