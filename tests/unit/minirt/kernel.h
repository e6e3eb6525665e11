// SPDX-License-Identifier: MIT
//
// The kernel's maps from user space (bpf(2)), and from programs: one program per helper and map,
// which makes one call with what it finds in its context and leaves the result there.
#pragma once

#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <cstdint>
#include <linux/bpf.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace bpfaot::test {

inline long bpf_call(int command, bpf_attr& attr) {
  long r = syscall(SYS_bpf, command, &attr, sizeof attr);
  return r < 0 ? -errno : r;
}

class KernelMap {
public:
  KernelMap(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags) {
    bpf_attr attr{};
    attr.map_type = type;
    attr.key_size = key;
    attr.value_size = value;
    attr.max_entries = entries;
    attr.map_flags = flags;
    fd_ = static_cast<int>(bpf_call(BPF_MAP_CREATE, attr));
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
  int take(const void* key, void* value) {
    return elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, value, 0);
  }
  int next_key(const void* key, void* next) { return elem(BPF_MAP_GET_NEXT_KEY, key, next, 0); }

private:
  int elem(int command, const void* key, const void* value, uint64_t flags) {
    bpf_attr attr{};
    attr.map_fd = static_cast<uint32_t>(fd_);
    attr.key = reinterpret_cast<uint64_t>(key);
    attr.value = reinterpret_cast<uint64_t>(value);
    attr.flags = flags;
    return static_cast<int>(bpf_call(command, attr));
  }
  int fd_ = -1;
};

// Context: result (8 bytes), flags or CPU (8), key rounded up to 8, value.
class KernelCall {
public:
  enum Helper {
    lookup = 1, update = 2, remove = 3, push = 87, pop = 88, peek = 89, ring_output = 130,
    ring_query = 134, lookup_percpu = 195
  };

  KernelCall(const KernelMap& map, Helper helper, uint32_t key_size, uint32_t value_size)
      : value_at_(16 + (key_size + 7) / 8 * 8), size_(value_at_ + (value_size + 7) / 8 * 8 + 8) {
    assemble(map.fd(), helper, value_size);
    bpf_attr attr{};
    attr.prog_type = BPF_PROG_TYPE_SYSCALL;
    attr.prog_flags = BPF_F_SLEEPABLE;
    attr.insns = reinterpret_cast<uint64_t>(code_.data());
    attr.insn_cnt = static_cast<uint32_t>(code_.size());
    attr.license = reinterpret_cast<uint64_t>("GPL");
    fd_ = static_cast<int>(bpf_call(BPF_PROG_LOAD, attr));
  }
  ~KernelCall() {
    if (fd_ >= 0)
      close(fd_);
  }
  KernelCall(const KernelCall&) = delete;
  KernelCall& operator=(const KernelCall&) = delete;
  int fd() const { return fd_; }

  // The result; a lookup gives 0 or -ENOENT. `value` is read, or filled in.
  int64_t operator()(const void* key, size_t key_size, uint64_t flags, void* value,
                     size_t value_size) {
    std::string ctx(size_, '\0');
    std::memcpy(ctx.data() + 8, &flags, 8);
    if (key)
      std::memcpy(ctx.data() + 16, key, key_size);
    if (value)
      std::memcpy(ctx.data() + value_at_, value, value_size);
    bpf_attr attr{};
    attr.test.prog_fd = static_cast<uint32_t>(fd_);
    attr.test.ctx_in = reinterpret_cast<uint64_t>(ctx.data());
    attr.test.ctx_size_in = static_cast<uint32_t>(ctx.size());
    if (long r = bpf_call(BPF_PROG_TEST_RUN, attr); r < 0)
      return r;
    int64_t result;
    std::memcpy(&result, ctx.data(), 8);
    if (value)
      std::memcpy(value, ctx.data() + value_at_, value_size);
    return result;
  }

private:
  void insn(int code, int dst, int src, int off, int32_t imm) {
    bpf_insn i{};
    i.code = static_cast<uint8_t>(code);
    i.dst_reg = static_cast<uint8_t>(dst & 15);
    i.src_reg = static_cast<uint8_t>(src & 15);
    i.off = static_cast<int16_t>(off);
    i.imm = imm;
    code_.push_back(i);
  }
  // Keys and values of a map must be on the stack: what the context has from its byte 16 on is
  // copied there, and what a helper may have changed is copied back.
  int on_stack(uint32_t ctx_offset) const {
    return static_cast<int>(ctx_offset) - static_cast<int>(size_);
  }
  void address(int reg, uint32_t ctx_offset) {
    insn(BPF_ALU64 | BPF_MOV | BPF_X, reg, 10, 0, 0);
    insn(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, on_stack(ctx_offset));
  }
  void assemble(int map, Helper helper, uint32_t value_size) {
    const int value = static_cast<int>(value_at_);
    insn(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
    for (uint32_t i = 16; i < size_; i += 8) {
      insn(BPF_LDX | BPF_MEM | BPF_DW, 1, 6, static_cast<int>(i), 0);
      insn(BPF_STX | BPF_MEM | BPF_DW, 10, 1, on_stack(i), 0);
    }
    insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map);
    insn(0, 0, 0, 0, 0);
    switch (helper) {
    case lookup_percpu: insn(BPF_LDX | BPF_MEM | BPF_DW, 3, 6, 8, 0); [[fallthrough]];
    case lookup:
    case remove: address(2, 16); break;
    case update:
      address(2, 16);
      address(3, value_at_);
      insn(BPF_LDX | BPF_MEM | BPF_DW, 4, 6, 8, 0);
      break;
    case push: insn(BPF_LDX | BPF_MEM | BPF_DW, 3, 6, 8, 0); [[fallthrough]];
    case pop:
    case peek: address(2, value_at_); break;
    case ring_output:
      address(2, value_at_);
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, static_cast<int32_t>(value_size));
      insn(BPF_LDX | BPF_MEM | BPF_DW, 4, 6, 8, 0);
      break;
    case ring_query: insn(BPF_LDX | BPF_MEM | BPF_DW, 2, 6, 8, 0); break;
    }
    insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
    if (helper == lookup || helper == lookup_percpu) {
      insn(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 3, 0);
      insn(BPF_ST | BPF_MEM | BPF_DW, 6, 0, 0, -ENOENT);
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
      insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
      int i = 0;
      const auto copy = [&](int width, int bytes) {
        for (; i + bytes <= static_cast<int>(value_size); i += bytes) {
          insn(BPF_LDX | BPF_MEM | width, 1, 0, i, 0);
          insn(BPF_STX | BPF_MEM | width, 6, 1, value + i, 0);
        }
      };
      copy(BPF_DW, 8);
      copy(BPF_W, 4);
      copy(BPF_B, 1);
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
    }
    for (uint32_t i = value_at_; (helper == pop || helper == peek) && i < size_; i += 8) {
      insn(BPF_LDX | BPF_MEM | BPF_DW, 1, 10, on_stack(i), 0);
      insn(BPF_STX | BPF_MEM | BPF_DW, 6, 1, static_cast<int>(i), 0);
    }
    insn(BPF_STX | BPF_MEM | BPF_DW, 6, 0, 0, 0);
    insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
    insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  uint32_t value_at_, size_;
  std::vector<bpf_insn> code_;
  int fd_ = -1;
};

} // namespace bpfaot::test
