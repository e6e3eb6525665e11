// SPDX-License-Identifier: MIT
//
// Checks of the image as memory: segments that can be mapped anywhere with W^X, relocations that
// are relative and stay in the writable segment, entries in code, the runtime block in writable
// memory, CPU features that exist.
#include "loader/image.h"

#include "support/hex.h"
#include "targets/target.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

} // namespace

Status Image::check_layout() {
  const targets::Target& target = *targets::find_machine(elf_->machine());
  if (elf_->type() != ET_DYN)
    return damaged("not a shared object");
  const uint64_t page = 4096;
  align_ = target.page_size;
  link_base_ = elf_->load_base();
  uint64_t last = 0;
  for (const ElfSegment& s : elf_->segments()) {
    if (s.type == PT_INTERP || s.type == PT_TLS)
      return damaged("a probe has no interpreter and no thread-local storage");
    if (s.type == PT_GNU_STACK && (s.flags & PF_X))
      return damaged("the probe asks for an executable stack");
    if (s.type != PT_LOAD || s.mem_size == 0)
      continue;
    if ((s.flags & PF_W) && (s.flags & PF_X))
      return damaged("a segment is writable and executable");
    if (s.file_size > s.mem_size || s.offset > map_.size() ||
        map_.size() - s.offset < s.file_size || s.mem_size > kMaxImageSpan ||
        s.vaddr > kMaxImageSpan + link_base_ || s.vaddr < link_base_)
      return damaged("a segment lies outside the file or is too large");
    if ((s.vaddr - s.offset) % page != 0)
      return damaged("a segment is not on a page border");
    const uint64_t start = (s.vaddr - link_base_) & ~(page - 1);
    const uint64_t end = round_up(s.vaddr - link_base_ + s.mem_size, page);
    if (start < last || end - start > kMaxImageSpan)
      return damaged("segments overlap or are not in order");
    last = end;
    ImageSegment segment;
    segment.vaddr = start;
    segment.size = end - start;
    segment.offset = s.offset;
    segment.file_size = s.file_size;
    segment.skew = s.vaddr - link_base_ - start;
    segment.writable = s.flags & PF_W;
    segment.executable = s.flags & PF_X;
    segments_.push_back(segment);
  }
  if (segments_.empty() || last > kMaxImageSpan)
    return damaged("no segments, or more than " + std::to_string(kMaxImageSpan) + " bytes of them");
  span_ = last;
  desc_address_ = desc_vaddr_ - link_base_;
  for (const ElfDynamic& entry : elf_->dynamic())
    if (entry.tag == DT_NEEDED || entry.tag == DT_TEXTREL || entry.tag == DT_INIT ||
        entry.tag == DT_FINI || entry.tag == DT_INIT_ARRAY || entry.tag == DT_FINI_ARRAY ||
        entry.tag == DT_PREINIT_ARRAY || entry.tag == DT_JMPREL || entry.tag == DT_REL ||
        entry.tag == DT_RELR)
      return damaged("the dynamic section has entry " + std::to_string(entry.tag) +
                     ", which no probe has");
  return check_relocations();
}

Status Image::check_relocations() {
  const targets::Target& target = *targets::find_machine(elf_->machine());
  const auto table = elf_->dynamic_value(DT_RELA);
  if (!table)
    return {};
  const uint64_t size = elf_->dynamic_value(DT_RELASZ).value_or(0);
  const auto bytes = elf_->at(*table, size);
  if (bytes.size() != size || size % sizeof(Elf64_Rela) != 0)
    return damaged("the relocation table does not fit");
  for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
    Elf64_Rela rela;
    std::memcpy(&rela, bytes.data() + at, sizeof rela);
    const auto& allowed = target.allowed_dynamic_relocations;
    const auto type = static_cast<uint32_t>(ELF64_R_TYPE(rela.r_info));
    if (std::find(allowed.begin(), allowed.end(), type) == allowed.end() ||
        ELF64_R_SYM(rela.r_info) != 0)
      return damaged("a relocation of type " + std::to_string(type) + " is not relative");
    const uint64_t where = rela.r_offset - link_base_;
    const auto addend = static_cast<uint64_t>(rela.r_addend) - link_base_;
    const bool fits = std::any_of(segments_.begin(), segments_.end(), [&](const ImageSegment& s) {
      return s.writable && where >= s.vaddr && where - s.vaddr < s.size &&
             s.size - (where - s.vaddr) >= 8;
    });
    if (!fits || addend >= span_)
      return damaged("a relocation lies outside the writable segment");
    relocations_.push_back({where, addend});
  }
  return {};
}

Status Image::check_entries() const {
  for (const bpfaot_program& program : programs_) {
    if (program.kind == BPFAOT_KIND_NONE || program.kind > BPFAOT_KIND_PERF_EVENT)
      return damaged("program '" + std::string(string(program.name)) + "' is of unknown kind " +
                     std::to_string(program.kind));
    const uint64_t entry = entry_address(program);
    const bool in_code =
        std::any_of(segments_.begin(), segments_.end(), [&](const ImageSegment& s) {
          return s.executable && entry >= s.vaddr + s.skew &&
                 entry - s.vaddr - s.skew < s.file_size;
        });
    if (!in_code)
      return damaged("the entry of program '" + std::string(string(program.name)) +
                     "' is not in code");
  }
  const uint64_t needed = sizeof(bpfaot_rt) + maps_.size() * sizeof(bpfaot_map_slot);
  const uint64_t rt = rt_address();
  const bool fits = std::any_of(segments_.begin(), segments_.end(), [&](const ImageSegment& s) {
    return s.writable && rt >= s.vaddr && rt - s.vaddr < s.size &&
           s.size - (rt - s.vaddr) >= desc_.rt_size;
  });
  if (rt % 8 != 0 || desc_.rt_size < needed || !fits)
    return damaged("the runtime block has " + std::to_string(desc_.rt_size) + " bytes, " +
                   std::to_string(needed) + " in writable memory are needed");
  return {};
}

Status Image::check_cpu() const {
  if (desc_.cpu_features == 0) // asking the processor takes time on a virtual machine
    return {};
  const uint64_t missing = desc_.cpu_features & ~targets::host_cpu_features();
  if (missing == 0)
    return {};
  return Failure(make_error(Code::kImageCpu, "the probe needs " +
                                                 targets::feature_names(targets::host(), missing) +
                                                 ", which this processor does not have")
                     .about(path_)
                     .hint("compile it for an older processor with --mcpu, or without --mattr"));
}

} // namespace bpfaot::loader
