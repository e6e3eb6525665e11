// SPDX-License-Identifier: MIT
//
// The promises of docs/abi.md, read off the finished file: what a loader of any kind may rely on
// when it maps an image into a process that never asked for one. Always run by the driver, so an
// image that breaks a promise is never written.
#include "linker/descriptor.h"
#include "linker/linker.h"

#include "support/sha256.h"

#include <algorithm>

namespace bpfaot::linker {
namespace {

Failure broken(std::string what) {
  return fail(Code::kLayout, std::move(what));
}

Status check_header(const targets::Target& target, const ElfView& elf) {
  const Elf64_Ehdr& header = elf.header();
  if (header.e_type != ET_DYN)
    return broken("the image is not a shared object");
  if (header.e_machine != target.e_machine)
    return broken("the image is for machine " + std::to_string(header.e_machine));
  if (header.e_flags != target.e_flags)
    return broken("the image has e_flags " + std::to_string(header.e_flags));
  return {};
}

Status check_load(const targets::Target& target, const Elf64_Phdr& segment) {
  if ((segment.p_flags & PF_W) != 0 && (segment.p_flags & PF_X) != 0)
    return broken("a segment is writable and executable");
  if ((segment.p_vaddr - segment.p_offset) % target.page_size != 0)
    return broken("a segment is not laid out for pages of " + std::to_string(target.page_size));
  return {};
}

Status check_segments(const targets::Target& target, const ElfView& elf) {
  bool stack = false;
  uint64_t end = 0; // first page after the segments so far
  for (const Elf64_Phdr& segment : elf.segments()) {
    switch (segment.p_type) {
    case PT_LOAD: {
      TRY(check_load(target, segment));
      const uint64_t page = segment.p_vaddr / target.page_size;
      if (page < end)
        return broken("two segments share a page");
      end = (segment.p_vaddr + segment.p_memsz + target.page_size - 1) / target.page_size;
      break;
    }
    case PT_GNU_STACK:
      stack = true;
      if ((segment.p_flags & PF_X) != 0)
        return broken("the image asks for an executable stack");
      break;
    case PT_PHDR:
    case PT_DYNAMIC:
    case PT_NOTE:
    case PT_RISCV_ATTRIBUTES: break;
    default: return broken("the image has a segment of type " + std::to_string(segment.p_type));
    }
  }
  if (!stack)
    return broken("the image does not say that its stack is not executable");
  return {};
}

Status check_dynamic(const ElfView& elf) {
  for (const Elf64_Dyn& entry : elf.dynamic())
    switch (entry.d_tag) {
    case DT_NEEDED: return broken("the image needs another library");
    case DT_TEXTREL: return broken("the image has text relocations");
    case DT_INIT:
    case DT_FINI:
    case DT_INIT_ARRAY:
    case DT_FINI_ARRAY:
    case DT_PREINIT_ARRAY: return broken("the image has constructors or destructors");
    case DT_RPATH:
    case DT_RUNPATH: return broken("the image has a search path");
    case DT_JMPREL:
    case DT_REL: return broken("the image has relocations of another table than DT_RELA");
    case DT_FLAGS:
      if ((entry.d_un.d_val & (DF_TEXTREL | DF_STATIC_TLS)) != 0)
        return broken("the image's flags ask for text relocations or static TLS");
      break;
    default: break;
    }
  return {};
}

Status check_relocations(const targets::Target& target, const ElfView& elf) {
  const uint64_t table = elf.dynamic_value(DT_RELA).value_or(0);
  const uint64_t size = elf.dynamic_value(DT_RELASZ).value_or(0);
  for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
    const auto offset = elf.file_offset(table + at, sizeof(Elf64_Rela));
    const auto rela = offset ? elf.read_at<Elf64_Rela>(*offset) : std::nullopt;
    if (!rela)
      return broken("a relocation lies outside the image");
    const auto allowed = target.allowed_dynamic_relocations;
    if (std::find(allowed.begin(), allowed.end(), ELF64_R_TYPE(rela->r_info)) == allowed.end())
      return broken("the image has a dynamic relocation of type " +
                    std::to_string(ELF64_R_TYPE(rela->r_info)));
  }
  return {};
}

Status check_symbols(const ElfView& elf) {
  bool exported = false;
  for (const auto& [name, symbol] : TRY(elf.dynamic_symbols())) {
    if (symbol.st_shndx == SHN_UNDEF)
      return broken("the image has the undefined symbol " + name);
    if (name != BPFAOT_DESC_SYMBOL)
      return broken("the image exports " + name);
    exported = true;
  }
  if (!exported)
    return broken("the image does not export " BPFAOT_DESC_SYMBOL);
  return {};
}

// The descriptor's own places: constant data is constant, the runtime block is alone on its pages,
// entries are code.
Status check_places(const targets::Target& target, const ElfView& elf,
                    const DescriptorPlace& place) {
  const Elf64_Phdr* home = elf.load_of(place.address, place.desc.total_size);
  if (home == nullptr || (home->p_flags & (PF_W | PF_X)) != 0)
    return broken("the descriptor is not in read-only data");
  if (place.address % 8 != 0)
    return broken("the descriptor is not aligned");
  const uint64_t rt = place.address + static_cast<uint64_t>(place.desc.rt_off);
  const Elf64_Phdr* writable = elf.load_of(rt, place.desc.rt_size);
  if (writable == nullptr || (writable->p_flags & PF_W) == 0)
    return broken("the runtime block is not in writable memory");
  if (rt % target.page_size != 0 ||
      writable->p_vaddr + writable->p_memsz != rt + place.desc.rt_size)
    return broken("the runtime block does not have its pages for itself");
  for (uint32_t i = 0; i < place.desc.programs.count; ++i) {
    const auto program = elf.read_at<bpfaot_program>(place.offset + place.desc.programs.off +
                                                     uint64_t{i} * place.desc.programs.entry_size);
    const Elf64_Phdr* code =
        program ? elf.load_of(place.address + static_cast<uint64_t>(program->entry_off), 1)
                : nullptr;
    if (code == nullptr || (code->p_flags & PF_X) == 0)
      return broken("the entry of program " + std::to_string(i) + " is not in code");
  }
  return {};
}

Status check_digest(std::span<const uint8_t> image, const DescriptorPlace& place) {
  std::vector<uint8_t> copy(image.begin(), image.end());
  std::memset(copy.data() + place.offset + offsetof(bpfaot_desc, image_digest), 0,
              sizeof(place.desc.image_digest));
  std::memset(copy.data() + place.offset + offsetof(bpfaot_desc, signature), 0,
              sizeof(place.desc.signature));
  const Digest digest = sha256(copy);
  if (!std::equal(digest.begin(), digest.end(), place.desc.image_digest))
    return broken("the digest does not fit the image");
  if (place.desc.file_size != image.size())
    return broken("the descriptor names another file size");
  return {};
}

} // namespace

Status check_layout(const targets::Target& target, std::span<const uint8_t> image) {
  const ElfView elf = TRY(ElfView::create(image));
  TRY(check_header(target, elf));
  TRY(check_segments(target, elf));
  TRY(check_dynamic(elf));
  TRY(check_relocations(target, elf));
  TRY(check_symbols(elf));
  const DescriptorPlace place = TRY(find_descriptor(elf));
  TRY(check_places(target, elf, place));
  return check_digest(image, place);
}

} // namespace bpfaot::linker
