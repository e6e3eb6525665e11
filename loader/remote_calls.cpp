// SPDX-License-Identifier: MIT
//
// System calls in another process, by a thread that is borrowed for them. The stub lies in slack: the
// bytes between the end of a file's code and the end of its last page, which are mapped executable and
// belong to no function. Nothing but a stub is ever put there, and it is taken out again; what a killed
// loader left there is known by its marker, and taken out when no thread is in it.
#include "loader/process.h"

#include "loader/process_loan.h"
#include "support/hex.h"
#include "targets/arena.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kEventStop = 128; // PTRACE_EVENT_STOP
constexpr int kSyscallStop = SIGTRAP | 0x80;
constexpr size_t kSignalSetSize = 8; // of the kernel's sigset_t, what PTRACE_SETSIGMASK wants
constexpr uint64_t kPage = 4096;
constexpr uint64_t kSomewhere = 16; // a stub's frame, for as long as only sizes matter

std::string failed(const char* what, int pid) {
  return std::string(what) + " of process " + std::to_string(pid) + " failed: " + std::strerror(errno);
}

bool is_error(int64_t result) { return result < 0 && result > -4096; }

// One whose arrival means nothing to this thread, with a tracer or without: not caught by anybody and
// not waited for.
uint32_t quiet_signal(const ProcessStatus& status, uint64_t blocked) {
  for (const int signal : {SIGURG, SIGWINCH}) { // ignored by default
    const uint64_t bit = uint64_t{1} << (signal - 1);
    if (((status.caught | blocked) & bit) == 0)
      return uint32_t(signal);
  }
  return 0;
}

uint64_t signal_bit(uint32_t signal) { return signal == 0 ? 0 : uint64_t{1} << (signal - 1); }

// The file's own bytes at an address of a mapping; nothing when it cannot be read.
std::vector<uint8_t> file_bytes(int pid, const MapsEntry& entry, uint64_t address, uint64_t size) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const auto bare = [](uint64_t value) { return hex(value).substr(2); };
  UniqueFd fd(::open((proc + "/map_files/" + bare(entry.start) + "-" + bare(entry.end)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    fd.reset(::open((proc + "/root" + entry.path).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd.valid() || fstat(fd.get(), &status) != 0 || status.st_ino != entry.inode)
      return {};
  }
  std::vector<uint8_t> bytes(size); // behind the end of the file there are zeros
  if (pread(fd.get(), bytes.data(), size, off_t(entry.offset + (address - entry.start))) < 0)
    return {};
  return bytes;
}

// The end of the executable segment of the file whose header is at `base`, when it is less than `most`
// before `end`, the end of its mapping; 0 otherwise. Everything read here is the process's word: bounded.
uint64_t end_of_code(AddressSpace& space, uint64_t base, uint64_t end, uint64_t most) {
  const Result<Elf64_Ehdr> header = space.read_object<Elf64_Ehdr>(base);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > 64 || header->e_phoff > kPage)
    return 0;
  std::vector<Elf64_Phdr> segments(header->e_phnum);
  if (!space.read(base + header->e_phoff,
                  {reinterpret_cast<uint8_t*>(segments.data()), segments.size() * sizeof(Elf64_Phdr)}))
    return 0;
  const Elf64_Phdr* first = nullptr;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD)
      continue;
    first = first == nullptr ? &segment : first;
    const uint64_t bias = base - (first->p_vaddr & ~(kPage - 1));
    const uint64_t last = bias + segment.p_vaddr + segment.p_filesz;
    if ((segment.p_flags & PF_X) != 0 && (segment.p_flags & PF_W) == 0 && segment.p_filesz == segment.p_memsz &&
        last <= end && end - last < most)
      return last;
  }
  return 0;
}

} // namespace

