// SPDX-License-Identifier: MIT
#include "tests/insn/kernel.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>

namespace bpfaot::tests {
namespace {

UniqueFd load(std::span<const bpf_insn> insns) {
  LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
  return UniqueFd(
      bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "random", "GPL", insns.data(), insns.size(), &options));
}

} // namespace

Result<Kernel> Kernel::create(uint32_t memory_size) {
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "memory", 4, memory_size, 1, nullptr));
  const bpf_insn nothing[] = {{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                              {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  if (!map.valid() || !load(nothing).valid())
    return fail(Code::kIo, std::string("the kernel here loads no programs: ") + strerror(errno));
  return Kernel(std::move(map), memory_size);
}

std::optional<std::vector<conformance::RunResult>>
Kernel::run(std::span<const uint8_t> code, std::span<const uint8_t> inputs) const {
  // r1 = the map's value, r2 = its size, as for bare programs elsewhere.
  std::vector<bpf_insn> insns = {
      {.code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_VALUE, .off = 0, .imm = map_.get()},
      {.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = 0xb7,
       .dst_reg = 2,
       .src_reg = 0,
       .off = 0,
       .imm = static_cast<int32_t>(memory_size_)}};
  const size_t prologue = insns.size();
  insns.resize(prologue + code.size() / sizeof(bpf_insn));
  std::memcpy(insns.data() + prologue, code.data(), code.size());
  const UniqueFd program = load(insns);
  if (!program.valid())
    return std::nullopt;
  std::vector<conformance::RunResult> results;
  std::vector<uint8_t> memory(memory_size_);
  for (size_t at = 0; at + memory_size_ <= inputs.size(); at += memory_size_) {
    const uint32_t key = 0;
    LIBBPF_OPTS(bpf_test_run_opts, options);
    if (bpf_map_update_elem(map_.get(), &key, inputs.data() + at, BPF_ANY) != 0 ||
        bpf_prog_test_run_opts(program.get(), &options) != 0 ||
        bpf_map_lookup_elem(map_.get(), &key, memory.data()) != 0)
      return std::nullopt;
    results.push_back({options.retval, conformance::memory_hash(memory)});
  }
  return results;
}

} // namespace bpfaot::tests
