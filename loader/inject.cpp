// SPDX-License-Identifier: MIT
//
// Mapping into a process what its probes need; see inject.h for what and where. Writing jumps is in
// patching.cpp.
#include "loader/inject.h"

#include "targets/arena.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kTableOffset = 1024; // of struct bpfaot_thread_table in the runtime file
constexpr int kFixedNoReplace = 0x100000;
constexpr uint64_t kMainStack = 8u << 20;

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) & ~(to - 1); }

std::string reason(int64_t result) { return std::strerror(static_cast<int>(-result)); }

// /proc/PID/auxv, 0 when absent.
uint64_t auxiliary(int pid, uint64_t key) {
  Result<std::vector<uint8_t>> bytes = read_file("/proc/" + std::to_string(pid) + "/auxv", 1 << 16);
  for (size_t i = 0; bytes && i + 16 <= bytes->size(); i += 16) {
    uint64_t pair[2];
    std::memcpy(pair, &(*bytes)[i], sizeof pair);
    if (pair[0] == key) {
      return pair[1];
    }
  }
  return 0;
}

// The clock of the vDSO; 0 makes programs use the system call.
uint64_t vdso_clock(Process& process, const std::vector<MapsEntry>& maps) {
  for (const MapsEntry& entry : maps) {
    if (entry.path != "[vdso]" || entry.end - entry.start > (1 << 20)) {
      continue;
    }
    std::vector<uint8_t> bytes(entry.end - entry.start);
    if (!process.read(entry.start, bytes)) {
      return 0;
    }
    Result<ElfView> elf = ElfView::open(bytes);
    for (const char* name : {"__vdso_clock_gettime", "__kernel_clock_gettime"}) {
      const std::optional<ElfSymbol> symbol = elf ? elf->find_symbol(name) : std::nullopt;
      if (symbol && symbol->is_defined()) {
        return entry.start + symbol->value - elf->load_base();
      }
    }
  }
  return 0;
}

// Room for code near `near`. Below it first: above an executable its heap grows, and what is mapped
// there would be in its way.
uint64_t place_near(const std::vector<MapsEntry>& maps, uint64_t size, uint64_t near, uint64_t reach) {
  const uint64_t low = near > reach ? near - reach : 0;
  const uint64_t high = near + reach - size;
  uint64_t place = find_hole(maps, size, low, near, near);
  if (place == 0) {
    place = find_hole(maps, size, near + reach / 2, high, near);
  }
  return place != 0 ? place : find_hole(maps, size, near, high, high);
}

} // namespace

Result<std::unique_ptr<Attachment>> Attachment::create(Process& process, const Image& image, const Session& session,
                                                       const targets::Patcher& patcher, const Plan& plan) {
  std::unique_ptr<Attachment> attachment(new Attachment(patcher));
  const ProcessStatus status = TRY(read_status(process.pid()));
  attachment->seccomp_ = status.seccomp != 0;
  constexpr uint32_t kCalling = BPFAOT_CAP_SYSCALLS | BPFAOT_CAP_READ_MEMORY;
  if (attachment->seccomp_ && (image.desc().capabilities & kCalling) != 0) {
    return fail(Code::kProcessSeccomp, "process " + std::to_string(process.pid()) +
                                           " runs under seccomp and the probe makes system calls");
  }
  attachment->facts_ = patcher.facts(auxiliary(process.pid(), AT_HWCAP2));
  const uint64_t near = plan.sites.empty() ? 0x10000000 : plan.sites.front().address;
  Status mapped = attachment->map_all(process, image, session, near);
  if (!mapped) {
    attachment->undo(process);
    return std::move(mapped).take_error();
  }
  return attachment;
}

void Attachment::undo(Process& process) {
  if (is_entered_) {
    return;
  }
  for (const Mapped& area : mapped_) {
    (void)process.system_call(SYS_munmap, {area.address, area.size});
  }
  mapped_.clear();
  arenas_.clear();
}