// Room for `size` bytes that nobody uses. Files first, the vDSO last.
Result<uint64_t> Process::find_slack(const std::vector<MapsEntry>& maps, uint64_t size, std::vector<uint8_t>& under,
                                     std::vector<Leftover>& leftovers) {
  for (const bool vdso : {false, true}) {
    for (const MapsEntry& entry : maps) {
      // An image of ours has slack as well, but may be what is being unmapped.
      if (!entry.executable || entry.writable || entry.shared || entry.path.starts_with("/memfd:") || (vdso ? entry.path != "[vdso]" : entry.inode == 0))
        continue;
      const auto head = std::find_if(maps.begin(), maps.end(), [&](const MapsEntry& other) {
        return vdso ? &other == &entry
                    : other.inode == entry.inode && other.major == entry.major && other.minor == entry.minor &&
                          other.path == entry.path && other.offset == 0 && other.start <= entry.start;
      });
      const uint64_t code_end = head != maps.end() ? end_of_code(*this, head->start, entry.end, vdso ? 2 * kPage : kPage) : 0;
      // The vDSO's section table follows its code, often into one more page; the zeros at its end
      // follow that.
      const uint64_t at = vdso ? (entry.end - size) & ~uint64_t{15} : (code_end + 15) & ~uint64_t{15};
      if (code_end == 0 || at < code_end || at + size > entry.end)
        continue;
      std::vector<uint8_t> now(size);
      const std::vector<uint8_t> clean = vdso ? std::vector<uint8_t>(size) : file_bytes(pid_, entry, at, size);
      if (!read(at, now))
        continue;
      if (now == clean) {
        under = std::move(now);
        return at;
      }
      if (clean.size() == size && std::equal(std::begin(kStubMarker), std::end(kStubMarker), now.begin()))
        leftovers.push_back({at, clean});
    }
  }
  return fail(Code::kRemoteCall, "process " + std::to_string(pid_) + " has no " + std::to_string(size) +
                                     " unused bytes behind any code, where system calls could be made from");
}

// Takes away what killed loaders left, unless a thread is still on its way back through it.
Status Process::clean_slack(const std::vector<Leftover>& leftovers) {
  TRY(hold());
  for (const Leftover& leftover : leftovers) {
    const CodeRange range{leftover.at, leftover.at + leftover.clean.size()};
    if (!TRY(refers_to({&range, 1})))
      TRY(write(leftover.at, leftover.clean));
  }
  release(true);
  return {};
}

// A place for what a thread finds back by, where a signal's frame would be too: below the stack pointer. Only
// of the first thread's own stack is it known that nothing else is there. 0: none.
uint64_t Process::room_on_stack(const Loan& loan, uint64_t size) {
  constexpr uint64_t kBelow = 256;
  if (size == 0)
    return 0;
  const Result<std::vector<MapsEntry>> maps = read_maps(pid_);
  const uint64_t stack = sp(loan.registers);
  const MapsEntry* entry = maps ? entry_at(*maps, stack) : nullptr;
  if (entry == nullptr || entry->path != "[stack]" || !entry->writable || stack - entry->start < size + kBelow + 16)
    return 0;
  return (stack - kBelow - size) & ~uint64_t{15};
}

// Of the stopped leader: its registers, and where its stub will be; nowhere when there is no room.
Result<std::unique_ptr<Process::Loan>> Process::make_loan(std::vector<Leftover>& leftovers) {
  auto loan = std::make_unique<Loan>();
  loan->tid = pid_;
  loan->registers = TRY(registers(loan->tid));
  for (const uint32_t type : patcher_->more_regsets)
    loan->more.push_back(register_set(loan->tid, type));
  if (ptrace(PTRACE_GETSIGMASK, loan->tid, kSignalSetSize, &loan->mask) != 0)
    return fail(Code::kProcessGone, failed("reading the signal mask", pid_));
  uint64_t abort = 0;
  if (critical_section(loan->tid, abort))
    set_pc(loan->registers, abort);
  loan->signal = quiet_signal(TRY(read_status(pid_)), loan->mask);
  loan->stub_frame = kSomewhere;
  loan->stub_frame = room_on_stack(*loan, patcher_->make_remote_stub(stub_request(*loan)).frame.size());
  const uint64_t size = patcher_->make_remote_stub(stub_request(*loan)).bytes.size() + sizeof kStubMarker;
  const std::vector<MapsEntry> maps = TRY(read_maps(pid_));
  leftovers.clear();
  loan->slack = find_slack(maps, size, loan->under, leftovers);
  // The kernel's own choice is next to libraries, where what is attached may have been planned to lie.
  const uint64_t far = find_far_hole(maps, kScratch);
  loan->scratch_hint = far != 0 ? far - kScratch : 0;
  return loan;
}

