// SPDX-License-Identifier: MIT
#include "aotc/manifest.h"

#include "aotc/btf_types.h"
#include "aotc/event_types.h"
#include "linker/linker.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace bpfaot::aotc {
namespace {

constexpr uint32_t kPrintkBytes = 65536;

class Filler {
public:
  Filler(const ManifestInput& input, Manifest& manifest)
      : input_(input), manifest_(manifest), btf_(input.object.btf, manifest.types) {}

  void run() {
    fill_head();
    fill_programs();
    fill_maps();
    fill_variables();
    fill_events();
    fill_map_values();
  }

private:
  uint32_t text(std::string_view value) { return manifest_.strings.add(value); }

  void fill_head() {
    bpfaot_desc& head = manifest_.head;
    head.machine = input_.target.e_machine;
    head.verdict = 1;
    head.verifier_version = verifier::kVerifierVersion;
    head.cpu_features = input_.cpu_features;
    head.rt_size = static_cast<uint32_t>(sizeof(bpfaot_rt) +
                                         uint64_t{input_.map_count} * sizeof(bpfaot_map_slot));
    head.license = text(input_.object.license);
    head.tool = text("bpf-aotc " BPFAOT_VERSION);
    head.llvm = text("LLVM " + llvm_version() + ", lld " + linker::lld_version());
    head.triple = text(input_.target.triple);
    head.cpu = text(input_.cpu);
    const std::string& path = input_.object.path;
    head.source_name =
        text(path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1));
    static_assert(sizeof(head.source_digest) == sizeof(input_.object.digest));
    std::memcpy(head.source_digest, input_.object.digest.data(), sizeof(head.source_digest));
  }

  void fill_programs() {
    std::set<uint32_t> helpers;
    for (size_t i = 0; i < input_.programs.size(); ++i) {
      const bpf::Program& program = input_.programs[i].program();
      const LoweredProgram& lowered = input_.lowered[i];
      manifest_.programs.push_back({.name = text(program.name),
                                    .section = text(program.section),
                                    .kind = lowered.kind,
                                    .flags = lowered.flags,
                                    .entry_off = 0, // a distance, known to the linker
                                    .attach_path = text(program.kind.path),
                                    .attach_symbol = text(program.kind.symbol),
                                    .attach_offset = program.kind.offset,
                                    .ctx_reads = lowered.ctx_reads,
                                    .ctx_writes = lowered.ctx_writes,
                                    .clobbers = lowered.clobbers,
                                    .capabilities = lowered.capabilities,
                                    .stack_bytes = 0, // finalise() knows
                                    .insn_count = program.slot_count(),
                                    .source_digest_low = 0});
      manifest_.head.capabilities |= lowered.capabilities;
      for (const int32_t id : input_.programs[i].facts().helpers)
        helpers.insert(static_cast<uint32_t>(id));
    }
    manifest_.helpers.assign(helpers.begin(), helpers.end());
  }

  uint32_t fixed_bits(const bpf::MapDef& map) const {
    uint32_t fixed = 0;
    if (map.type != bpf::MapType::unspec)
      fixed |= BPFAOT_FIXED_TYPE;
    if (map.key_size != 0)
      fixed |= BPFAOT_FIXED_KEY_SIZE;
    if (map.value_size != 0)
      fixed |= BPFAOT_FIXED_VALUE_SIZE;
    if (map.flags != 0)
      fixed |= BPFAOT_FIXED_FLAGS;
    if (map.max_entries != 0 && is_array(map))
      fixed |= BPFAOT_FIXED_MIN_ENTRIES;
    if (map.max_entries != 0 && input_.fix_maps)
      fixed |= BPFAOT_FIXED_MAX_ENTRIES;
    return fixed;
  }