Status Attachment::map_all(Process& process, const Image& image, const Session& session, uint64_t near) {
  TRY(make_runtime_file());
  TRY(map_private(process));
  const std::vector<int> remote = TRY(RemoteDescriptors::send(
      process, private_, {runtime_.get(), session.const_fd(), session.data_fd(), image.fd()}, {true, false, true, false}));
  const auto run = [&]() -> Status {
    runtime_base_ = TRY(map(process, 0, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, remote[0], 0));
    // One reservation, so that nothing comes between the two regions.
    session_base_ = TRY(map(process, 0, session.size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    TRY(map(process, session_base_, session.const_size(), PROT_READ, MAP_SHARED | MAP_FIXED, remote[1], 0));
    TRY(map(process, session_base_ + session.const_size(), session.data_size(), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_FIXED, remote[2], 0));
    return map_image(process, image, remote[3], near);
  };
  Status status = run();
  RemoteDescriptors::close(process, remote);
  TRY(std::move(status));
  return write_runtime(process, image, session);
}

Result<uint64_t> Attachment::map(Process& process, uint64_t address, uint64_t size, int protection, int flags, int fd,
                                 uint64_t offset) {
  const int64_t result = TRY(process.system_call(
      SYS_mmap, {address, size, static_cast<uint64_t>(protection), static_cast<uint64_t>(flags),
                 static_cast<uint64_t>(int64_t{fd}), offset}));
  if (result < 0 && result > -4096) {
    return fail(Code::kRemoteCall, "mapping " + std::to_string(size) + " bytes in process " +
                                       std::to_string(process.pid()) + " failed: " + reason(result));
  }
  const uint64_t got = static_cast<uint64_t>(result);
  if ((flags & kFixedNoReplace) != 0 && got != address) { // a kernel that takes it for a hint
    (void)process.system_call(SYS_munmap, {got, size});
    return fail(Code::kRemoteCall, "the kernel mapped elsewhere than asked");
  }
  if ((flags & MAP_FIXED) == 0) {
    mapped_.push_back({got, size});
  }
  return got;
}

Status Attachment::make_runtime_file() {
  runtime_.reset(memfd_create("bpf-aot", MFD_CLOEXEC));
  struct stat status {};
  if (!runtime_.valid() || ftruncate(runtime_.get(), kPage) != 0 || fstat(runtime_.get(), &status) != 0) {
    return fail(Code::kSessionMemory, std::string("cannot make the runtime file: ") + std::strerror(errno));
  }
  runtime_inode_ = status.st_ino;
  runtime_size_ = kPage;
  void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, runtime_.get(), 0);
  if (page == MAP_FAILED) {
    return fail(Code::kSessionMemory, std::string("cannot map the runtime file: ") + std::strerror(errno));
  }
  runtime_page_ = Mapping(page, kPage);
  auto* process = reinterpret_cast<bpfaot_process*>(runtime_page_.data());
  process->size = sizeof *process;
  if (getrandom(&process->random, sizeof process->random, 0) != sizeof process->random) {
    process->random = static_cast<uint64_t>(getpid()) * 0x9e3779b97f4a7c15ull;
  }
  return {};
}

// Fork page, thread slots, and a page behind them that a comparison with "the frame below" may read.
Status Attachment::map_private(Process& process) {
  Result<uint64_t> base = fail(Code::kInternal, "no size was tried");
  uint64_t size = 0;
  for (capacity_log2_ = 12; capacity_log2_ >= 6; capacity_log2_ -= 3) { // 64 MiB of addresses, 8, 1
    size = kPage + (sizeof(bpfaot_thread) << capacity_log2_) + kPage;
    base = map(process, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base) {
      break;
    }
  }
  private_ = TRY(std::move(base));
  threads_ = private_ + kPage;
  const int64_t wiped = TRY(process.system_call(SYS_madvise, {private_, kPage, MADV_WIPEONFORK}));
  if (wiped != 0) {
    return fail(Code::kRemoteCall, "the kernel cannot clear a page for forked children (MADV_WIPEONFORK): " + reason(wiped));
  }
  (void)process.system_call(SYS_madvise, {threads_, size - kPage, MADV_DONTDUMP});
  return {};
}

Status Attachment::map_image(Process& process, const Image& image, int fd, uint64_t near) {
  const std::vector<MapsEntry> maps = TRY(read_maps(process.pid()));
  const uint64_t align = std::max<uint64_t>(image.align(), kPage);
  const uint64_t place = place_near(maps, image.span() + align, near, patcher_->reach);
  const uint64_t base = place != 0 ? round_up(place, align) : 0;
  image_base_ = TRY(map(process, base, image.span(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | (base != 0 ? kFixedNoReplace : 0), -1, 0));
  if (image_base_ % align != 0) {
    return fail(Code::kRemoteCall, "no place that is aligned to " + std::to_string(align) + " bytes for the image");
  }
  for (const ImageSegment& segment : image.segments()) {
    // Never writable: what must be filled in is written from outside, into private pages.
    const int protection = PROT_READ | (segment.executable ? PROT_EXEC : 0);
    const uint64_t in_file = std::min(segment.size, round_up(segment.skew + segment.file_size, kPage));
    const uint64_t start = image_base_ + segment.vaddr;
    if (in_file != 0) {
      TRY(map(process, start, in_file, protection, MAP_PRIVATE | MAP_FIXED, fd, segment.offset - segment.skew));
    }
    if (in_file < segment.size) {
      TRY(map(process, start + in_file, segment.size - in_file, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    }
    const uint64_t tail = in_file - (segment.skew + segment.file_size); // of the last page: the file goes on there
    if (segment.writable && tail != 0 && in_file != 0) {
      TRY(process.write(start + segment.skew + segment.file_size, std::vector<uint8_t>(tail)));
    }
  }
  for (const ImageRelocation& relocation : image.relocations()) {
    TRY(process.write_object(image_base_ + relocation.where, image_base_ + relocation.addend));
  }
  return {};
}

Status Attachment::write_runtime(Process& process, const Image& image, const Session& session) {
  const std::vector<MapsEntry> maps = TRY(read_maps(process.pid()));
  for (const MapsEntry& entry : maps) {
    if (entry.path == "[stack]") {
      stack_high_ = entry.end;
      stack_low_ = std::min(entry.start, entry.end - kMainStack);
    }
  }
  RuntimeAddresses addresses;
  addresses.base = session_base_;
  addresses.clock_gettime = vdso_clock(process, maps);
  addresses.threads = runtime_base_ + kTableOffset;
  addresses.process = runtime_base_;
  addresses.fork_page = private_;
  addresses.cpu_method = facts_.cpu_method;
  addresses.thread_method = facts_.thread_method;
  TRY(process.write(image_base_ + image.rt_address(), session.fill_rt(image, addresses)));
  auto* table = reinterpret_cast<bpfaot_thread_table*>(runtime_page_.data() + kTableOffset);
  table->size = sizeof *table;
  table->capacity_log2 = capacity_log2_;
  table->stride = sizeof(bpfaot_thread);
  table->base = threads_;
  // The page served as scratch; programs take its first word for a generation.
  return process.write(private_, std::vector<uint8_t>(kPage));
}

MissedCounts Attachment::missed() const {
  const auto* process = reinterpret_cast<const bpfaot_process*>(runtime_page_.data());
  return {__atomic_load_n(&process->missed, __ATOMIC_RELAXED), __atomic_load_n(&process->missed_returns, __ATOMIC_RELAXED)};
}

Result<Attachment::Arena*> Attachment::arena_for(Process& process, uint64_t address, size_t sites) {
  constexpr uint64_t kSiteBytes = 1024; // a trampoline with a handful of programs
  const uint64_t wanted = sites * kSiteBytes;
  const uint64_t reach = patcher_->reach - (16u << 20);
  for (Arena& arena : arenas_) {
    const uint64_t distance = arena.base > address ? arena.base - address : address - arena.base;
    if (distance < reach && arena.size - arena.used >= kSiteBytes) {
      return &arena;
    }
  }
  if (arenas_.size() == BPFAOT_ARENA_RANGES) {
    return fail(Code::kAttachReach, "the probed code is spread over more than " + std::to_string(BPFAOT_ARENA_RANGES) +
                                        " regions");
  }
  const targets::SupportCode support = patcher_->support();
  Arena arena;
  arena.size = round_up(BPFAOT_ARENA_SUPPORT + support.bytes.size() + 4096 + wanted, 1u << 16);
  const std::vector<MapsEntry> maps = TRY(read_maps(process.pid()));
  const uint64_t place = place_near(maps, arena.size, address, reach);
  if (place == 0) {
    return fail(Code::kAttachReach, "no " + std::to_string(arena.size) + " bytes of memory are free within reach of the code");
  }
  const uint64_t offset = runtime_size_;
  if (ftruncate(runtime_.get(), static_cast<off_t>(offset + arena.size)) != 0) {
    return fail(Code::kSessionMemory, std::string("the runtime file cannot grow: ") + std::strerror(errno));
  }
  runtime_size_ += arena.size;
  void* local = mmap(nullptr, arena.size, PROT_READ | PROT_WRITE, MAP_SHARED, runtime_.get(), static_cast<off_t>(offset));
  if (local == MAP_FAILED) {
    return fail(Code::kSessionMemory, std::string("cannot map the runtime file: ") + std::strerror(errno));
  }
  arena.local = Mapping(local, arena.size);
  std::memset(local, patcher_->breakpoint_insn[0], arena.size);
  std::memset(local, 0, BPFAOT_ARENA_SUPPORT);
  std::memcpy(arena.local.data() + BPFAOT_ARENA_SUPPORT, support.bytes.data(), support.bytes.size());
  arena.used = round_up(BPFAOT_ARENA_SUPPORT + support.bytes.size(), 64);
  std::vector<uint8_t> kept(512);
  TRY(process.read(private_, kept)); // the fork page again serves as scratch
  const std::vector<int> remote = TRY(RemoteDescriptors::send(process, private_, {runtime_.get()}, {true}));
  TRY(process.write(private_, kept));
  Result<uint64_t> base = map(process, place, arena.size, PROT_READ | PROT_EXEC, MAP_SHARED | kFixedNoReplace, remote[0], offset);
  RemoteDescriptors::close(process, remote);
  arena.base = TRY(std::move(base));
  arenas_.push_back(std::move(arena));
  publish_arenas();
  return &arenas_.back();
}

void Attachment::publish_arenas() {
  for (Arena& arena : arenas_) {
    auto* control = reinterpret_cast<bpfaot_arena*>(arena.local.data());
    control->table = runtime_base_ + kTableOffset;
    control->process = runtime_base_;
    control->main_stack = {stack_low_, stack_high_};
    control->may_call_system = !seccomp_;
    control->has_fast_thread_pointer = facts_.fast_thread_pointer;
    for (size_t i = 0; i < arenas_.size(); ++i) {
      control->ranges[i] = {arenas_[i].base, arenas_[i].base + arenas_[i].size};
    }
    control->range_count = arenas_.size();
  }
}

} // namespace bpfaot::loader
