// SPDX-License-Identifier: MIT
//
// libFuzzer target: any file is refused as an image or answers everything that verbs ask of one. The
// digest is made right first, or it would refuse all the rest.
#include "loader/map_output.h"
#include "loader/output.h"
#include "loader/session.h"
#include "loader/verb.h"
#include "loader/watch.h"
#include "support/sha256.h"
#include "tests/fuzz/mutate.h"
#include "tests/unit/loader/image_builder.h"

#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace bpfaot;
using namespace bpfaot::loader;

namespace {

// Of the descriptor, by note; 0 when there is none.
uint64_t find_descriptor(std::span<const uint8_t> bytes) {
  const auto elf = ElfView::open(bytes);
  if (!elf)
    return 0;
  const auto note = elf->find_note(BPFAOT_NOTE_NAME, BPFAOT_NOTE_TYPE);
  if (!note || note->desc.size() < sizeof(bpfaot_note))
    return 0;
  bpfaot_note content;
  std::memcpy(&content, note->desc.data(), sizeof content);
  const uint64_t vaddr = note->desc_vaddr + offsetof(bpfaot_note, desc_off) + static_cast<uint64_t>(content.desc_off);
  const auto desc = elf->at(vaddr, sizeof(bpfaot_desc));
  return desc.empty() ? 0 : static_cast<uint64_t>(desc.data() - bytes.data());
}

void sign(std::vector<uint8_t>& bytes) {
  const uint64_t at = find_descriptor(bytes);
  if (at == 0)
    return;
  bpfaot_desc desc;
  std::memcpy(&desc, &bytes[at], sizeof desc);
  desc.file_size = bytes.size();
  std::memset(desc.image_digest, 0, sizeof desc.image_digest);
  std::memset(desc.signature, 0, sizeof desc.signature);
  std::memcpy(&bytes[at], &desc, sizeof desc);
  const Digest digest = sha256(bytes);
  std::memcpy(&bytes[at + offsetof(bpfaot_desc, image_digest)], digest.data(), digest.size());
}

void show_info(std::span<const uint8_t> bytes, bool json) {
  static FILE* nowhere = std::fopen("/dev/null", "w");
  const int fd = memfd_create("image", 0);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  ParsedArguments arguments;
  arguments.positional.push_back("/proc/self/fd/" + std::to_string(fd));
  if (json)
    arguments.options.push_back({kJsonOption, ""});
  (void)run_info(arguments, {nowhere, nowhere, Colour::never, false});
  close(fd);
}

bool is_small(const Image& image) {
  uint64_t total = 0;
  for (const bpfaot_map& map : image.maps())
    total += (uint64_t{map.key_size} + map.value_size + 16) * std::max(map.max_entries, 1u);
  return total < (8u << 20);
}

void use_session(const Image& image, const SessionOptions& options) {
  const auto session = Session::create(image, options);
  if (!session)
    return;
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    const bpfaot_map_header& header = session->header(i);
    if (header.data_off > session->size() || session->size() - header.data_off < header.data_size)
      std::abort();
  }
  if (session->fill_rt(image, {}).size() != image.desc().rt_size)
    std::abort();
  static FILE* nowhere = std::fopen("/dev/null", "w");
  for (const bool json : {false, true}) {
    Output output(image, *session, {json, true, true}, nowhere);
    (void)output.poll();
    output.finish();
  }
}

void set_variables(const Image& image) {
  static constexpr const char* kValues[] = {"0", "-1", "0xffffffffffffffff", "true", "text", "1,2,3", "'a'", "\"x\"", ""};
  size_t which = 0;
  for (const bpfaot_variable& variable : image.variables())
    for (int i = 0; i < 3; ++i) {
      const auto bytes = encode_setting(image, variable, kValues[which++ % std::size(kValues)]);
      if (bytes && bytes->size() > variable.size)
        std::abort();
    }
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed + 1);
  const uint64_t at = find_descriptor({data, size});
  if (at != 0 && random() % 4 != 0) {
    // The descriptor's words are what images are about; its tables follow it.
    bpfaot_desc desc;
    std::memcpy(&desc, data + at, sizeof desc);
    const uint64_t end = std::min<uint64_t>(size, at + std::max<uint64_t>(sizeof desc, desc.total_size));
    const uint64_t head = std::min<uint64_t>(end, at + offsetof(bpfaot_desc, source_digest));
    for (unsigned times = 1 + random() % 3; times != 0; --times)
      fuzz::overwrite_word(data, random() % 3 == 0 ? at : std::min<uint64_t>(end, at + sizeof desc),
                           random() % 3 == 0 ? head : end, random);
    return size;
  }
  return fuzz::mutate_elf(data, size, max_size, seed, [](const fuzz::Section&) { return true; });
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > (1u << 20))
    return 0;
  std::vector<uint8_t> bytes(data, data + size);
  sign(bytes);
  const auto image = open_image_bytes("probe.so", bytes, ImageUse::inspect);
  if (!image)
    return 0;
  const uint8_t variant = bytes[bytes.size() / 2];
  show_info(bytes, (variant & 1) != 0);
  std::vector<std::string> unattached;
  if (const auto wishes = make_wishes(*image, {}, unattached))
    for (const ProbeWish& wish : *wishes)
      (void)print_attach_target(wish.spec);
  set_variables(*image);
  for (const bpfaot_program& program : image->programs()) {
    bool in_code = false;
    for (const ImageSegment& segment : image->segments())
      in_code |= segment.executable && image->entry_address(program) - segment.vaddr < segment.size;
    if (!in_code)
      std::abort();
  }
  for (const ImageRelocation& relocation : image->relocations())
    if (relocation.where > image->span() - 8 || relocation.addend >= image->span())
      std::abort();
  if (is_small(*image))
    use_session(*image, {});
  return 0;
}
