// SPDX-License-Identifier: MIT
//
// Probe images made in memory, field by field, so that tests can break any of them. Code is bytes
// of this machine or nothing at all; no compiler is needed.
#pragma once

#include "support/sha256.h"
#include "targets/target.h"

#include <bpfaot/abi.h>
#include <elf.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace bpfaot::loader::test {

class ImageBuilder {
public:
  ImageBuilder() {
    strings_.push_back('\0');
    types.push_back({});
    desc.machine = targets::host().e_machine;
    desc.verdict = 1;
    desc.verifier_version = 1;
    desc.license = text("GPL");
    desc.source_name = text("test.bpf.o");
  }

  uint32_t text(const std::string& value) {
    const auto at = static_cast<uint32_t>(strings_.size());
    strings_.insert(strings_.end(), value.begin(), value.end());
    strings_.push_back('\0');
    return at;
  }
  uint32_t integer(const std::string& name, uint32_t size, uint32_t encoding = 0) {
    return add_type({.kind = BPFAOT_TYPE_INT, .name = text(name), .size = size, .encoding = encoding});
  }
  uint32_t array(uint32_t element, uint32_t count) {
    return add_type({.kind = BPFAOT_TYPE_ARRAY, .size = types[element].size * count,
                     .target = element, .count = count});
  }
  struct Field {
    std::string name;
    uint32_t type;
  };
  uint32_t structure(const std::string& name, const std::vector<Field>& fields) {
    const auto first = static_cast<uint32_t>(members.size());
    uint32_t size = 0;
    for (const Field& field : fields) {
      members.push_back({text(field.name), field.type, size * 8, 0});
      size += types[field.type].size;
    }
    return add_type({.kind = BPFAOT_TYPE_STRUCT, .name = text(name), .size = size,
                     .first = first, .count = static_cast<uint32_t>(fields.size())});
  }
  uint32_t enumeration(const std::string& name, const std::vector<std::pair<std::string, int64_t>>& of) {
    const auto first = static_cast<uint32_t>(enumerators.size());
    for (const auto& [label, value] : of)
      enumerators.push_back({value, text(label), 0});
    return add_type({.kind = BPFAOT_TYPE_ENUM, .name = text(name), .size = 4, .first = first,
                     .count = static_cast<uint32_t>(of.size())});
  }
  uint32_t map(const std::string& name, uint32_t type, uint32_t key, uint32_t value, uint32_t entries) {
    maps.push_back({.name = text(name), .type = type, .key_size = key, .value_size = value,
                    .max_entries = entries, .inner = BPFAOT_NONE});
    return static_cast<uint32_t>(maps.size() - 1);
  }
  // A data section of one variable.
  uint32_t variable(const std::string& name, uint32_t section, uint32_t type,
                    const std::vector<uint8_t>& initial = {}) {
    const uint32_t size = types[type].size;
    const uint32_t index = map("." + name, 2, 4, size, 1);
    maps[index].section = section;
    maps[index].initial = {static_cast<uint32_t>(initial_.size()), static_cast<uint32_t>(initial.size())};
    initial_.insert(initial_.end(), initial.begin(), initial.end());
    variables.push_back({text(name), index, 0, size, type, 0});
    return static_cast<uint32_t>(variables.size() - 1);
  }
  uint32_t program(const std::string& name, uint32_t kind, uint64_t code_offset = 0) {
    programs.push_back({.name = text(name), .section = text("syscall"), .kind = kind,
                        .entry_off = static_cast<int64_t>(code_offset)});
    return static_cast<uint32_t>(programs.size() - 1);
  }

  // The finished file. `change` may edit the bytes before the digest is made.
  std::vector<uint8_t> build(const std::function<void(std::vector<uint8_t>&)>& change = {}) {
    lay_out_descriptor();
    std::vector<uint8_t> file(kRtPage);
    put_headers(file);
    put_note(file);
    std::memcpy(&file[kDescAt], tables_.data(), tables_.size());
    std::memcpy(&file[kCodePage], code.data(), code.size());
    if (change)
      change(file);
    const Digest digest = sha256(file);
    std::memcpy(&file[kDescAt + offsetof(bpfaot_desc, image_digest)], digest.data(), digest.size());
    return file;
  }

  static constexpr uint64_t kNoteAt = 0x300, kDescAt = 0x1000, kCodePage = 0x10000, kRtPage = 0x11000;

