// SPDX-License-Identifier: MIT
//
// What is known only when everything else is written: sizes, worst-case stacks, and the digest,
// which is taken over the whole file with its own field and the signature zero.
#include "linker/descriptor.h"
#include "linker/linker.h"

#include "support/sha256.h"

#include <algorithm>

namespace bpfaot::linker {
namespace {

constexpr char kNoteName[] = BPFAOT_NOTE_NAME; // 7 bytes with the terminator, padded to 8

Failure bad(std::string what) {
  return fail(Code::kLayout, std::move(what));
}

template <class T> void put(std::vector<uint8_t>& image, uint64_t offset, const T& value) {
  std::memcpy(image.data() + offset, &value, sizeof(T));
}

} // namespace

Result<DescriptorPlace> find_descriptor(const ElfView& elf) {
  const Elf64_Phdr* note = nullptr;
  for (const Elf64_Phdr& segment : elf.segments())
    if (segment.p_type == PT_NOTE) {
      if (note != nullptr)
        return bad("the image has more than one note segment");
      note = &segment;
    }
  if (note == nullptr)
    return bad("the image has no note");
  const auto head = elf.read_at<Elf64_Nhdr>(note->p_offset);
  char name[8] = {};
  const auto name_bytes = elf.read_at<std::array<char, 8>>(note->p_offset + sizeof(Elf64_Nhdr));
  if (!head || !name_bytes || head->n_namesz != sizeof(kNoteName) ||
      head->n_type != BPFAOT_NOTE_TYPE || head->n_descsz < sizeof(bpfaot_note))
    return bad("the image's note is not of the documented form");
  std::memcpy(name, name_bytes->data(), sizeof(name));
  if (std::memcmp(name, kNoteName, sizeof(kNoteName)) != 0)
    return bad("the image's note has another name");
  const uint64_t at = sizeof(Elf64_Nhdr) + 8;
  const auto content = elf.read_at<bpfaot_note>(note->p_offset + at);
  if (!content || content->abi_version != BPFAOT_ABI_VERSION ||
      content->machine != elf.header().e_machine)
    return bad("the image's note names another machine or ABI");
  DescriptorPlace place{};
  place.address = note->p_vaddr + at + offsetof(bpfaot_note, desc_off) +
                  static_cast<uint64_t>(content->desc_off);
  const auto offset = elf.file_offset(place.address, sizeof(bpfaot_desc));
  if (!offset)
    return bad("the note points outside the image");
  place.offset = *offset;
  place.desc = *elf.read_at<bpfaot_desc>(*offset);
  if (std::memcmp(place.desc.magic, BPFAOT_MAGIC, sizeof(place.desc.magic)) != 0 ||
      place.desc.size != sizeof(bpfaot_desc) ||
      !elf.file_offset(place.address, place.desc.total_size))
    return bad("the descriptor is damaged");
  return place;
}

Status finalise(std::vector<uint8_t>& image, std::span<const uint32_t> program_stacks) {
  const ElfView elf = TRY(ElfView::create(image));
  DescriptorPlace place = TRY(find_descriptor(elf));
  const bpfaot_table& programs = place.desc.programs;
  if (programs.count != program_stacks.size() || programs.entry_size != sizeof(bpfaot_program) ||
      uint64_t{programs.off} + uint64_t{programs.count} * sizeof(bpfaot_program) >
          place.desc.total_size)
    return bad("the program table does not fit the programs");
  place.desc.file_size = image.size();
  place.desc.stack_bytes = 0;
  for (uint32_t i = 0; i < programs.count; ++i) {
    const uint64_t entry = place.offset + programs.off + uint64_t{i} * sizeof(bpfaot_program);
    put(image, entry + offsetof(bpfaot_program, stack_bytes), program_stacks[i]);
    place.desc.stack_bytes = std::max(place.desc.stack_bytes, program_stacks[i]);
  }
  std::fill(std::begin(place.desc.image_digest), std::end(place.desc.image_digest), uint8_t{0});
  put(image, place.offset, place.desc);
  const Digest digest = sha256(image);
  put(image, place.offset + offsetof(bpfaot_desc, image_digest), digest);
  return {};
}

} // namespace bpfaot::linker
