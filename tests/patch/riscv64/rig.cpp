// SPDX-License-Identifier: MIT
#include "tests/patch/riscv64/rig.h"

#include "targets/support_code.h"
#include "tests/unit/targets/code_files.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" void program_entry();
extern "C" uint8_t v_gaps[];

namespace rig {

using namespace bpfaot;
using targets::riscv64::kPatcher;

std::vector<Seen> g_seen;
int g_failures = 0;

namespace {

constexpr size_t kAreaSize = 4 << 20, kCapacityLog2 = 4;
std::vector<uint8_t> g_file;
uint8_t* g_area;
uint64_t g_next;
uint8_t* g_threads;
bpfaot_thread_table g_table;
bpfaot_process g_process;

uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

void* map(uint64_t where, size_t size, int protection) {
  void* got = mmap(reinterpret_cast<void*>(where), size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED || (where != 0 && address(got) != where)) {
    std::perror("mmap");
    std::exit(2);
  }
  return got;
}

} // namespace

extern "C" void record(uint64_t* ctx) {
  Seen seen;
  std::memcpy(seen.ctx, ctx, sizeof seen.ctx);
  seen.site = ctx[-1];
  g_seen.push_back(seen);
}

void check(bool ok, const char* what, const std::string& subject) {
  if (!ok && ++g_failures <= 40) {
    std::printf("FAILED %s: %s\n", what, subject.c_str());
  }
}

Function find(const char* name) {
  Elf64_Ehdr header;
  std::memcpy(&header, g_file.data(), sizeof header);
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(&g_file[header.e_shoff]);
  for (int i = 0; i < header.e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) {
      continue;
    }
    const char* strings = reinterpret_cast<const char*>(&g_file[sections[sections[i].sh_link].sh_offset]);
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(&g_file[sections[i].sh_offset]);
    for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; ++k) {
      if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC && std::strcmp(strings + symbols[k].st_name, name) == 0) {
        return {symbols[k].st_value, symbols[k].st_size};
      }
    }
  }
  std::printf("no function %s\n", name);
  std::exit(2);
}

Probe::Probe(const Function& function, uint64_t offset, unsigned mode, bool through_gap) {
  const uint64_t at = function.address + offset;
  const std::span<const uint8_t> code(reinterpret_cast<const uint8_t*>(function.address), function.size + 8);
  Result<targets::SiteCover> cover =
      kPatcher.cover({code, function.address, function.size, 0, at, through_gap ? kPatcher.short_jump_size : 0});
  if (!cover) {
    refusal_ = code_text(cover.error().code);
    return;
  }
  cover_ = *cover;
  targets::TrampolineRequest request;
  request.pc = g_next;
  request.probe_pc = at;
  request.cover = cover_;
  const auto* bytes = reinterpret_cast<const uint8_t*>(cover_.patch_pc);
  request.original = {bytes, cover_.size};
  const auto program = [&](uint64_t site) {
    return targets::ProbeCall{address(reinterpret_cast<void*>(&program_entry)), site, ~0ull, ~0ull, true};
  };
  if ((mode & kEntry) != 0) {
    request.at_entry = {program(kEntrySite)};
  }
  if ((mode & kReturn) != 0) {
    request.at_return = {program(kReturnSite)};
  }
  request.sweeps = (mode & kSweeps) != 0;
  request.thread_base = address(g_threads);
  request.thread_capacity_log2 = kCapacityLog2;
  request.support = kPatcher.support().at(address(g_area) + BPFAOT_ARENA_SUPPORT);
  request.has_fast_thread_pointer = true;
  request.armed = address(&arena().armed);
  Result<targets::Trampoline> made = kPatcher.make_trampoline(request);
  if (!made) {
    refusal_ = code_text(made.error().code);
    return;
  }
  trampoline_ = *made;
  std::memcpy(reinterpret_cast<void*>(g_next), made->bytes.data(), made->bytes.size());
  __builtin___clear_cache(reinterpret_cast<char*>(g_next), reinterpret_cast<char*>(g_next) + made->bytes.size());
  Result<std::vector<uint8_t>> jump = kPatcher.encode_jump(through_gap ? address(v_gaps) : cover_.patch_pc, request.pc, cover_.scratch);
  if (jump && through_gap) {
    std::memcpy(v_gaps, jump->data(), jump->size());
    __builtin___clear_cache(reinterpret_cast<char*>(v_gaps), reinterpret_cast<char*>(v_gaps) + jump->size());
    jump = kPatcher.encode_short_jump(cover_.patch_pc, address(v_gaps));
  }
  if (!jump) {
    refusal_ = code_text(jump.error().code);
    return;
  }
  g_next = (g_next + made->bytes.size() + 31) & ~31ull;
  if (g_next > address(g_area) + kAreaSize - 8192) { // the oldest are long gone
    g_next = address(g_area) + 65536;
  }
  original_.assign(bytes, bytes + jump->size());
  write(*jump);
}

void Probe::write(const std::vector<uint8_t>& bytes) {
  auto* to = reinterpret_cast<char*>(cover_.patch_pc);
  std::memcpy(to, bytes.data(), bytes.size());
  __builtin___clear_cache(to, to + bytes.size());
}

Probe::~Probe() {
  if (planted()) {
    write(original_);
  }
}

bpfaot_arena& arena() { return *reinterpret_cast<bpfaot_arena*>(g_area); }
bpfaot_process& process() { return g_process; }
bpfaot_thread_table& table() { return g_table; }

uint32_t depth() {
  uint64_t key = 0;
  asm("mv %0, tp" : "=r"(key));
  for (size_t i = 0; i < 1u << kCapacityLog2; ++i) {
    const auto* thread = reinterpret_cast<bpfaot_thread*>(g_threads) + i;
    if (thread->key == key) {
      return thread->depth;
    }
  }
  return 0;
}

void set_up(const char* program) {
  g_file = targets::read_whole(program);
  g_area = static_cast<uint8_t*>(map(0x20000000, kAreaSize, PROT_READ | PROT_WRITE | PROT_EXEC));
  g_threads = static_cast<uint8_t*>(map(0, sizeof(bpfaot_thread) * ((1 << kCapacityLog2) + 1), PROT_READ | PROT_WRITE));
  g_table = {sizeof g_table, kCapacityLog2, sizeof(bpfaot_thread), address(g_threads), 0, {}};
  bpfaot_arena& control = arena();
  control.table = address(&g_table);
  control.process = address(&g_process);
  pthread_attr_t attributes;
  void* stack = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &size);
  control.main_stack = {address(stack), address(stack) + size};
  control.may_call_system = 1;
  control.has_fast_thread_pointer = 1;
  control.range_count = 1;
  control.ranges[0] = {address(g_area), address(g_area) + kAreaSize};
  const targets::SupportCode support = kPatcher.support();
  std::memcpy(g_area + BPFAOT_ARENA_SUPPORT, support.bytes.data(), support.bytes.size());
  g_next = address(g_area) + 65536;
  // The whole text becomes writable.
  Elf64_Ehdr header;
  std::memcpy(&header, g_file.data(), sizeof header);
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(&g_file[header.e_phoff]);
  for (int i = 0; i < header.e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X) != 0) {
      const uint64_t low = segments[i].p_vaddr & ~4095ull, high = (segments[i].p_vaddr + segments[i].p_memsz + 4095) & ~4095ull;
      if (mprotect(reinterpret_cast<void*>(low), high - low, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
        std::perror("mprotect");
        std::exit(2);
      }
    }
  }
}

} // namespace rig
