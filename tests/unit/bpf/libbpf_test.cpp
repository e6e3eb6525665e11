// SPDX-License-Identifier: MIT
//
// libbpf as the oracle: it opens the same objects (which needs no kernel), and must see the same
// programs, sections, kinds and maps.
#include "tests/tools/carve.h"
#include "tests/unit/bpf/objects.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/bpf.h>

#include <algorithm>
#include <memory>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Oracle = std::unique_ptr<bpf_object, CloseObject>;

Oracle open_with_libbpf(std::span<const uint8_t> bytes) {
  libbpf_set_print(nullptr);
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), nullptr);
  return Oracle(libbpf_get_error(object) == 0 ? object : nullptr);
}

// "name type key value entries flags extra", for maps that both sides name in the same way: libbpf
// puts the object's name before some data sections.
std::string line(std::string_view name, uint32_t type, uint32_t key, uint32_t value,
                 uint32_t entries, uint32_t flags, uint64_t extra) {
  if (const size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0)
    name = name.substr(name.find('.'));
  std::string out(name);
  for (const uint64_t number : {uint64_t{type}, uint64_t{key}, uint64_t{value}, uint64_t{entries},
                                uint64_t{flags & ~0x400u}, extra})
    out += " " + std::to_string(number);
  return out;
}

std::vector<std::string> maps_of(const Object& object) {
  std::vector<std::string> out;
  for (const MapDef& map : object.maps)
    if (!map.is_inner_template)
      out.push_back(line(map.name, static_cast<uint32_t>(map.type), map.key_size, map.value_size,
                         map.max_entries, map.flags, map.map_extra));
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> maps_of(bpf_object* object) {
  std::vector<std::string> out;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) out.push_back(
      line(bpf_map__name(map), bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
           bpf_map__max_entries(map), bpf_map__map_flags(map), bpf_map__map_extra(map)));
  std::sort(out.begin(), out.end());
  return out;
}

ProgramKind kind_of(bpf_prog_type type, const std::string& section) {
  switch (type) {
  case BPF_PROG_TYPE_KPROBE:
    if (section.find("usdt") != std::string::npos)
      return ProgramKind::usdt;
    return section.find("syscall") == 1 || section.find("syscall") == 4 ? ProgramKind::ksyscall
                                                                        : ProgramKind::probe;
  case BPF_PROG_TYPE_TRACEPOINT: return ProgramKind::tracepoint;
  case BPF_PROG_TYPE_RAW_TRACEPOINT:
  case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: return ProgramKind::raw_tracepoint;
  case BPF_PROG_TYPE_PERF_EVENT: return ProgramKind::perf_event;
  case BPF_PROG_TYPE_SYSCALL: return ProgramKind::syscall;
  case BPF_PROG_TYPE_SOCKET_FILTER: return ProgramKind::socket_filter;
  case BPF_PROG_TYPE_XDP: return ProgramKind::xdp;
  case BPF_PROG_TYPE_SCHED_CLS:
  case BPF_PROG_TYPE_SCHED_ACT: return ProgramKind::tc;
  case BPF_PROG_TYPE_UNSPEC: return ProgramKind::unknown;
  case BPF_PROG_TYPE_TRACING:
    return section.starts_with("tp_btf") ? ProgramKind::tp_btf : ProgramKind::kernel_only;
  default: return ProgramKind::kernel_only;
  }
}

void expect_same(const Object& ours, bpf_object* theirs, const std::string& name) {
  EXPECT_EQ(maps_of(ours), maps_of(theirs)) << name;
  size_t count = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, theirs) {
    const std::string wanted = bpf_program__name(program);
    const auto found =
        std::find_if(ours.programs.begin(), ours.programs.end(),
                     [&](const ProgramEntry& entry) { return entry.name == wanted; });
    // What libbpf calls a program of .text is a function that others call.
    if (std::string_view(bpf_program__section_name(program)) == ".text")
      continue;
    ++count;
    if (found == ours.programs.end()) {
      ADD_FAILURE() << name << ": no program " << wanted;
      continue;
    }
    // libbpf gives the name of the section without its question mark.
    EXPECT_EQ(found->section.substr(found->section.starts_with('?')),
              bpf_program__section_name(program));
    const CodeRange& code = ours.code[found->code];
    EXPECT_EQ(code.end - code.begin, bpf_program__insn_cnt(program)) << wanted;
    if (!found->fault) {
      EXPECT_EQ(found->kind.kind, kind_of(bpf_program__type(program), found->section)) << wanted;
      EXPECT_EQ(found->kind.optional, !bpf_program__autoload(program)) << wanted;
    }
  }
  EXPECT_EQ(count, ours.programs.size()) << name;
}

} // namespace

TEST(Libbpf, SeesTheSameInObjectsOfClang) {
  for (const char* name : {"features_v1", "features", "features_v4"}) {
    const auto bytes = object_bytes(name);
    const Oracle oracle = open_with_libbpf(bytes);
    ASSERT_NE(oracle, nullptr) << name;
    expect_same(*read(bytes, name), oracle.get(), name);
  }
}

TEST(Libbpf, SeesTheSameInDebiansTools) {
  DIR* folder = opendir("/usr/sbin");
  ASSERT_NE(folder, nullptr);
  size_t compared = 0;
  while (const dirent* entry = readdir(folder)) {
    const auto file = read_file(std::string("/usr/sbin/") + entry->d_name, 4u << 20);
    if (!file)
      continue;
    for (const tests::Carved& carved : tests::carve(*file))
      if (const Oracle oracle = open_with_libbpf(carved.bytes)) {
        const auto object = read({carved.bytes.begin(), carved.bytes.end()}, entry->d_name);
        expect_same(*object, oracle.get(), entry->d_name);
        ++compared;
      }
  }
  closedir(folder);
  if (compared == 0)
    GTEST_SKIP() << "no executable in /usr/sbin has an eBPF object inside (package libbpf-tools)";
  EXPECT_GT(compared, 40u);
}
