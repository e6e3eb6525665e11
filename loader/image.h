// SPDX-License-Identifier: MIT
//
// A probe image that has been checked. open_image() copies the file into sealed memory, so that
// nobody can change it afterwards, and checks that copy completely before anyone maps a byte of it:
// digest, machine, ABI, every offset, count, string and type of the descriptor, the segments and the
// relocations. Behind an Image all indices are in range, types are acyclic and names are printable.
#pragma once

#include "loader/elf.h"
#include "loader/value_text.h"
#include "support/files.h"
#include "support/result.h"

#include "bpfaot/abi.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

constexpr uint64_t kMaxImageSize = 64u << 20;  // of the file
constexpr uint64_t kMaxImageSpan = 128u << 20; // of its memory
constexpr uint32_t kMaxTypeDepth = 32;

enum class ImageUse : uint8_t {
  inspect, // info: any machine, any CPU
  run,     // this machine and this CPU
};

struct ImageSegment {
  uint64_t vaddr = 0; // page aligned, from the lowest segment's page
  uint64_t size = 0;  // page multiple, memory
  uint64_t offset = 0, file_size = 0; // of the file bytes, which start at vaddr + skew
  uint64_t skew = 0;
  bool writable = false, executable = false;
};

struct ImageRelocation { // *(uint64_t *)(base + where) = base + addend
  uint64_t where = 0;
  uint64_t addend = 0;
};

class Image {
public:
  const std::string& path() const { return path_; }
  std::string name() const; // base name without directories
  std::span<const uint8_t> bytes() const { return {map_.data(), map_.size()}; }
  int fd() const { return fd_.get(); } // the sealed copy
  const ElfView& elf() const { return *elf_; }

  const bpfaot_desc& desc() const { return desc_; }
  std::span<const bpfaot_program> programs() const { return programs_; }
  std::span<const bpfaot_map> maps() const { return maps_; }
  std::span<const bpfaot_variable> variables() const { return variables_; }
  std::span<const bpfaot_type> types() const { return types_; }
  std::span<const bpfaot_member> members(const bpfaot_type& type) const;
  std::span<const bpfaot_enumerator> enumerators(const bpfaot_type& type) const;
  std::span<const bpfaot_event> events() const { return events_; }
  std::span<const uint32_t> helpers() const { return helpers_; }
  std::span<const bpfaot_map_value> map_values() const { return map_values_; }
  std::string_view string(uint32_t offset) const;
  TypeTables type_tables() const; // valid while the image lives
  std::span<const uint8_t> initial(const bpfaot_map& map) const;

  // [program-unknown], [map-unknown]: names the nearest.
  Result<uint32_t> find_program(std::string_view name) const;
  Result<uint32_t> find_map(std::string_view name) const;

  // Layout in memory. All addresses are relative to the base at which the image is mapped.
  std::span<const ImageSegment> segments() const { return segments_; }
  std::span<const ImageRelocation> relocations() const { return relocations_; }
  uint64_t span() const { return span_; }   // bytes of address space, page multiple
  uint64_t align() const { return align_; } // of the base
  uint64_t desc_address() const { return desc_address_; }
  uint64_t rt_address() const { return desc_address_ + static_cast<uint64_t>(desc_.rt_off); }
  uint64_t entry_address(const bpfaot_program& program) const {
    return desc_address_ + static_cast<uint64_t>(program.entry_off);
  }
  bool is_foreign() const; // for another machine than this one

private:
  friend Result<Image> open_image(const std::string& path, ImageUse use);
  friend Result<Image> open_image_bytes(std::string path, std::span<const uint8_t> bytes, ImageUse use);
  friend Result<Image> open_sealed_image(std::string path, UniqueFd fd);

  static Result<Image> check(Image image, ImageUse use);
  Status read_copy(std::span<const uint8_t> bytes);
  Status read_sealed(UniqueFd fd);
  Status map_copy(uint64_t size);
  Status check_note(ImageUse use);
  Status read_descriptor();
  Status check_digest() const;
  Status read_tables();
  Status check_layout();
  Status check_relocations();
  Status check_entries() const;
  Status check_strings() const;
  Status check_types() const;
  Status check_maps() const;
  Status check_cpu() const;
  template <class T>
  Status read_table(const char* what, const bpfaot_table& table, std::vector<T>* out) const;
  Failure damaged(std::string what) const;

  std::string path_;
  UniqueFd fd_;
  Mapping map_;
  std::unique_ptr<ElfView> elf_;
  uint64_t desc_vaddr_ = 0;    // as linked
  uint64_t desc_address_ = 0;  // from the base
  uint64_t link_base_ = 0;
  std::span<const uint8_t> desc_bytes_; // total_size
  bpfaot_desc desc_{};
  std::vector<bpfaot_program> programs_;
  std::vector<bpfaot_map> maps_;
  std::vector<bpfaot_variable> variables_;
  std::vector<bpfaot_type> types_;
  std::vector<bpfaot_member> members_;
  std::vector<bpfaot_enumerator> enumerators_;
  std::vector<bpfaot_event> events_;
  std::vector<uint32_t> helpers_;
  std::vector<bpfaot_map_value> map_values_;
  std::vector<ImageSegment> segments_;
  std::vector<ImageRelocation> relocations_;
  uint64_t span_ = 0, align_ = 0;
};

// [io] [elf-format] [image-format] [image-abi-newer] [image-machine] [image-damaged] [image-cpu]
Result<Image> open_image(const std::string& path, ImageUse use = ImageUse::run);
// The same from memory; `path` is only its name in messages.
Result<Image> open_image_bytes(std::string path, std::span<const uint8_t> bytes,
                               ImageUse use = ImageUse::run);
// The same from the sealed copy of another Image, to run it; [image-format] when it is not sealed.
Result<Image> open_sealed_image(std::string path, UniqueFd fd);

} // namespace bpfaot::loader