targets::RemoteStubRequest Process::stub_request(const Loan& loan) {
  targets::RemoteStubRequest request;
  request.registers = loan.registers;
  request.more = loan.more;
  request.signal_mask = loan.mask;
  request.signal = loan.signal;
  request.frame = loan.stub_frame;
  return request;
}

Status Process::place_stub(Loan& loan) {
  if (!loan.slack)
    return Status(std::move(loan.slack).take_error());
  loan.at = *loan.slack;
  targets::RemoteStubRequest request = stub_request(loan);
  request.pc = loan.at + sizeof kStubMarker;
  loan.stub = patcher_->make_remote_stub(request);
  if (!loan.stub.frame.empty()) {
    loan.under_frame.resize(loan.stub.frame.size());
    TRY(read(loan.stub_frame, loan.under_frame));
    TRY(write(loan.stub_frame, loan.stub.frame));
  }
  std::vector<uint8_t> bytes(std::begin(kStubMarker), std::end(kStubMarker));
  bytes.insert(bytes.end(), loan.stub.bytes.begin(), loan.stub.bytes.end());
  loan.has_stub = true;
  return write(loan.at, bytes);
}

Result<Process::Loan*> Process::borrow() {
  if (loan_)
    return loan_.get();
  if (std::none_of(threads_.begin(), threads_.end(), [this](const Thread& thread) { return thread.tid == pid_ && thread.stopped; }))
    TRY(seize_leader());
  if (seccomp_ && !seccomp_suspended_)
    return fail(Code::kProcessSeccomp, "process " + std::to_string(pid_) +
                                           " filters its system calls (seccomp) and the filter cannot be suspended");
  std::vector<Leftover> leftovers;
  std::unique_ptr<Loan> loan = TRY(make_loan(leftovers));
  if (!leftovers.empty()) {
    TRY(clean_slack(leftovers)); // the thread may have run meanwhile
    loan = TRY(make_loan(leftovers));
  }
  loan_ = std::move(loan);
  Result<int64_t> scratch = int64_t{0};
  Status placed = place_stub(*loan_);
  // A command that has not begun has nothing to lose.
  if (!placed && !loan_->has_stub && (stays_ || patcher_->stub_may_be_missing))
    placed = Status();
  if (placed)
    scratch = one_call(SYS_mmap, {loan_->scratch_hint, kScratch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0});
  if (!placed || !scratch || is_error(*scratch)) {
    Status why = !placed    ? std::move(placed)
                 : !scratch ? Status(std::move(scratch).take_error())
                            : Status(fail(Code::kRemoteCall, "the process has no memory for the loader's list of calls: " +
                                                                 std::string(std::strerror(int(-*scratch)))));
    (void)give_back();
    return std::move(why).take_error();
  }
  loan_->scratch = uint64_t(*scratch);
  return loan_.get();
}

