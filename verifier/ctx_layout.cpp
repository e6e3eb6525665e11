// SPDX-License-Identifier: MIT
//
// Contexts as data. Offsets and widths: uapi/linux/bpf.h and bpf_perf_event.h; which fields a kind
// may see: the documentation of the program types.
#include "verifier/ctx_layout.h"

namespace bpfaot::verifier {
namespace {

using bpf::ProgramKind;

constexpr uint32_t kTraceRecord = 8192; // the most that a tracepoint records
constexpr uint32_t kTraceHeader = 8;    // common fields, hidden from programs
constexpr uint32_t kRawArguments = 12;  // u64 each
constexpr uint32_t kSkBuffSize = 192;

void add_words(CtxLayout& layout, uint32_t begin, uint32_t end, bool writable = false) {
  for (uint32_t offset = begin; offset < end; offset += 4)
    layout.fields.push_back({offset, 4, writable});
}

// struct __sk_buff as a socket filter sees it: no packet pointers, no socket, no addresses.
CtxLayout socket_filter() {
  CtxLayout layout{"__sk_buff of a socket filter", kSkBuffSize, {}, false};
  add_words(layout, 0, 48); // len … tc_index
  // cb[5] is scratch memory: any width, both directions.
  for (uint32_t offset = 48; offset < 64; offset += 8)
    layout.fields.push_back({offset, 8, true, true});
  layout.fields.push_back({64, 4, true, true});
  add_words(layout, 68, 72);                             // hash
  add_words(layout, 84, 88);                             // napi_id
  layout.fields.push_back({144, 8, false, false, true}); // flow_keys
  add_words(layout, 164, 168);                           // gso_segs
  layout.fields.push_back({168, 8, false, false, true}); // sk
  add_words(layout, 176, 180);                           // gso_size
  return layout;
}

CtxLayout whole(std::string name, uint32_t begin, uint32_t size, bool writable) {
  CtxLayout layout{std::move(name), size, {}, writable};
  if (begin != 0)
    layout.fields.push_back({begin, size - begin, writable});
  return layout;
}

} // namespace

CtxLayout ctx_layout(const bpf::SectionInfo& kind, std::string registers_name,
                     uint32_t registers_size) {
  switch (kind.kind) {
  case ProgramKind::probe:
  case ProgramKind::usdt:
  case ProgramKind::ksyscall: return whole(std::move(registers_name), 0, registers_size, false);
  case ProgramKind::perf_event: {
    // struct bpf_perf_event_data: the registers, then sample_period and addr.
    CtxLayout layout{"bpf_perf_event_data", registers_size + 16, {}, false};
    layout.fields.push_back({0, registers_size, false});
    layout.fields.push_back({registers_size, 8, false});
    layout.fields.push_back({registers_size + 8, 8, false});
    return layout;
  }
  case ProgramKind::tracepoint:
    return whole("the record of a tracepoint", kTraceHeader, kTraceRecord, false);
  case ProgramKind::raw_tracepoint:
    return whole("the arguments of a raw tracepoint", 0, 8 * kRawArguments, false);
  case ProgramKind::socket_filter: return socket_filter();
  case ProgramKind::tp_btf:
  case ProgramKind::syscall:
  case ProgramKind::xdp:
  case ProgramKind::tc:
  case ProgramKind::kernel_only:
  case ProgramKind::unknown: break;
  }
  return {"a context that is not known", 0, {}, false};
}

} // namespace bpfaot::verifier