  static uint32_t section_of(bpf::MapSection section) {
    switch (section) {
    case bpf::MapSection::ordinary: return BPFAOT_MAP_ORDINARY;
    case bpf::MapSection::rodata: return BPFAOT_MAP_RODATA;
    case bpf::MapSection::data: return BPFAOT_MAP_DATA;
    case bpf::MapSection::bss: return BPFAOT_MAP_BSS;
    case bpf::MapSection::kconfig: return BPFAOT_MAP_KCONFIG;
    }
    __builtin_unreachable();
  }

  void fill_maps() {
    for (const bpf::MapDef& map : input_.object.maps) {
      const auto initial_off = static_cast<uint32_t>(manifest_.initial.size());
      manifest_.initial.insert(manifest_.initial.end(), map.initial.begin(), map.initial.end());
      manifest_.initial.resize((manifest_.initial.size() + 7) / 8 * 8);
      manifest_.maps.push_back({.name = text(map.name),
                                .type = static_cast<uint32_t>(map.type),
                                .key_size = map.key_size,
                                .value_size = map.value_size,
                                .max_entries = map.max_entries,
                                .map_flags = map.flags,
                                .pinning = map.pinning,
                                .section = section_of(map.section),
                                .fixed = fixed_bits(map),
                                .key_type = btf_.add(map.key_type),
                                .value_type = btf_.add(map.value_type),
                                .inner = map.inner ? map.inner->value : BPFAOT_NONE,
                                .initial = {initial_off, static_cast<uint32_t>(map.initial.size())},
                                .map_extra = map.map_extra});
    }
    if (input_.has_printk_map)
      manifest_.maps.push_back({.name = text(".printk"),
                                .type = static_cast<uint32_t>(bpf::MapType::ringbuf),
                                .max_entries = kPrintkBytes,
                                .section = BPFAOT_MAP_PRINTK,
                                .fixed = BPFAOT_FIXED_TYPE,
                                .inner = BPFAOT_NONE});
  }

  void fill_variables() {
    for (const bpf::Variable& variable : input_.object.variables)
      manifest_.variables.push_back({.name = text(variable.name),
                                     .map = variable.map.value,
                                     .off = variable.offset,
                                     .size = variable.size,
                                     .type = btf_.add(variable.type),
                                     .flags = variable.is_fixed ? BPFAOT_VARIABLE_FIXED : 0u});
  }

  void fill_events() {
    for (const bpfaot_event& event :
         find_events(input_.object, input_.programs, btf_, manifest_.types)) {
      if (!input_.object.maps[event.map].is_inner_template) {
        manifest_.events.push_back(event);
        continue;
      }
      // Found in another map: any of that shape.
      const uint32_t shape = input_.object.shape_of(bpf::MapId(event.map));
      for (uint32_t i = 0; i < input_.object.maps.size(); ++i)
        if (!input_.object.maps[i].inner && input_.object.shape_of(bpf::MapId(i)) == shape) {
          manifest_.events.push_back(event);
          manifest_.events.back().map = i;
        }
    }
  }

  // outer[index] = &map or &program
  void fill_map_values() {
    for (uint32_t i = 0; i < input_.object.maps.size(); ++i)
      for (const bpf::MapValueInit& value : input_.object.maps[i].values) {
        bpfaot_map_value row{i, value.index, BPFAOT_NONE, BPFAOT_NONE};
        if (const auto map = input_.object.find_map(value.symbol);
            map && input_.object.maps[i].inner)
          row.target_map = map->value;
        for (uint32_t p = 0; p < input_.programs.size(); ++p)
          if (input_.programs[p].program().name == value.symbol && !input_.object.maps[i].inner)
            row.target_program = p;
        manifest_.map_values.push_back(row);
      }
  }

  static bool is_array(const bpf::MapDef& map) {
    return map.type == bpf::MapType::array || map.type == bpf::MapType::percpu_array;
  }

  const ManifestInput& input_;
  Manifest& manifest_;
  BtfTypes btf_;
};

} // namespace

void fill_manifest(const ManifestInput& input, Manifest& manifest) {
  Filler(input, manifest).run();
}

} // namespace bpfaot::aotc