// From here on a thread that nobody stops again finds back by itself: the registers come first, and
// only then the mask; at the end it is the other way round.
Result<uint64_t> Process::run_stub(Loan& loan, uint64_t entry, uint64_t cursor) {
  RegisterBytes changed = loan.registers;
  const uint64_t code = loan.at + sizeof kStubMarker;
  patcher_->prepare_syscall(changed, code + entry, 0, {}); // takes the thread out of an interrupted call
  std::memcpy(changed.data() + patcher_->registers.cursor_offset, &cursor, sizeof cursor);
  TRY(set_registers(loan.tid, changed));
  if (!loan.masked) {
    const uint64_t all = ~signal_bit(loan.signal);
    if (ptrace(PTRACE_SETSIGMASK, loan.tid, kSignalSetSize, &all) != 0)
      return fail(Code::kProcessGone, failed("blocking the signals", pid_));
    loan.masked = true;
  }
  const auto request = static_cast<__ptrace_request>(loan.signal != 0 ? PTRACE_CONT : PTRACE_SYSCALL);
  int signal = 0;
  for (int seen = 0;;) {
    if (ptrace(request, loan.tid, nullptr, signal) != 0)
      return fail(Code::kProcessGone, failed("running a thread", pid_));
    const int status = TRY(wait_briefly(loan.tid));
    signal = 0;
    if (status >> 16 != 0) // a group stop (SIGSTOP cannot be blocked) is taken up again later
      continue;
    const bool at_syscall = WSTOPSIG(status) == kSyscallStop;
    const bool quiet = loan.signal != 0 && WSTOPSIG(status) == int(loan.signal);
    if (!at_syscall && !quiet) {
      signal = WSTOPSIG(status); // only one that the kernel forces reaches this
      continue;
    }
    changed = TRY(registers(loan.tid));
    if (pc(changed) != code + loan.stub.done)
      continue; // somebody else's signal of that kind, which is ignored; an earlier call
    if (quiet)
      break;
    if (++seen == 2) { // behind the call, not at its entry
      TRY(run_until_stop(loan.tid, PTRACE_CONT, false));
      break;
    }
  }
  return load_register(changed, patcher_->registers.cursor_offset);
}

Result<int64_t> Process::one_call(uint64_t number, std::initializer_list<uint64_t> args) {
  Loan& loan = *TRY(borrow());
  if (!loan.has_stub)
    return watched_call(loan, number, {args.begin(), args.size()});
  uint64_t words[7] = {number};
  std::copy(args.begin(), args.end(), words + 1);
  TRY(write(loan.at + sizeof kStubMarker + loan.stub.single_call, {reinterpret_cast<const uint8_t*>(words), sizeof words}));
  return int64_t(TRY(run_stub(loan, loan.stub.single, 0)));
}

// The mask and the registers are put back in a stop that is inside the kernel's signal code; see the
// top of process.h.
Status Process::give_back() {
  if (!loan_)
    return {};
  if (loan_->scratch != 0)
    (void)one_call(SYS_munmap, {loan_->scratch, kScratch});
  const std::unique_ptr<Loan> loan = std::move(loan_);
  const bool lives = std::any_of(threads_.begin(), threads_.end(), [&](const Thread& thread) { return thread.tid == loan->tid; });
  if (!lives)
    return gone();
  if (loan->masked && ptrace(PTRACE_SETSIGMASK, loan->tid, kSignalSetSize, &loan->mask) != 0)
    return fail(Code::kProcessGone, failed("restoring the signal mask", pid_));
  TRY(set_register_sets(loan->tid, loan->more));
  TRY(set_registers(loan->tid, loan->registers));
  if (loan->has_stub && !loan->under_frame.empty())
    TRY(write(loan->stub_frame, loan->under_frame));
  return loan->has_stub ? write(loan->at, loan->under) : Status();
}

