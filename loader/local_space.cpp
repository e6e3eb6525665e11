// SPDX-License-Identifier: MIT
//
// Mapping an image here: reserve, copy, relocate, fill the runtime block, protect. The bytes come
// from the sealed copy that was checked.
#include "loader/local_space.h"

#include "targets/patch.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define BPFAOT_LIBC_RSEQ 1
#else
#define BPFAOT_LIBC_RSEQ 0
#endif

namespace bpfaot::loader {
namespace {

constexpr uint32_t kThreadsLog2 = 6;

Failure mapping_error(const char* what) {
  return fail(Code::kSessionMemory, std::string(what) + ": " + strerror(errno));
}

Result<Mapping> anonymous(uint64_t size, int protection) {
  void* address = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    return mapping_error("no memory for the probe");
  return Mapping(address, size);
}

} // namespace

Status LocalImage::map_segments(const Image& image) {
  reserved_ = TRY(anonymous(image.span() + image.align(), PROT_NONE));
  const auto start = reinterpret_cast<uintptr_t>(reserved_.data());
  base_ = reserved_.data() + ((image.align() - start % image.align()) % image.align());
  for (const ImageSegment& segment : image.segments()) {
    if (mprotect(base_ + segment.vaddr, segment.size, PROT_READ | PROT_WRITE) != 0)
      return mapping_error("no memory for the probe");
    std::memcpy(base_ + segment.vaddr + segment.skew, image.bytes().data() + segment.offset,
                segment.file_size);
  }
  for (const ImageRelocation& relocation : image.relocations()) {
    const uint64_t value = reinterpret_cast<uint64_t>(base_) + relocation.addend;
    std::memcpy(base_ + relocation.where, &value, sizeof value);
  }
  return {};
}

Status LocalImage::make_process_memory() {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t slots = sizeof(bpfaot_thread) << kThreadsLog2;
  runtime_ = TRY(anonymous(2 * page + slots, PROT_READ | PROT_WRITE));
  auto* process = reinterpret_cast<bpfaot_process*>(runtime_.data());
  auto* table = reinterpret_cast<bpfaot_thread_table*>(process + 1);
  static_assert(sizeof(bpfaot_process) + sizeof(bpfaot_thread_table) <= 4096);
  process->size = sizeof *process;
  if (getrandom(&process->random, sizeof process->random, GRND_NONBLOCK) < 0)
    process->random = static_cast<uint64_t>(time(nullptr)) << 20 ^ static_cast<uint64_t>(getpid());
  table->size = sizeof *table;
  table->capacity_log2 = kThreadsLog2;
  table->stride = sizeof(bpfaot_thread);
  fork_page_ = runtime_.data() + page;
  table->base = reinterpret_cast<uint64_t>(runtime_.data() + 2 * page);
  process_ = process;
  threads_ = table;
  return {};
}

Status LocalImage::finish(const Image& image, const Session& session) {
  RuntimeAddresses addresses;
  addresses.base = reinterpret_cast<uint64_t>(&session.constants());
  addresses.clock_gettime = reinterpret_cast<uint64_t>(&clock_gettime);
  addresses.threads = reinterpret_cast<uint64_t>(threads_);
  addresses.process = reinterpret_cast<uint64_t>(process_);
  addresses.fork_page = reinterpret_cast<uint64_t>(fork_page_);
  addresses.page_size = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
  const targets::ProcessFacts facts = targets::host_patcher().facts(getauxval(AT_HWCAP2));
  addresses.cpu_method = facts.cpu_method;
  addresses.thread_method = facts.thread_method;
#if BPFAOT_LIBC_RSEQ
  if (__rseq_size != 0) {
    addresses.cpu_method = BPFAOT_CPU_RSEQ;
    addresses.rseq_off = static_cast<int32_t>(__rseq_offset);
  }
#endif
  const std::vector<uint8_t> rt = session.fill_rt(image, addresses);
  std::memcpy(base_ + image.rt_address(), rt.data(), rt.size());
  for (const ImageSegment& segment : image.segments()) {
    const int protection = PROT_READ | (segment.executable ? PROT_EXEC : 0);
    __builtin___clear_cache(reinterpret_cast<char*>(base_ + segment.vaddr),
                            reinterpret_cast<char*>(base_ + segment.vaddr + segment.size));
    if (mprotect(base_ + segment.vaddr, segment.size, protection) != 0)
      return mapping_error("the system does not let the probe be mapped executable");
  }
  image_ = &image;
  return {};
}

Result<LocalImage> LocalImage::map(const Image& image, const Session& session) {
  LocalImage local;
  TRY(local.map_segments(image));
  TRY(local.make_process_memory());
  TRY(local.finish(image, session));
  return local;
}

LocalImage::Entry LocalImage::entry(uint32_t program) const {
  return reinterpret_cast<Entry>(base_ + image_->entry_address(image_->programs()[program]));
}

} // namespace bpfaot::loader
