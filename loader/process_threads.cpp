// SPDX-License-Identifier: MIT
//
// Where the threads of a held process are: in code that is about to change, or in code of ours that is
// about to go. Registers say where a thread is now; its stack says where it may come back to, by
// returning or from a signal handler. Stacks are searched for any word that looks like such an
// address: too many are found, never too few.
#include "loader/process.h"

#include "support/hex.h"

#include <sys/ptrace.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kDeepest = 4u << 20; // bytes of one stack that are looked at

struct RseqConfiguration { // PTRACE_GET_RSEQ_CONFIGURATION
  uint64_t address;
  uint32_t size, signature, flags, padding;
};
constexpr int kGetRseqConfiguration = 0x420f;

struct CriticalSection { // struct rseq_cs
  uint32_t version, flags;
  uint64_t start, length, abort;
};

} // namespace

// The restartable sequence that the thread is in, as the kernel decides it (kernel/rseq.c).
std::optional<CodeRange> Process::critical_section(int tid, uint64_t& abort) {
  RseqConfiguration configuration{};
  if (ptrace(static_cast<__ptrace_request>(kGetRseqConfiguration), tid, sizeof configuration, &configuration) !=
          long(sizeof configuration) ||
      configuration.address == 0)
    return std::nullopt;
  const Result<uint64_t> pointer = read_object<uint64_t>(configuration.address + 8);
  if (!pointer || *pointer == 0)
    return std::nullopt;
  const Result<CriticalSection> section = read_object<CriticalSection>(*pointer);
  const Result<RegisterBytes> now = registers(tid);
  if (!section || !now || pc(*now) - section->start >= section->length)
    return std::nullopt;
  abort = section->abort;
  return CodeRange{section->start, section->start + section->length};
}

namespace {

// The words of a stack from `sp` up. False: it is deeper than is looked at, or cannot be read.
bool read_stack(AddressSpace& space, const std::vector<MapsEntry>& maps, uint64_t sp, std::vector<uint64_t>& words) {
  const uint64_t from = sp & ~uint64_t{7};
  const MapsEntry* entry = entry_at(maps, from);
  const uint64_t end = entry != nullptr ? entry->end : (from | 4095) + 1;
  const uint64_t size = std::min(end - from, kDeepest);
  words.resize(size / 8);
  if (!space.read(from, {reinterpret_cast<uint8_t*>(words.data()), words.size() * 8})) {
    words.clear();
    return false;
  }
  return entry != nullptr && size == end - from;
}

} // namespace

namespace {

// Where a signal handler was called the kernel has put down the thread's alternate stack (struct stack_t,
// uc_stack of ucontext): on, with the frame in it or elsewhere, or none.
bool is_alternate_stack(const uint64_t* words) {
  constexpr uint64_t kSmallest = 1024, kLargest = 1u << 30;
  constexpr uint32_t kAutoDisarm = 1u << 31, kOnStack = 1;
  return words[2] >= kSmallest && words[2] <= kLargest && (static_cast<uint32_t>(words[1]) & ~(kAutoDisarm | kOnStack)) == 0;
}

bool is_no_alternate_stack(const uint64_t* words) {
  constexpr uint32_t kDisable = 2;
  return words[0] == 0 && words[2] == 0 && (static_cast<uint32_t>(words[1]) & ~kDisable) == 0;
}

// The words of all stacks that a thread may come back to: where its stack pointer is and, while it is in
// handlers on alternate stacks, where that of the interrupted code was. False: not all of them. What looks
// like the pc of code that a handler has interrupted is added to `interrupted`.
bool read_stacks(AddressSpace& space, const std::vector<MapsEntry>& maps, uint64_t sp, const targets::RegisterSet& registers,
                 std::vector<uint64_t>& words, std::vector<uint64_t>* interrupted = nullptr) {
  constexpr size_t kMost = 16;
  constexpr uint64_t kLargestFrame = 1u << 18;
  std::vector<uint64_t> pointers = {sp}, stack;
  std::vector<CodeRange> seen;
  bool whole = true;
  words.clear();
  for (size_t i = 0; i < pointers.size(); ++i) {
    const uint64_t from = pointers[i] & ~uint64_t{7};
    if (std::any_of(seen.begin(), seen.end(), [&](const CodeRange& range) { return from - range.low < range.high - range.low; }))
      continue;
    if (seen.size() == kMost)
      return false;
    whole &= read_stack(space, maps, from, stack);
    seen.push_back({from, from + stack.size() * 8});
    for (size_t k = 0; k + std::max(registers.frame_sp_distance, registers.frame_pc_distance) / 8 < stack.size(); ++k) {
      const bool some = is_alternate_stack(&stack[k]);
      if (!some && !is_no_alternate_stack(&stack[k]))
        continue;
      const uint64_t at = from + k * 8, before = stack[k + registers.frame_sp_distance / 8];
      const bool on_alternate = some && at - stack[k] < stack[k + 2];
      if (on_alternate)
        pointers.push_back(before);
      if (interrupted != nullptr && (on_alternate || before - at < kLargestFrame))
        interrupted->push_back(stack[k + registers.frame_pc_distance / 8]);
    }
    words.insert(words.end(), stack.begin(), stack.end());
  }
  return whole;
}

} // namespace