// All calls in one go: files are opened, the calls made, files closed. `opened` says which files were.
Result<std::vector<int64_t>> Process::batch(Loan& loan, std::span<const SystemCall> calls, std::span<const SharedFile> files,
                                            std::vector<bool>& opened) {
  constexpr uint64_t kPathSize = 64;
  const size_t count = files.size() + calls.size() + files.size();
  if (count >= kMaxSteps || files.size() * kPathSize > kScratch - kScratchPaths)
    return fail(Code::kInternal, std::to_string(count) + " system calls in one batch");
  std::vector<bpfaot_remote_call> table(count + 1);
  const auto at = [&](size_t index, size_t offset) { return loan.scratch + index * sizeof(bpfaot_remote_call) + offset; };
  constexpr size_t kResult = offsetof(bpfaot_remote_call, result), kArgs = offsetof(bpfaot_remote_call, args);
  for (size_t i = 0; i < count; ++i)
    table[i].more = 1, table[i].copy_from = table[i].copy_to = at(i, kResult);
  std::vector<uint8_t> paths(files.size() * kPathSize);
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(files[i].fd);
    std::memcpy(&paths[i * kPathSize], path.c_str(), path.size() + 1);
    table[i].number = SYS_openat;
    table[i].args[0] = uint64_t(int64_t{AT_FDCWD});
    table[i].args[1] = loan.scratch + kScratchPaths + i * kPathSize;
    table[i].args[2] = uint64_t(O_CLOEXEC | (files[i].writable ? O_RDWR : O_RDONLY));
    const size_t last = files.size() + calls.size() + i;
    table[last].number = SYS_close;
    table[last].copy_from = at(i, kResult);
    table[last].copy_to = at(last, kArgs);
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    bpfaot_remote_call& call = table[files.size() + i];
    call.number = calls[i].number;
    std::copy(calls[i].args.begin(), calls[i].args.end(), call.args);
    if (calls[i].file >= 0) {
      call.copy_from = at(size_t(calls[i].file), kResult);
      call.copy_to = at(files.size() + i, kArgs + 8 * calls[i].file_argument);
    }
  }
  const std::span<uint8_t> bytes{reinterpret_cast<uint8_t*>(table.data()), table.size() * sizeof table[0]};
  if (!paths.empty())
    TRY(write(loan.scratch + kScratchPaths, paths));
  TRY(write(loan.scratch, bytes));
  if (loan.has_stub) {
    TRY(run_stub(loan, loan.stub.batch, loan.scratch));
    TRY(read(loan.scratch, bytes));
  } else {
    for (size_t i = 0; i < count; ++i) {
      if (table[i].copy_from != table[i].copy_to)
        TRY(write_object(table[i].copy_to, table[(table[i].copy_from - loan.scratch) / sizeof table[0]].result));
      const bpfaot_remote_call call = TRY(read_object<bpfaot_remote_call>(at(i, 0)));
      table[i].result = uint64_t(TRY(watched_call(loan, call.number, call.args)));
    }
  }
  std::vector<int64_t> results;
  for (size_t i = 0; i < files.size(); ++i)
    opened.push_back(!is_error(int64_t(table[i].result)));
  for (size_t i = 0; i < calls.size(); ++i)
    results.push_back(int64_t(table[files.size() + i].result));
  return results;
}

Result<std::vector<int64_t>> Process::system_calls(std::span<const SystemCall> calls, std::span<const SharedFile> files) {
  Loan& loan = *TRY(borrow());
  // What the process would find at the path: in another PID namespace it may be somebody else's file.
  const std::string root = "/proc/" + std::to_string(pid_) + "/root" + "/proc/" + std::to_string(getpid()) + "/fd/";
  const bool same = std::all_of(files.begin(), files.end(), [&](const SharedFile& file) {
    struct stat ours {}, theirs {};
    return fstat(file.fd, &ours) == 0 && stat((root + std::to_string(file.fd)).c_str(), &theirs) == 0 &&
           ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
  });
  std::vector<int64_t> results(calls.size());
  std::vector<bool> opened(same ? 0 : files.size());
  std::vector<size_t> again; // calls whose file did not open
  if (same)
    results = TRY(batch(loan, calls, files, opened));
  const bool all = std::all_of(opened.begin(), opened.end(), [](bool is) { return is; });
  if (all)
    return results;
  const std::vector<int> there = TRY(send_by_socket(loan.scratch + kScratchPaths, files));
  std::vector<SystemCall> rest;
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].file >= 0 ? !opened[size_t(calls[i].file)] : !same) {
      SystemCall call = calls[i];
      if (call.file >= 0)
        call.args[call.file_argument] = uint64_t(there[size_t(call.file)]);
      call.file = -1;
      rest.push_back(call);
      again.push_back(i);
    }
  }
  for (const int fd : there) {
    SystemCall call;
    call.number = SYS_close;
    call.args = {uint64_t(fd)};
    rest.push_back(call);
  }
  std::vector<bool> none;
  const std::vector<int64_t> more = TRY(batch(loan, rest, {}, none));
  for (size_t i = 0; i < again.size(); ++i)
    results[again[i]] = more[i];
  return results;
}