  bpfaot_desc desc{};
  bpfaot_note note{BPFAOT_ABI_VERSION, 0, 0};
  std::vector<bpfaot_program> programs;
  std::vector<bpfaot_map> maps;
  std::vector<bpfaot_variable> variables;
  std::vector<bpfaot_type> types;
  std::vector<bpfaot_member> members;
  std::vector<bpfaot_enumerator> enumerators;
  std::vector<bpfaot_event> events;
  std::vector<bpfaot_map_value> map_values;
  std::vector<uint8_t> code = std::vector<uint8_t>(64, 0);
  uint32_t data_flags = PF_R | PF_W;

private:
  uint32_t add_type(const bpfaot_type& type) {
    types.push_back(type);
    return static_cast<uint32_t>(types.size() - 1);
  }
  template <class T> bpfaot_table table(const std::vector<T>& entries) {
    const bpfaot_blob place = blob(entries.data(), entries.size() * sizeof(T));
    return {place.off, static_cast<uint32_t>(entries.size()), sizeof(T), 0};
  }
  bpfaot_blob blob(const void* data, size_t size) {
    tables_.resize((tables_.size() + 7) / 8 * 8);
    const bpfaot_blob place{static_cast<uint32_t>(tables_.size()), static_cast<uint32_t>(size)};
    const auto* from = static_cast<const uint8_t*>(data);
    tables_.insert(tables_.end(), from, from + size);
    return place;
  }
  void lay_out_descriptor() {
    tables_.assign(sizeof desc, 0);
    std::vector<bpfaot_program> placed = programs;
    for (bpfaot_program& one : placed)
      one.entry_off += static_cast<int64_t>(kCodePage - kDescAt);
    desc.programs = table(placed);
    desc.maps = table(maps);
    desc.variables = table(variables);
    desc.types = table(types);
    desc.members = table(members);
    desc.enumerators = table(enumerators);
    desc.events = table(events);
    desc.map_values = table(map_values);
    desc.initial = blob(initial_.data(), initial_.size());
    desc.strings = blob(strings_.data(), strings_.size());
    std::memcpy(desc.magic, BPFAOT_MAGIC, sizeof desc.magic);
    desc.size = sizeof desc;
    desc.total_size = static_cast<uint32_t>(tables_.size());
    desc.file_size = kRtPage;
    desc.rt_off = kRtPage - kDescAt;
    desc.rt_size = static_cast<uint32_t>(sizeof(bpfaot_rt) + maps.size() * sizeof(bpfaot_map_slot));
    std::memcpy(tables_.data(), &desc, sizeof desc);
  }
  void put_headers(std::vector<uint8_t>& file) {
    Elf64_Ehdr head{};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_ident[EI_VERSION] = EV_CURRENT;
    head.e_type = ET_DYN;
    head.e_machine = static_cast<uint16_t>(desc.machine);
    head.e_version = EV_CURRENT;
    head.e_phoff = sizeof head;
    head.e_phentsize = sizeof(Elf64_Phdr);
    const Elf64_Phdr segments[] = {
        {PT_LOAD, PF_R, 0, 0, 0, kCodePage, kCodePage, 0x1000},
        {PT_LOAD, PF_R | PF_X, kCodePage, kCodePage, 0, code.size(), code.size(), 0x1000},
        {PT_LOAD, data_flags, kRtPage, kRtPage, 0, 0, 0x10000, 0x1000},
        {PT_NOTE, PF_R, kNoteAt, kNoteAt, 0, 36, 36, 4}};
    head.e_phnum = std::size(segments);
    std::memcpy(&file[0], &head, sizeof head);
    std::memcpy(&file[sizeof head], segments, sizeof segments);
  }
  void put_note(std::vector<uint8_t>& file) {
    const Elf64_Nhdr head{7, sizeof(bpfaot_note), BPFAOT_NOTE_TYPE};
    std::memcpy(&file[kNoteAt], &head, sizeof head);
    std::memcpy(&file[kNoteAt + 12], BPFAOT_NOTE_NAME, 7);
    note.machine = desc.machine;
    note.desc_off = static_cast<int64_t>(kDescAt) - static_cast<int64_t>(kNoteAt + 20 + offsetof(bpfaot_note, desc_off));
    std::memcpy(&file[kNoteAt + 20], &note, sizeof note);
  }

  std::vector<char> strings_;
  std::vector<uint8_t> initial_;
  std::vector<uint8_t> tables_;
};

} // namespace bpfaot::loader::test
