// SPDX-License-Identifier: MIT
//
// Where the descriptor of an image is: found through the note, as a loader finds it.
#pragma once

#include "linker/elf_view.h"

#include <bpfaot/abi.h>

#include <array>

namespace bpfaot::linker {

struct DescriptorPlace {
  uint64_t address; // in the image's address space
  uint64_t offset;  // in the file
  bpfaot_desc desc;
};

Result<DescriptorPlace> find_descriptor(const ElfView& elf);

} // namespace bpfaot::linker
