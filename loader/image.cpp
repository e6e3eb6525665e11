// SPDX-License-Identifier: MIT
//
// Opening an image: the sealed copy, note, descriptor, digest and tables. What the tables say is
// checked in image_tables.cpp, the memory layout in image_layout.cpp.
#include "loader/image.h"

#include "support/options.h"
#include "support/sha256.h"
#include "targets/target.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

// Entries of one table; far above any real program, and keeps counts times sizes small.
constexpr uint32_t kMaxEntries = 1u << 20;

bool write_all(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

} // namespace

Failure Image::damaged(std::string what) const {
  return Failure(make_error(Code::kImageDamaged, std::move(what)).about(path_));
}

std::string Image::name() const {
  const size_t slash = path_.rfind('/');
  return slash == std::string::npos ? path_ : path_.substr(slash + 1);
}

bool Image::is_foreign() const { return desc_.machine != targets::host().e_machine; }

Status Image::read_copy(std::span<const uint8_t> bytes) {
  if (bytes.size() > kMaxImageSize)
    return fail(Code::kImageFormat, "the file has " + std::to_string(bytes.size()) +
                                        " bytes, a probe has at most " +
                                        std::to_string(kMaxImageSize));
  fd_.reset(memfd_create("bpfaot-image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd_.valid() || !write_all(fd_.get(), bytes) ||
      fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return fail(Code::kIo, std::string("cannot keep a sealed copy of the file: ") + strerror(errno));
  return map_copy(bytes.size());
}

Status Image::read_sealed(UniqueFd fd) {
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_WRITE;
  struct stat status {};
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || fstat(fd.get(), &status) != 0 ||
      static_cast<uint64_t>(status.st_size) > kMaxImageSize)
    return fail(Code::kImageFormat, "the copy of the probe is not sealed");
  fd_ = std::move(fd);
  return map_copy(static_cast<uint64_t>(status.st_size));
}

Status Image::map_copy(uint64_t size) {
  if (size == 0)
    return fail(Code::kElfFormat, "the file is empty");
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd_.get(), 0);
  if (address == MAP_FAILED)
    return fail(Code::kIo, std::string("cannot map the copy of the file: ") + strerror(errno));
  map_ = Mapping(address, size);
  return {};
}

Status Image::check_note(ImageUse use) {
  const auto note = elf_->find_note(BPFAOT_NOTE_NAME, BPFAOT_NOTE_TYPE);
  if (!note)
    return fail(Code::kImageFormat, "the file has no bpfaot note: bpf-aotc did not make it");
  if (note->desc.size() < sizeof(bpfaot_note) || note->desc_vaddr == 0)
    return damaged("the bpfaot note is too short");
  bpfaot_note content;
  std::memcpy(&content, note->desc.data(), sizeof content);
  if (content.abi_version > BPFAOT_ABI_VERSION)
    return Failure(make_error(Code::kImageAbiNewer,
                              "the probe has ABI version " + std::to_string(content.abi_version) +
                                  ", this bpf-aot knows " + std::to_string(BPFAOT_ABI_VERSION))
                       .values(std::to_string(content.abi_version),
                               "at most " + std::to_string(BPFAOT_ABI_VERSION))
                       .hint("use a newer bpf-aot, or compile the probe with the bpf-aotc of this one"));
  if (content.machine != elf_->machine())
    return damaged("the note says machine " + std::to_string(content.machine) +
                   ", the ELF header says " + std::to_string(elf_->machine()));
  const targets::Target* target = targets::find_machine(elf_->machine());
  if (!target)
    return fail(Code::kImageMachine,
                "the probe is for machine " + std::to_string(elf_->machine()) + ", which is unknown");
  if (use == ImageUse::run && target != &targets::host())
    return Failure(make_error(Code::kImageMachine, "the probe is for " + std::string(target->name) +
                                                       ", this machine is " +
                                                       std::string(targets::host().name))
                       .values(std::string(target->name), std::string(targets::host().name))
                       .hint("compile it with bpf-aotc -t " + std::string(targets::host().name)));
  const uint64_t field = note->desc_vaddr + offsetof(bpfaot_note, desc_off);
  desc_vaddr_ = field + static_cast<uint64_t>(content.desc_off);
  return {};
}