Result<std::vector<Leave>> Process::leave(std::span<const CoveredCode> codes) {
  TRY(give_back());
  std::vector<Leave> verdicts(codes.size(), Leave::clear);
  struct Move {
    int tid;
    uint64_t to;
    size_t code;
  };
  std::vector<Move> moves;
  const auto inside = [&](const CoveredCode& code, uint64_t address) {
    const uint64_t offset = address - code.address;
    return offset < code.size && (offset != 0 || code.from_start);
  };
  uint64_t low = UINT64_MAX, high = 0;
  for (const CoveredCode& code : codes) {
    low = std::min(low, code.address);
    high = std::max(high, code.address + code.size);
  }
  std::vector<uint64_t> stack;
  for (const Thread& thread : threads_) {
    const RegisterBytes now = TRY(registers(thread.tid));
    const uint64_t where = pc(now);
    uint64_t abort = 0;
    const std::optional<CodeRange> section = critical_section(thread.tid, abort);
    if (entry_at(maps_, sp(now)) == nullptr) // it has grown, or begun, since
      maps_ = TRY(read_maps(pid_));
    (void)read_stacks(*this, maps_, sp(now), patcher_->registers, stack);
    std::erase_if(stack, [&](uint64_t word) { return word < low || word >= high; });
    for (size_t i = 0; i < codes.size(); ++i) {
      const CoveredCode& code = codes[i];
      const auto comes_back = [&](uint64_t word) { return inside(code, word); };
      if (std::any_of(stack.begin(), stack.end(), comes_back) ||
          (section && section->low < code.address + code.size && code.address < section->high)) {
        verdicts[i] = Leave::busy;
        continue;
      }
      if (!inside(code, where))
        continue;
      const auto found = std::find_if(code.moved.begin(), code.moved.end(),
                                      [&](const targets::MovedInsn& insn) { return insn.from == where - code.address; });
      if (found == code.moved.end())
        verdicts[i] = Leave::busy; // in the middle of an instruction: it has jumped there on purpose
      else
        moves.push_back({thread.tid, code.trampoline + found->to, i});
    }
  }
  for (const Move& move : moves) {
    if (verdicts[move.code] == Leave::busy)
      continue;
    RegisterBytes now = TRY(registers(move.tid));
    set_pc(now, move.to);
    TRY(set_registers(move.tid, now));
    verdicts[move.code] = Leave::entered;
  }
  return verdicts;
}

Result<bool> Process::executes(std::span<const CodeRange> ranges) {
  TRY(give_back());
  const auto is_in = [](std::span<const CodeRange> all, uint64_t pc) {
    return std::any_of(all.begin(), all.end(), [&](const CodeRange& range) { return pc - range.low < range.high - range.low; });
  };
  std::vector<CodeRange> called; // by programs: only the stack says whether by them
  for (const MapsEntry& entry : maps_)
    if (entry.path == "[vdso]")
      called.push_back({entry.start, entry.end});
  std::vector<uint64_t> words, pcs;
  for (const Thread& thread : threads_) {
    const RegisterBytes now = TRY(registers(thread.tid));
    pcs = {pc(now)};
    if (!read_stacks(*this, maps_, sp(now), patcher_->registers, words, &pcs))
      return true;
    for (const uint64_t address : pcs)
      if (is_in(ranges, address) || (is_in(called, address) && TRY(refers_to(ranges))))
        return true;
  }
  return false;
}

Result<bool> Process::refers_to(std::span<const CodeRange> ranges) {
  TRY(give_back());
  constexpr uint64_t kAddress = (uint64_t{1} << 48) - 1; // above it a return address may be signed
  uint64_t low = UINT64_MAX, high = 0;
  for (const CodeRange& range : ranges) {
    low = std::min(low, range.low);
    high = std::max(high, range.high);
  }
  const auto is_in = [&](uint64_t word) {
    if (word - low >= high - low && (word & kAddress) - low >= high - low)
      return false; // nearly all of them
    return std::any_of(ranges.begin(), ranges.end(), [&](const CodeRange& range) {
      return word - range.low < range.high - range.low || (word & kAddress) - range.low < range.high - range.low;
    });
  };
  std::vector<uint64_t> words;
  for (const Thread& thread : threads_) {
    const RegisterBytes now = TRY(registers(thread.tid));
    words.resize(now.size() / 8);
    std::memcpy(words.data(), now.data(), words.size() * 8);
    if (std::any_of(words.begin(), words.end(), is_in))
      return true;
    if (!read_stacks(*this, maps_, sp(now), patcher_->registers, words) || std::any_of(words.begin(), words.end(), is_in))
      return true;
  }
  return false;
}

} // namespace bpfaot::loader