// ---- one by one, where there is no stub

// Any system call instruction in executable memory will do: it is entered at and stopped behind. The
// vDSO nearly always has one; it comes first because nobody patches it.
Status Process::find_syscall_insn() {
  auto maps = TRY(read_maps(pid_));
  std::stable_sort(maps.begin(), maps.end(),
                   [](const MapsEntry& a, const MapsEntry& b) { return (a.path == "[vdso]") > (b.path == "[vdso]"); });
  const auto wanted = patcher_->syscall_insn;
  std::vector<uint8_t> bytes;
  for (const MapsEntry& entry : maps) {
    if (!entry.executable || entry.path == "[vsyscall]")
      continue;
    for (uint64_t at = entry.start; at < entry.end; at += 1u << 20) {
      bytes.resize(std::min<uint64_t>(entry.end - at, (1u << 20) + wanted.size() - 1));
      if (Status status = read(at, bytes); !status) {
        if (status.error().code == Code::kProcessGone)
          return status;
        break;
      }
      const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
      if (found != bytes.end()) {
        syscall_insn_ = at + uint64_t(found - bytes.begin());
        return {};
      }
    }
  }
  return fail(Code::kProcessMemory, "process " + std::to_string(pid_) + " has no system call instruction");
}

// Goes on with `request` until a system call stop, or an interrupt stop. On the way to a system call
// stop a group stop (SIGSTOP cannot be blocked) is passed over: the kernel takes it up again when the
// tracer lets go. In a process that is stopped, the interrupt stop carries the stop signal instead of
// SIGTRAP; it is at the same place in the kernel's signal code, so it serves as well.
Status Process::run_until_stop(int tid, int request, bool want_syscall_stop) {
  int signal = 0;
  for (;;) {
    if (!want_syscall_stop) // again each time: any other stop takes it away
      ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    if (ptrace(static_cast<__ptrace_request>(request), tid, nullptr, signal) != 0)
      return fail(Code::kProcessGone, failed("running a thread", pid_));
    const int status = TRY(wait_thread(tid));
    signal = 0;
    if (status >> 16 == kEventStop) {
      if (!want_syscall_stop)
        return {};
      continue;
    }
    if (status >> 16 == 0 && WSTOPSIG(status) == kSyscallStop) {
      if (want_syscall_stop)
        return {};
      continue;
    }
    if (status >> 16 == 0)
      signal = WSTOPSIG(status); // only one that the kernel forces reaches this
  }
}

// Everything is put back after each call, so a tracer that dies in between has done no harm.
Result<int64_t> Process::watched_call(Loan& loan, uint64_t number, std::span<const uint64_t> args) {
  if (syscall_insn_ == 0)
    TRY(find_syscall_insn());
  const uint64_t all = ~uint64_t{0};
  if (ptrace(PTRACE_SETSIGMASK, loan.tid, kSignalSetSize, &all) != 0)
    return fail(Code::kProcessGone, failed("blocking the signals", pid_));
  RegisterBytes changed = loan.registers;
  patcher_->prepare_syscall(changed, syscall_insn_, number, args);
  TRY(set_registers(loan.tid, changed));
  TRY(run_until_stop(loan.tid, PTRACE_SYSCALL, true)); // at its entry
  TRY(run_until_stop(loan.tid, PTRACE_SYSCALL, true)); // at its exit
  const auto result = int64_t(load_register(TRY(registers(loan.tid)), patcher_->registers.result_offset));
  TRY(run_until_stop(loan.tid, PTRACE_CONT, false));
  TRY(set_register_sets(loan.tid, loan.more));
  TRY(set_registers(loan.tid, loan.registers));
  if (ptrace(PTRACE_SETSIGMASK, loan.tid, kSignalSetSize, &loan.mask) != 0)
    return fail(Code::kProcessGone, failed("restoring the signal mask", pid_));
  return result;
}

} // namespace bpfaot::loader
