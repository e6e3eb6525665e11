// SPDX-License-Identifier: MIT
//
// libFuzzer target: a hostile process. The input is a file that it has mapped; what its memory and
// its maps say is derived from the input too: mostly what the file says, here and there not.
#include "loader/plan.h"
#include "tests/fuzz/mutate.h"

#include <cstdlib>
#include <unistd.h>

using namespace bpfaot;
using namespace bpfaot::loader;

namespace {

std::string own_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  return {path, length > 0 ? static_cast<size_t>(length) : 0};
}

uint64_t hash_of(std::span<const uint8_t> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

class Memory : public AddressSpace {
public:
  Memory(const ElfView& elf, uint64_t bias, uint64_t seed) : elf_(elf), bias_(bias), random_(static_cast<unsigned>(seed)) {}
  int pid() const override { return getpid(); }
  Status read(uint64_t address, std::span<uint8_t> out) override {
    if (random_() % 64 == 0)
      return fail(Code::kProcessMemory, "gone");
    const auto bytes = elf_.at(address - bias_, out.size());
    std::fill(out.begin(), out.end(), uint8_t{0});
    std::copy(bytes.begin(), bytes.end(), out.begin());
    if (random_() % 16 == 0 && !out.empty())
      out[random_() % out.size()] ^= static_cast<uint8_t>(random_());
    return {};
  }
  Status write(uint64_t, std::span<const uint8_t>) override { std::abort(); } // planning only reads
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall>, std::span<const SharedFile>) override {
    std::abort();
  }

private:
  const ElfView& elf_;
  uint64_t bias_;
  std::minstd_rand random_;
};

std::vector<MapsEntry> maps_of(const ElfView& elf, uint64_t bias, std::minstd_rand& random) {
  std::vector<MapsEntry> maps;
  for (const ElfSegment& segment : elf.segments()) {
    if (segment.type != PT_LOAD || maps.size() >= 16)
      continue;
    MapsEntry entry;
    entry.start = (segment.vaddr & ~uint64_t{4095}) + bias;
    entry.end = ((segment.vaddr + segment.mem_size + 4095) & ~uint64_t{4095}) + bias;
    entry.offset = segment.offset & ~uint64_t{4095};
    entry.readable = true;
    entry.writable = (segment.flags & PF_W) != 0;
    entry.executable = (segment.flags & PF_X) != 0;
    entry.inode = 77;
    entry.path = own_path();
    if (random() % 32 == 0)
      entry.offset += 4096;
    if (random() % 32 == 0)
      entry.end = entry.start + 4096;
    maps.push_back(entry);
  }
  return maps;
}

void ask(const ElfView& elf) {
  (void)elf.soname();
  (void)elf.needed();
  (void)elf.interpreter();
  (void)elf.build_id();
  size_t count = 0;
  elf.for_each_note([&](const ElfNote& note) {
    if (!note.desc.empty() && (note.desc.data() < elf.bytes().data() ||
                               note.desc.data() + note.desc.size() > elf.bytes().data() + elf.bytes().size()))
      std::abort();
    return ++count < 100;
  });
  (void)elf.function_at(elf.entry());
  (void)elf.vaddr_of_offset(elf.entry());
  (void)elf.offset_of_vaddr(elf.entry());
  (void)unwind_extent(elf, elf.entry());
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return fuzz::mutate_elf(data, size, max_size, seed, [](const fuzz::Section&) { return true; });
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > (64u << 10))
    return 0;
  const std::span<const uint8_t> bytes(data, size);
  const auto elf = ElfView::open(bytes);
  if (!elf)
    return 0;
  ask(*elf);
  const uint64_t seed = hash_of(bytes);
  std::minstd_rand random(static_cast<unsigned>(seed));
  const targets::Patcher* patcher = targets::find_patcher(elf->machine());
  if (patcher == nullptr)
    patcher = targets::find_patcher(EM_X86_64);
  const uint64_t bias = elf->is_position_independent() ? 0x555555550000 + (seed & 0xfff000) : 0;
  Memory memory(*elf, bias, seed);
  Modules modules = Modules::make(getpid(), maps_of(*elf, bias, random), [&](const MapsEntry&) {
    Result<FileCopy> copy = make_room(bytes.size());
    if (copy)
      std::copy(bytes.begin(), bytes.end(), copy->bytes.begin());
    return copy;
  });
  std::vector<ProbeWish> wishes;
  const std::string path = own_path();
  const auto wish = [&](std::string symbol, uint64_t offset, bool is_return) {
    ProbeWish one;
    one.spec.program = "p";
    one.spec.path = path;
    one.spec.symbol = std::move(symbol);
    one.spec.offset = offset;
    one.spec.is_return = is_return;
    wishes.push_back(std::move(one));
  };
  elf->for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.type == 2 || symbol.type == 10 || random() % 8 == 0) {
      wish(std::string(symbol.name), 0, random() % 2 == 0);
      if (random() % 4 == 0)
        wish(std::string(symbol.name), random() % 24, false);
    }
    return wishes.size() < 24;
  });
  wish("", elf->offset_of_vaddr(elf->entry()).value_or(0), false);
  wish("no_such_function", 0, false);
  const Plan plan = make_plan(memory, modules, *patcher, wishes);
  if (plan.rows.size() != wishes.size())
    std::abort();
  for (const PlannedSite& site : plan.sites)
    if (site.original.size() != site.cover.size || site.cover.patch_pc < site.address ||
        (site.gap != 0 && site.gap_bytes.size() < patcher->jump_size))
      std::abort();
  (void)print_plan(plan, {"p"});
  JsonWriter json;
  write_plan(json, plan, {"p"});
  (void)find_hole(modules.maps(), 65536, 0, UINT64_MAX, bias + elf->entry());
  return 0;
}
