// SPDX-License-Identifier: MIT
//
// From the programs of an image and the targets on the command line to wishes.
#include "loader/wishes.h"

namespace bpfaot::loader {
namespace {

Status add_section_target(const Image& image, uint32_t index, std::vector<ProbeWish>& wishes) {
  const bpfaot_program& program = image.programs()[index];
  ProbeWish wish;
  wish.program = index;
  wish.spec.program = std::string(image.string(program.name));
  wish.spec.is_return = (program.flags & BPFAOT_PROG_RETURN) != 0;
  wish.spec.path = std::string(image.string(program.attach_path));
  wish.spec.symbol = std::string(image.string(program.attach_symbol));
  wish.spec.offset = program.attach_offset;
  wishes.push_back(std::move(wish));
  return {};
}

// A path alone is no place.
bool has_place(const Image& image, const bpfaot_program& program) {
  return !image.string(program.attach_path).empty() &&
         (!image.string(program.attach_symbol).empty() || program.attach_offset != 0);
}

// Programs that others run.
std::vector<bool> tail_targets(const Image& image) {
  std::vector<bool> result(image.programs().size());
  for (const bpfaot_map_value& slot : image.map_values())
    if (slot.target_program != BPFAOT_NONE)
      result[slot.target_program] = true;
  return result;
}

Status check_program(const Image& image, uint32_t index) {
  const bpfaot_program& program = image.programs()[index];
  if (program.kind != BPFAOT_KIND_PROBE || (program.capabilities & BPFAOT_CAP_VECTOR) != 0) {
    return fail(Code::kAttachKind, "program " + std::string(image.string(program.name)) + " (section " +
                                       std::string(image.string(program.section)) + ") cannot be attached to code");
  }
  return {};
}

} // namespace

Result<std::vector<ProbeWish>> make_wishes(const Image& image, const std::vector<std::string>& attach_options,
                                           std::vector<std::string>& unattached) {
  std::vector<ProbeWish> wishes;
  std::vector<bool> named(image.programs().size());
  for (const std::string& text : attach_options) {
    ProbeWish wish;
    wish.spec = TRY(parse_attach_spec(text));
    wish.program = TRY(image.find_program(wish.spec.program));
    TRY(check_program(image, wish.program));
    named[wish.program] = true;
    wishes.push_back(std::move(wish));
  }
  const std::vector<bool> is_tail_target = tail_targets(image);
  for (uint32_t index = 0; index < image.programs().size(); ++index) {
    const bpfaot_program& program = image.programs()[index];
    if (named[index] || (program.flags & BPFAOT_PROG_NO_AUTOLOAD) != 0) {
      continue;
    }
    if (program.kind == BPFAOT_KIND_PROBE && has_place(image, program) && check_program(image, index)) {
      TRY(add_section_target(image, index, wishes));
    } else if (!is_tail_target[index]) {
      unattached.emplace_back(image.string(program.name));
    }
  }
  return wishes;
}

std::vector<std::string> program_names(const Image& image) {
  std::vector<std::string> names;
  for (const bpfaot_program& program : image.programs()) {
    names.emplace_back(image.string(program.name));
  }
  return names;
}

} // namespace bpfaot::loader
