// SPDX-License-Identifier: MIT
//
// Mapping into a process what its probes need; see inject.h for what and where. Writing jumps is in
// patching.cpp.
#include "loader/inject.h"

#include "loader/restore.h"
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
#include <utility>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kTableOffset = 1024; // of struct bpfaot_thread_table in the runtime file
// Of the thread slots in their pages. Maps begin with a page, and processors tell a load from an earlier
// store by the place in the page first: at 0, a slot's depth and element 1 of an array of counters would
// be taken for each other, which cost a third of a return probe.
constexpr uint64_t kSlotSkew = 2048 + 64;
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
uint64_t vdso_clock(LiveSpace& space, const std::vector<MapsEntry>& maps) {
  for (const MapsEntry& entry : maps) {
    if (entry.path != "[vdso]" || entry.end - entry.start > (1 << 20)) {
      continue;
    }
    std::vector<uint8_t> bytes(entry.end - entry.start);
    if (!space.read(entry.start, bytes)) {
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
// there would be in its way. A place that was taken before we came is where others are looking for room
// too (stacks of new threads go below the libraries), so each time a place was `refused` the next one lies
// further off.
uint64_t place_near(const std::vector<MapsEntry>& maps, uint64_t size, uint64_t near, uint64_t reach, int refused) {
  const uint64_t away = reach / 8 * static_cast<uint64_t>(std::min(refused, 3));
  const uint64_t low = near > reach ? near - reach : 0;
  const uint64_t high = near + reach - size;
  uint64_t place = find_hole(maps, size, low, near, near > away ? near - away : near);
  if (place == 0) {
    place = find_hole(maps, size, near + reach / 2, high, near + away);
  }
  return place != 0 ? place : find_hole(maps, size, near, high, high - away);
}

} // namespace

// Mappings that are made at once. Each is at its place, or it failed and nothing changed.
class Attachment::Batch {
public:
  void map(uint64_t address, uint64_t size, int protection, int flags, int file = -1, uint64_t offset = 0) {
    SystemCall call;
    call.number = SYS_mmap;
    call.args = {address, size, static_cast<uint64_t>(protection), static_cast<uint64_t>(flags | kFixedNoReplace),
                 ~uint64_t{0}, offset};
    call.file = file;
    calls_.push_back(call);
  }
  void advise(uint64_t address, uint64_t size, int advice) {
    SystemCall call;
    call.number = SYS_madvise;
    call.args = {address, size, static_cast<uint64_t>(advice), 0, 0, 0};
    calls_.push_back(call);
  }

  // What was mapped is added to `mapped`, also when something fails. [remote-call]
  Status run(LiveSpace& space, std::span<const SharedFile> files, std::vector<Mapped>& mapped) {
    const std::vector<int64_t> results = TRY(space.system_calls(calls_, files));
    Status status;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const int64_t result = results[i];
      const bool maps = calls_[i].number == SYS_mmap;
      const uint64_t address = calls_[i].args[0], size = calls_[i].args[1];
      if (result < 0 && result > -4096) {
        // Leaving pages out of core dumps is only a courtesy.
        if (maps || calls_[i].args[2] != MADV_DONTDUMP) {
          status = fail(Code::kRemoteCall, std::string(maps ? "mapping " : "preparing ") + std::to_string(size) +
                                               " bytes in process " + std::to_string(space.pid()) + " failed: " + reason(result));
        }
      } else if (maps) {
        mapped.push_back({static_cast<uint64_t>(result), size});
        if (static_cast<uint64_t>(result) != address) { // an old kernel takes it for a hint
          status = fail(Code::kRemoteCall, "the kernel mapped elsewhere than asked");
        }
      }
    }
    return status;
  }

private:
  std::vector<SystemCall> calls_;
};

Result<std::unique_ptr<Attachment>> Attachment::create(LiveSpace& space, const Image& image, const Session& session,
                                                       const targets::Patcher& patcher, const Plan& plan) {
  std::unique_ptr<Attachment> attachment(new Attachment(patcher));
  const ProcessStatus status = TRY(read_status(space.pid()));
  attachment->seccomp_ = status.seccomp != 0;
  constexpr uint32_t kCalling = BPFAOT_CAP_SYSCALLS | BPFAOT_CAP_READ_MEMORY;
  if (attachment->seccomp_ && (image.desc().capabilities & kCalling) != 0) {
    return fail(Code::kProcessSeccomp, "process " + std::to_string(space.pid()) +
                                           " runs under seccomp and the probe makes system calls");
  }
  if (attachment->seccomp_ && patcher.links_in_register &&
      std::any_of(plan.sites.begin(), plan.sites.end(), [](const PlannedSite& site) { return site.sweeps; })) {
    return fail(Code::kAttachUnwind, "process " + std::to_string(space.pid()) +
                                         " runs under seccomp, where exceptions could not pass a return probe");
  }
  if (space.pid() != getpid()) {
    attachment->notice_ = std::make_unique<DeathNotice>();
  }
  attachment->facts_ = patcher.facts(auxiliary(space.pid(), AT_HWCAP2));
  const uint64_t near = plan.sites.empty() ? 0x10000000 : plan.sites.front().address;
  // Another thread may map something at a chosen place, or may have since the plan looked, and an address
  // limit (RLIMIT_AS) may want the thread table smaller: 64 MiB of addresses, 8, 1.
  Status mapped;
  std::vector<MapsEntry> maps = plan.maps;
  int refused = 0;
  for (const uint32_t capacity_log2 : {12u, 12u, 9u, 6u}) {
    attachment->capacity_log2_ = capacity_log2;
    if (maps.empty()) {
      maps = TRY(read_maps(space.pid()));
    }
    mapped = attachment->map_all(space, image, session, std::exchange(maps, {}), near, refused++);
    if (mapped) {
      return attachment;
    }
    attachment->undo(space);
    if (mapped.error().code != Code::kRemoteCall) {
      break;
    }
  }
  return std::move(mapped).take_error();
}

void Attachment::undo(LiveSpace& space) {
  if (is_entered_) {
    return;
  }
  std::vector<SystemCall> calls;
  for (const Mapped& area : mapped_) {
    SystemCall call;
    call.number = SYS_munmap;
    call.args = {area.address, area.size};
    calls.push_back(call);
  }
  if (!calls.empty()) {
    (void)space.system_calls(calls);
  }
  mapped_.clear();
  if (notice_) { // its words lie in the arenas
    notice_ = nullptr;
    notice_ = std::make_unique<DeathNotice>();
  }
  arenas_.clear();
}

// Private memory, the runtime file's page and the session's two regions lie one behind the other.
Status Attachment::map_all(LiveSpace& space, const Image& image, const Session& session, const std::vector<MapsEntry>& maps,
                           uint64_t near, int refused) {
  TRY(make_runtime_file());
  // Fork page, thread slots, and a page behind them that a comparison with "the frame below" may read.
  const uint64_t private_size = kPage + (sizeof(bpfaot_thread) << capacity_log2_) + kPage;
  private_ = find_far_hole(maps, private_size + kPage + session.size());
  if (private_ == 0) {
    return fail(Code::kRemoteCall, "process " + std::to_string(space.pid()) + " has no room for the probe's memory");
  }
  threads_ = private_ + kPage + kSlotSkew;
  runtime_base_ = private_ + private_size;
  session_base_ = runtime_base_ + kPage;
  Batch batch;
  batch.map(private_, private_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  batch.advise(private_, kPage, MADV_WIPEONFORK);
  batch.advise(private_ + kPage, private_size - kPage, MADV_DONTDUMP);
  batch.map(runtime_base_, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  batch.map(session_base_, session.const_size(), PROT_READ, MAP_SHARED, 1);
  batch.map(session_base_ + session.const_size(), session.data_size(), PROT_READ | PROT_WRITE, MAP_SHARED, 2);
  TRY(add_image(batch, image, 3, maps, near, refused));
  const SharedFile files[] = {{runtime_.get(), true}, {session.const_fd(), false}, {session.data_fd(), true}, {image.fd(), false}};
  TRY(batch.run(space, files, mapped_));
  // Whoever comes after this loader's death can clear it away.
  auto* table = reinterpret_cast<bpfaot_thread_table*>(runtime_page_.data() + kTableOffset);
  *table = {sizeof *table, capacity_log2_, sizeof(bpfaot_thread), threads_, 0, {}};
  publish(runtime_control());
  if (notice_) {
    notice_->add(runtime_control());
  }
  TRY(write_image(space, image));
  return write_runtime(space, image, session, maps);
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

Status Attachment::add_image(Batch& batch, const Image& image, int file, const std::vector<MapsEntry>& maps,
                             uint64_t near, int refused) {
  const uint64_t align = std::max<uint64_t>(image.align(), kPage);
  uint64_t place = place_near(maps, image.span() + align, near, patcher_->reach, refused);
  if (place == 0) { // programs are called over any distance
    place = find_far_hole(maps, image.span() + align) + (1u << 30);
  }
  image_base_ = round_up(place, align);
  for (const ImageSegment& segment : image.segments()) {
    // Never writable: what must be filled in is written from outside, into private pages.
    const int protection = PROT_READ | (segment.executable ? PROT_EXEC : 0);
    const uint64_t in_file = std::min(segment.size, round_up(segment.skew + segment.file_size, kPage));
    const uint64_t start = image_base_ + segment.vaddr;
    if (in_file != 0) {
      batch.map(start, in_file, protection, MAP_PRIVATE, file, segment.offset - segment.skew);
    }
    if (in_file < segment.size) {
      batch.map(start + in_file, segment.size - in_file, protection, MAP_PRIVATE | MAP_ANONYMOUS);
    }
  }
  return {};
}

Status Attachment::write_image(LiveSpace& space, const Image& image) {
  for (const ImageSegment& segment : image.segments()) {
    const uint64_t in_file = std::min(segment.size, round_up(segment.skew + segment.file_size, kPage));
    const uint64_t tail = in_file - (segment.skew + segment.file_size); // of the last page: the file goes on there
    if (segment.writable && tail != 0 && in_file != 0) {
      TRY(space.write(image_base_ + segment.vaddr + segment.skew + segment.file_size, std::vector<uint8_t>(tail)));
    }
  }
  for (const ImageRelocation& relocation : image.relocations()) {
    TRY(space.write_object(image_base_ + relocation.where, image_base_ + relocation.addend));
  }
  return {};
}

Status Attachment::write_runtime(LiveSpace& space, const Image& image, const Session& session,
                                 const std::vector<MapsEntry>& maps) {
  for (const MapsEntry& entry : maps) {
    if (entry.path == "[stack]") {
      stack_high_ = entry.end;
      stack_low_ = std::min(entry.start, entry.end - kMainStack);
    }
  }
  RuntimeAddresses addresses;
  addresses.base = session_base_;
  addresses.clock_gettime = vdso_clock(space, maps);
  addresses.threads = runtime_base_ + kTableOffset;
  addresses.process = runtime_base_;
  addresses.fork_page = private_;
  addresses.cpu_method = facts_.cpu_method;
  addresses.thread_method = facts_.thread_method;
  TRY(space.write(image_base_ + image.rt_address(), session.fill_rt(image, addresses)));
  return {};
}

MissedCounts Attachment::missed() const {
  const auto* process = reinterpret_cast<const bpfaot_process*>(runtime_page_.data());
  return {__atomic_load_n(&process->missed, __ATOMIC_RELAXED), __atomic_load_n(&process->missed_returns, __ATOMIC_RELAXED)};
}

constexpr uint64_t kSiteBytes = 1024; // a trampoline with a handful of programs

Attachment::Arena* Attachment::arena_for(uint64_t address) {
  const uint64_t reach = patcher_->reach - (16u << 20);
  for (Arena& arena : arenas_) {
    const uint64_t distance = arena.base > address ? arena.base - address : address - arena.base;
    if (distance < reach && arena.size - arena.used >= kSiteBytes) {
      return &arena;
    }
  }
  return nullptr;
}

Status Attachment::make_arenas(LiveSpace& space, const Plan& plan) {
  constexpr int kTries = 4; // another thread may map something at a chosen place
  Status status;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    // What was seen before and what came since by our own doing; an attempt at a place that is taken fails.
    const std::vector<MapsEntry> maps = attempt == 0 && !plan.maps.empty() ? plan.maps : TRY(read_maps(space.pid()));
    const size_t before = arenas_.size();
    const uint64_t file_before = runtime_size_;
    Batch batch;
    for (const PlannedSite& site : plan.sites) {
      if (arena_for(site.cover.patch_pc) != nullptr) {
        continue;
      }
      const uint64_t offset = runtime_size_;
      arenas_.push_back(TRY(make_arena(maps, site.cover.patch_pc, plan.sites.size(), attempt)));
      batch.map(arenas_.back().base, arenas_.back().size, PROT_READ | PROT_EXEC, MAP_SHARED, 0, offset);
    }
    if (arenas_.size() == before) {
      return {};
    }
    const size_t mapped_before = mapped_.size();
    const SharedFile file{runtime_.get(), true};
    status = batch.run(space, {&file, 1}, mapped_);
    if (status) {
      for (size_t i = before; notice_ && i < arenas_.size(); ++i) {
        notice_->add(*reinterpret_cast<bpfaot_arena*>(arenas_[i].local.data()));
      }
      publish_arenas();
      return {};
    }
    for (; mapped_.size() > mapped_before; mapped_.pop_back()) {
      (void)space.system_call(SYS_munmap, {mapped_.back().address, mapped_.back().size});
    }
    arenas_.resize(before);
    runtime_size_ = file_before;
  }
  return status;
}

Result<Attachment::Arena> Attachment::make_arena(const std::vector<MapsEntry>& maps, uint64_t address, size_t sites,
                                                    int refused) {
  if (arenas_.size() == BPFAOT_ARENA_RANGES) {
    return fail(Code::kAttachReach, "the probed code is spread over more than " + std::to_string(BPFAOT_ARENA_RANGES) +
                                        " regions");
  }
  const targets::SupportCode support = patcher_->support();
  Arena arena;
  arena.size = round_up(BPFAOT_ARENA_SUPPORT + support.bytes.size() + 4096 + sites * kSiteBytes, 1u << 16);
  std::vector<MapsEntry> taken = maps; // which may not have ours yet
  const auto take = [&taken](uint64_t address, uint64_t size) {
    MapsEntry entry;
    entry.start = address;
    entry.end = address + size;
    taken.insert(std::upper_bound(taken.begin(), taken.end(), entry,
                                  [](const MapsEntry& a, const MapsEntry& b) { return a.start < b.start; }),
                 entry);
  };
  for (const Mapped& area : mapped_) {
    take(area.address, area.size);
  }
  for (const Arena& other : arenas_) {
    take(other.base, other.size);
  }
  arena.base = place_near(taken, arena.size, address, patcher_->reach - (16u << 20), refused);
  if (arena.base == 0) {
    return fail(Code::kAttachReach, "no " + std::to_string(arena.size) + " bytes of memory are free within reach of the code");
  }
  const uint64_t offset = runtime_size_;
  if (ftruncate(runtime_.get(), static_cast<off_t>(offset + arena.size)) != 0) {
    return fail(Code::kSessionMemory, std::string("the runtime file cannot grow: ") + std::strerror(errno));
  }
  runtime_size_ += arena.size;
  // Every page is filled below: in one go instead of a fault for each.
  void* local = mmap(nullptr, arena.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, runtime_.get(), static_cast<off_t>(offset));
  if (local == MAP_FAILED) {
    return fail(Code::kSessionMemory, std::string("cannot map the runtime file: ") + std::strerror(errno));
  }
  arena.local = Mapping(local, arena.size);
  // Whoever gets lost there shall not get far.
  std::memcpy(local, patcher_->breakpoint_insn.data(), patcher_->breakpoint_insn.size());
  for (uint64_t done = patcher_->breakpoint_insn.size(); done < arena.size; done *= 2) {
    std::memcpy(arena.local.data() + done, local, std::min(done, arena.size - done));
  }
  std::memset(local, 0, BPFAOT_ARENA_SUPPORT);
  std::memcpy(arena.local.data() + BPFAOT_ARENA_SUPPORT, support.bytes.data(), support.bytes.size());
  arena.used = round_up(BPFAOT_ARENA_SUPPORT + support.bytes.size(), 64);
  return arena;
}

// As few ranges as there can be. More than there is room for: none, and nothing is ever unmapped.
void Attachment::publish_mapped(bpfaot_arena& control) const {
  std::vector<Mapped> list = mapped_;
  std::sort(list.begin(), list.end(), [](const Mapped& a, const Mapped& b) { return a.address < b.address; });
  control.mapped_count = 0;
  for (const Mapped& area : list) {
    if (control.mapped_count != 0 && control.mapped[control.mapped_count - 1].high == area.address) {
      control.mapped[control.mapped_count - 1].high += area.size;
    } else if (control.mapped_count == BPFAOT_ARENA_MAPPED) {
      control.mapped_count = 0;
      return;
    } else {
      control.mapped[control.mapped_count++] = {area.address, area.address + area.size};
    }
  }
}

void Attachment::publish(bpfaot_arena& control) const {
  control.table = runtime_base_ + kTableOffset;
  control.process = runtime_base_;
  control.main_stack = {stack_low_, stack_high_};
  control.may_call_system = !seccomp_;
  control.has_fast_thread_pointer = facts_.fast_thread_pointer;
  for (size_t i = 0; i < arenas_.size(); ++i) {
    control.ranges[i] = {arenas_[i].base, arenas_[i].base + arenas_[i].size};
  }
  control.range_count = arenas_.size();
  publish_mapped(control);
}

bpfaot_arena& Attachment::runtime_control() const {
  return *reinterpret_cast<bpfaot_arena*>(runtime_page_.data() + kRuntimeControl);
}

void Attachment::publish_arenas() {
  publish(runtime_control());
  for (Arena& arena : arenas_) {
    publish(*reinterpret_cast<bpfaot_arena*>(arena.local.data()));
  }
}

} // namespace bpfaot::loader
