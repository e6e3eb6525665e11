// SPDX-License-Identifier: MIT
//
// libFuzzer target: code of each machine, decoded, covered, moved and made into trampolines. Nothing
// reads behind the bytes that it is given, and what is answered fits them.
#include "targets/patch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <memory>

using namespace bpfaot::targets;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

// On the heap and exactly as long, so that the sanitizer sees a read behind it.
struct Exact {
  explicit Exact(std::span<const uint8_t> from) : size(from.size()), bytes(new uint8_t[from.size()]) {
    std::copy(from.begin(), from.end(), bytes.get());
  }
  std::span<const uint8_t> span() const { return {bytes.get(), size}; }
  size_t size;
  std::unique_ptr<uint8_t[]> bytes;
};

void check_decode(const Patcher& patcher, std::span<const uint8_t> code, uint64_t pc) {
  for (size_t at = 0; at < code.size();) {
    const auto insn = patcher.decode(code.subspan(at), pc + at);
    require(patcher.padding(code.subspan(at)) <= code.size() - at);
    if (!insn) {
      ++at;
      continue;
    }
    require(insn->length != 0 && insn->length <= code.size() - at);
    // It is the same instruction when nothing follows it, and none when its end is missing.
    const Exact alone(code.subspan(at, insn->length));
    const auto again = patcher.decode(alone.span(), pc + at);
    require(again && again->length == insn->length && again->kind == insn->kind && again->target == insn->target);
    const Exact cut(code.subspan(at, insn->length - 1u));
    const auto less = patcher.decode(cut.span(), pc + at);
    require(!less || less->length < insn->length);
    at += insn->length;
  }
}

void check_move(const Patcher& patcher, std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch scratch) {
  const auto moved = patcher.move(covered, from, to, scratch);
  if (!moved)
    return;
  require(!moved->map.empty() && moved->bytes.size() < 4096);
  for (size_t i = 0; i < moved->map.size(); ++i) {
    require(moved->map[i].from < covered.size() && moved->map[i].to <= moved->bytes.size());
    require(i == 0 || (moved->map[i].from > moved->map[i - 1].from && moved->map[i].to >= moved->map[i - 1].to));
  }
}

void check_trampoline(const Patcher& patcher, const SiteCover& cover, std::span<const uint8_t> original,
                      const uint8_t* control) {
  TrampolineRequest request;
  std::memcpy(&request.pc, control, 8);
  request.pc &= ~uint64_t{4095};
  request.probe_pc = cover.patch_pc;
  request.cover = cover;
  request.original = original;
  for (unsigned i = 0; i < (control[8] & 3u); ++i)
    request.at_entry.push_back({request.pc + 0x10000 + i * 64, request.pc + 0x8000, control[9] * 0x0101010101u,
                                ~uint64_t{0} << control[10] % 64, (control[8] & 16) != 0});
  if (cover.at_entry && (control[8] & 4) != 0)
    request.at_return.push_back({request.pc + 0x20000, request.pc + 0x9000, control[11] * 0x01010101u, 0, false});
  request.sweeps = (control[8] & 8) != 0;
  request.thread_base = request.pc + 0x100000;
  request.thread_capacity_log2 = 10;
  request.support = {request.pc + 0x1000, request.pc + 0x1100, request.pc + 0x1200};
  request.armed = (control[8] & 64) != 0 ? request.pc - 64 : 0;
  request.has_fast_thread_pointer = (control[8] & 32) != 0;
  const auto trampoline = patcher.make_trampoline(request);
  if (!trampoline)
    return;
  require(!trampoline->bytes.empty() && trampoline->bytes.size() < 16384);
  for (const MovedInsn& moved : trampoline->moved)
    require(moved.from < original.size() && moved.to <= trampoline->bytes.size());
  if (trampoline->return_point != 0)
    require(trampoline->return_point - request.pc < trampoline->bytes.size());
}

} // namespace

// 32 bytes that say what is done, then code.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 33 || size > 2048)
    return 0;
  static constexpr uint16_t kMachines[] = {EM_X86_64, EM_AARCH64, EM_RISCV};
  const Patcher* patcher = find_patcher(kMachines[data[0] % 3]);
  if (patcher == nullptr)
    return 0;
  const Exact code({data + 32, size - 32});
  uint64_t pc;
  std::memcpy(&pc, data + 8, 8);
  if ((data[1] & 1) == 0)
    pc = 0x555500000000 + (pc & 0xffff);
  check_decode(*patcher, code.span(), pc);
  const auto branches = patcher->find_long_branches(code.span(), pc);
  for (const LongBranch& branch : branches)
    require(branch.from - pc < code.size);
  if (patcher->find_branches_into != nullptr) { // the quick search misses none of them
    const uint64_t low = pc + data[6], high = low + 16;
    const auto into = patcher->find_branches_into(code.span(), pc, low, high);
    for (const LongBranch& branch : branches)
      if (branch.target >= low && branch.target < high)
        require(std::find(into.begin(), into.end(), branch) != into.end());
  }
  if (patcher->find_branches_into != nullptr) {
    const uint64_t low = pc + data[5], high = low + data[6];
    auto wanted = branches;
    std::erase_if(wanted, [&](const LongBranch& branch) { return branch.target < low || branch.target >= high; });
    require(patcher->find_branches_into(code.span(), pc, low, high) == wanted);
  }

  SiteRequest request;
  request.code = code.span();
  request.pc = pc;
  request.function_size = (data[1] & 2) ? data[2] : code.size;
  request.room = data[3];
  request.at = pc + ((data[1] & 4) ? data[4] : 0);
  request.need = (data[1] & 8) && patcher->short_jump_size != 0 ? patcher->short_jump_size : 0;
  const auto cover = patcher->cover(request);
  if (cover) {
    const uint64_t offset = cover->patch_pc - pc;
    const uint32_t need = request.need != 0 ? request.need : patcher->jump_size;
    require(cover->patch_pc >= request.at && offset < code.size && code.size - offset >= cover->size);
    require(cover->size >= need && !cover->starts.empty() && cover->starts[0] == 0 && cover->starts.back() < cover->size);
    const Exact original(code.span().subspan(offset, cover->size));
    check_move(*patcher, original.span(), cover->patch_pc, cover->patch_pc + (1u << 20), cover->scratch);
    uint64_t to;
    std::memcpy(&to, data + 16, 8);
    check_move(*patcher, original.span(), cover->patch_pc, to, cover->scratch);
    check_trampoline(*patcher, *cover, original.span(), data + 16);
    const auto jump = patcher->encode_jump(cover->patch_pc, to, cover->scratch);
    require(!jump || jump->size() == patcher->jump_size);
    if (jump && patcher->jump_target != nullptr)
      require(patcher->jump_target(*jump, cover->patch_pc) == to);
  }
  check_move(*patcher, code.span().subspan(0, std::min<size_t>(code.size, 40)), pc, pc + (data[5] * 4096), {});
  return 0;
}