Status Image::read_descriptor() {
  // size and total_size come first, right after the magic, in every ABI version.
  const auto head = elf_->at(desc_vaddr_, 16);
  if (head.empty() || desc_vaddr_ % 8 != 0 || std::memcmp(head.data(), BPFAOT_MAGIC, 8) != 0)
    return damaged("the note does not lead to a descriptor");
  uint32_t size, total;
  std::memcpy(&size, head.data() + 8, 4);
  std::memcpy(&total, head.data() + 12, 4);
  if (size < sizeof(bpfaot_desc) || total < size)
    return damaged("the descriptor has " + std::to_string(size) + " bytes, at least " +
                   std::to_string(sizeof(bpfaot_desc)) + " are needed");
  desc_bytes_ = elf_->at(desc_vaddr_, total);
  if (desc_bytes_.empty())
    return damaged("the descriptor's tables lie outside the file");
  std::memcpy(&desc_, desc_bytes_.data(), sizeof desc_);
  if (desc_.abi_version > BPFAOT_ABI_VERSION)
    return damaged("note and descriptor name different ABI versions");
  if (desc_.machine != elf_->machine())
    return damaged("ELF header and descriptor name different machines");
  if (desc_.file_size != map_.size())
    return Failure(make_error(Code::kImageDamaged,
                              "the file has " + std::to_string(map_.size()) +
                                  " bytes, it was written with " + std::to_string(desc_.file_size))
                       .about(path_));
  if (desc_.verdict != 1)
    return damaged("the descriptor does not say that the verifier accepted the programs");
  return {};
}

Status Image::check_digest() const {
  // The digest cannot cover itself nor the signature made from it.
  const auto desc_at = static_cast<uint64_t>(desc_bytes_.data() - map_.data());
  const struct { uint64_t at, size; } holes[] = {
      {desc_at + offsetof(bpfaot_desc, image_digest), sizeof desc_.image_digest},
      {desc_at + offsetof(bpfaot_desc, signature), sizeof desc_.signature}};
  Sha256 hash;
  uint64_t done = 0;
  for (const auto& hole : holes) {
    hash.update(bytes().subspan(done, hole.at - done));
    const std::vector<uint8_t> zeros(hole.size);
    hash.update(zeros);
    done = hole.at + hole.size;
  }
  hash.update(bytes().subspan(done));
  const Digest digest = hash.finish();
  if (std::memcmp(digest.data(), desc_.image_digest, digest.size()) != 0)
    return damaged("the file's content does not match its digest");
  // The digest covers kind and size of the signature; what they do not claim must be zero.
  if (desc_.signature_size > sizeof desc_.signature ||
      (desc_.signature_kind == 0 && desc_.signature_size != 0))
    return damaged("a signature of impossible size");
  for (size_t i = desc_.signature_size; i < sizeof desc_.signature; ++i)
    if (desc_.signature[i] != 0)
      return damaged("bytes behind the signature are not zero");
  return {};
}

template <class T>
Status Image::read_table(const char* what, const bpfaot_table& table, std::vector<T>* out) const {
  if (table.count == 0)
    return {};
  const uint64_t bytes = uint64_t{table.count} * table.entry_size;
  if (table.count > kMaxEntries || table.entry_size < sizeof(T) || table.off % alignof(T) != 0 ||
      table.off > desc_bytes_.size() || desc_bytes_.size() - table.off < bytes)
    return damaged(std::string("the table of ") + what + " does not fit: offset " +
                   std::to_string(table.off) + ", " + std::to_string(table.count) + " entries of " +
                   std::to_string(table.entry_size) + " bytes");
  out->resize(table.count);
  for (uint32_t i = 0; i < table.count; ++i)
    std::memcpy(&(*out)[i], desc_bytes_.data() + table.off + uint64_t{i} * table.entry_size,
                sizeof(T));
  return {};
}

Status Image::read_tables() {
  TRY(read_table("programs", desc_.programs, &programs_));
  TRY(read_table("maps", desc_.maps, &maps_));
  TRY(read_table("variables", desc_.variables, &variables_));
  TRY(read_table("types", desc_.types, &types_));
  if (types_.empty())
    types_.push_back({}); // index 0 means "unknown" and must be there
  TRY(read_table("members", desc_.members, &members_));
  TRY(read_table("enumerators", desc_.enumerators, &enumerators_));
  TRY(read_table("events", desc_.events, &events_));
  TRY(read_table("helpers", desc_.helpers, &helpers_));
  TRY(read_table("map values", desc_.map_values, &map_values_));
  for (const bpfaot_blob& blob : {desc_.strings, desc_.initial})
    if (blob.off > desc_bytes_.size() || desc_bytes_.size() - blob.off < blob.size)
      return damaged("strings or initial data lie outside the descriptor");
  return {};
}

