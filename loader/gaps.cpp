// SPDX-License-Identifier: MIT
//
// Two kinds of room: what fills the space between a function and the next one, and the rest of the
// last page behind the file's code, which is mapped and executable and belongs to nothing. Of that page
// the end is taken, since code for system calls may be put at its beginning for a while.
#include "loader/gaps.h"

#include <elf.h>

#include <algorithm>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kLongestPadding = 32;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kFarthest = 1 << 16; // that gaps between functions are looked for

class Search {
public:
  Search(AddressSpace& space, const Modules& modules, const targets::Patcher& patcher, const Module& module,
         const std::vector<PlannedSite>& planned, PlannedSite& site)
      : space_(space), modules_(modules), patcher_(patcher), module_(module), planned_(planned), site_(site),
        vaddr_(site.cover.patch_pc - module.bias()) {}

  bool behind_the_code();
  bool between_functions();

private:
  bool is_free(uint64_t address) const {
    const uint64_t end = address + patcher_.jump_size;
    return std::none_of(planned_.begin(), planned_.end(), [&](const PlannedSite& other) {
      const bool in_gap = other.gap != 0 && address < other.gap + other.gap_bytes.size() && other.gap < end;
      return in_gap || (address < other.cover.patch_pc + other.cover.size && other.cover.patch_pc < end);
    });
  }
  // When memory has there what the file has, and the jump reaches.
  bool take(uint64_t vaddr, std::span<const uint8_t> expected) {
    const uint64_t address = vaddr + module_.bias();
    std::vector<uint8_t> memory(patcher_.jump_size);
    if (!is_free(address) || !patcher_.encode_short_jump(site_.cover.patch_pc, address) ||
        !space_.read(address, memory) || !std::equal(memory.begin(), memory.end(), expected.begin())) {
      return false;
    }
    site_.gap = address;
    site_.gap_bytes = std::move(memory);
    return true;
  }

  AddressSpace& space_;
  const Modules& modules_;
  const targets::Patcher& patcher_;
  const Module& module_;
  const std::vector<PlannedSite>& planned_;
  PlannedSite& site_;
  uint64_t vaddr_;
};

bool Search::behind_the_code() {
  const ElfSegment* code = module_.elf().segment_of(vaddr_);
  if (code == nullptr || code->file_size != code->mem_size) {
    return false;
  }
  const uint64_t end = code->vaddr + code->mem_size;
  const uint64_t page_end = (end + kPage - 1) & ~(kPage - 1);
  for (const ElfSegment& other : module_.elf().segments()) {
    const bool shares = &other != code && other.type == PT_LOAD && other.vaddr < page_end &&
                        other.vaddr + other.mem_size > page_end - kPage;
    if (shares) {
      return false;
    }
  }
  for (uint64_t at = page_end; at >= end + patcher_.jump_size;) {
    at -= patcher_.jump_size;
    std::vector<uint8_t> expected(patcher_.jump_size); // zeros where the file has ended
    const uint64_t offset = code->offset + (at - code->vaddr);
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::span<const uint8_t> byte = module_.elf().at_offset(offset + i, 1);
      expected[i] = byte.empty() ? 0 : byte[0];
    }
    if (take(at, expected)) {
      return true;
    }
  }
  return false;
}

bool Search::between_functions() {
  const ElfView& elf = module_.elf();
  const uint64_t reach = std::min(patcher_.short_reach, kFarthest);
  for (uint64_t at = vaddr_ > reach ? vaddr_ - reach : 0; at < vaddr_ + reach; ++at) {
    // From the end of a function whose extent is known up to the next that begins.
    const std::span<const uint8_t> bytes = elf.at(at, kLongestPadding);
    if (bytes.empty() || patcher_.padding(bytes) == 0 || !elf.is_code(at)) {
      continue;
    }
    const Location before = modules_.at(module_, at - 1);
    if (before.function.size == 0 || before.function.vaddr + before.function.size != at ||
        (before.room != 0 && before.room < before.function.size + patcher_.jump_size)) {
      continue;
    }
    uint64_t filled = 0;
    while (filled < patcher_.jump_size && !unwind_extent(elf, at + filled)) {
      const uint32_t length = patcher_.padding(bytes.subspan(filled));
      const bool nested = length > 1 && unwind_extent(elf, at + filled + length - 1);
      if (length == 0 || nested) {
        break;
      }
      filled += length;
    }
    if (filled >= patcher_.jump_size && take(at, bytes)) {
      return true;
    }
  }
  return false;
}

} // namespace

Status find_gap(AddressSpace& space, const Modules& modules, const targets::Patcher& patcher, const Module& module,
                const std::vector<PlannedSite>& planned, PlannedSite& site) {
  Search search(space, modules, patcher, module, planned, site);
  if (search.behind_the_code() || search.between_functions()) {
    return {};
  }
  return fail(Code::kAttachShort, "no gap for a jump is within reach");
}

} // namespace bpfaot::loader