std::span<const bpfaot_member> Image::members(const bpfaot_type& type) const {
  return std::span(members_).subspan(type.first, type.count);
}

std::span<const bpfaot_enumerator> Image::enumerators(const bpfaot_type& type) const {
  return std::span(enumerators_).subspan(type.first, type.count);
}

std::string_view Image::string(uint32_t offset) const {
  if (offset >= desc_.strings.size)
    return {};
  return reinterpret_cast<const char*>(desc_bytes_.data() + desc_.strings.off + offset);
}

TypeTables Image::type_tables() const {
  return {types_, members_, enumerators_,
          reinterpret_cast<const char*>(desc_bytes_.data() + desc_.strings.off)};
}

std::span<const uint8_t> Image::initial(const bpfaot_map& map) const {
  return desc_bytes_.subspan(desc_.initial.off, desc_.initial.size)
      .subspan(map.initial.off, map.initial.size);
}

Result<uint32_t> Image::find_program(std::string_view name) const {
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < programs_.size(); ++i) {
    names.push_back(string(programs_[i].name));
    if (names.back() == name)
      return i;
  }
  Diagnostic diagnostic =
      make_error(Code::kProgramUnknown, "no program '" + std::string(name) + "'").about(path_);
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  if (const std::string near = nearest(name, names); !near.empty())
    diagnostic.hints.push_back("did you mean '" + near + "'?");
  diagnostic.notes.push_back("programs: " + list);
  return Failure(std::move(diagnostic));
}

Result<uint32_t> Image::find_map(std::string_view name) const {
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < maps_.size(); ++i) {
    names.push_back(string(maps_[i].name));
    if (names.back() == name)
      return i;
  }
  Diagnostic diagnostic =
      make_error(Code::kMapUnknown, "no map '" + std::string(name) + "'").about(path_);
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  if (const std::string near = nearest(name, names); !near.empty())
    diagnostic.hints.push_back("did you mean '" + near + "'?");
  diagnostic.notes.push_back("maps: " + list);
  return Failure(std::move(diagnostic));
}

Result<Image> Image::check(Image image, ImageUse use) {
  const auto attempt = [&]() -> Status {
    image.elf_ = std::make_unique<ElfView>(TRY(ElfView::open(image.bytes())));
    TRY(image.check_note(use));
    TRY(image.read_descriptor());
    TRY(image.check_digest());
    TRY(image.read_tables());
    TRY(image.check_strings());
    TRY(image.check_types());
    TRY(image.check_maps());
    TRY(image.check_layout());
    TRY(image.check_entries());
    return use == ImageUse::run ? image.check_cpu() : Status{};
  };
  Status checked = attempt();
  if (checked)
    return image;
  Failure failure = std::move(checked).take_error();
  if (failure.diagnostic().subject.empty())
    failure.diagnostic().subject = image.path_;
  return failure;
}

namespace {

Failure about(Failure failure, const std::string& path) {
  failure.diagnostic().subject = path;
  return failure;
}

} // namespace

Result<Image> open_image_bytes(std::string path, std::span<const uint8_t> bytes, ImageUse use) {
  Image image;
  image.path_ = std::move(path);
  Status copied = image.read_copy(bytes);
  return copied ? Image::check(std::move(image), use) : about(std::move(copied).take_error(), image.path_);
}

Result<Image> open_sealed_image(std::string path, UniqueFd fd) {
  Image image;
  image.path_ = std::move(path);
  Status mapped = image.read_sealed(std::move(fd));
  return mapped ? Image::check(std::move(image), ImageUse::run) : about(std::move(mapped).take_error(), image.path_);
}

Result<Image> open_image(const std::string& path, ImageUse use) {
  const std::vector<uint8_t> bytes = TRY(read_file(path, kMaxImageSize));
  return open_image_bytes(path, bytes, use);
}

} // namespace bpfaot::loader
