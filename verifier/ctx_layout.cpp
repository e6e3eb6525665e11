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
constexpr uint32_t kXdpSize = 24;

// One row of struct __sk_buff: who may see the field and who may write it.
enum : uint8_t { kAll = 1, kTcOnly = 2, kTcWrites = 4, kScratch = 8, kWhole = 16 };
struct SkbRow {
  uint32_t offset, size;
  uint8_t rights;
  CtxValue value;
  std::string_view name;
};

constexpr SkbRow kSkb[] = {
    {0, 4, kAll, CtxValue::number, "len"},
    {4, 4, kAll, CtxValue::number, "pkt_type"},
    {8, 4, kAll | kTcWrites, CtxValue::number, "mark"},
    {12, 4, kAll | kTcWrites, CtxValue::number, "queue_mapping"},
    {16, 4, kAll, CtxValue::number, "protocol"},
    {20, 4, kAll, CtxValue::number, "vlan_present"},
    {24, 4, kAll, CtxValue::number, "vlan_tci"},
    {28, 4, kAll, CtxValue::number, "vlan_proto"},
    {32, 4, kAll | kTcWrites, CtxValue::number, "priority"},
    {36, 4, kAll, CtxValue::number, "ingress_ifindex"},
    {40, 4, kAll, CtxValue::number, "ifindex"},
    {44, 4, kAll | kTcWrites, CtxValue::number, "tc_index"},
    // Scratch memory, as 8-byte pieces: any width, both directions.
    {48, 8, kAll | kScratch, CtxValue::number, "cb"},
    {56, 8, kAll | kScratch, CtxValue::number, "cb"},
    {64, 4, kAll | kScratch, CtxValue::number, "cb"},
    {68, 4, kAll, CtxValue::number, "hash"},
    {72, 4, kTcOnly | kTcWrites, CtxValue::number, "tc_classid"},
    {76, 4, kTcOnly | kWhole, CtxValue::packet, "data"},
    {80, 4, kTcOnly | kWhole, CtxValue::packet_end, "data_end"},
    {84, 4, kAll, CtxValue::number, "napi_id"},
    {140, 4, kTcOnly | kWhole, CtxValue::packet_meta, "data_meta"},
    {152, 8, kTcOnly | kTcWrites | kWhole, CtxValue::number, "tstamp"},
    {160, 4, kTcOnly, CtxValue::number, "wire_len"},
    {164, 4, kAll, CtxValue::number, "gso_segs"},
    {168, 8, kAll, CtxValue::kernel_pointer, "sk"},
    {176, 4, kAll, CtxValue::number, "gso_size"},
    {180, 1, kTcOnly | kWhole, CtxValue::number, "tstamp_type"},
    {184, 8, kTcOnly | kWhole, CtxValue::number, "hwtstamp"},
};

CtxLayout sk_buff(bool is_tc) {
  CtxLayout layout{is_tc ? "__sk_buff" : "__sk_buff of a socket filter", kSkBuffSize, {}, false};
  for (const SkbRow& row : kSkb) {
    if ((row.rights & kAll) == 0 && !is_tc)
      continue;
    const bool scratch = (row.rights & kScratch) != 0;
    layout.fields.push_back({.offset = row.offset,
                             .size = row.size,
                             .writable = scratch || (is_tc && (row.rights & kTcWrites) != 0),
                             .any_width = scratch,
                             .value = row.value,
                             .whole = (row.rights & kWhole) != 0,
                             .name = row.name});
  }
  return layout;
}

// struct xdp_md without egress_ifindex, which only programs of a device map have.
CtxLayout xdp_md() {
  const auto field = [](uint32_t offset, CtxValue value, std::string_view name) {
    return CtxField{.offset = offset, .size = 4, .value = value, .whole = true, .name = name};
  };
  return {"xdp_md",
          kXdpSize,
          {field(0, CtxValue::packet, "data"), field(4, CtxValue::packet_end, "data_end"),
           field(8, CtxValue::packet_meta, "data_meta"),
           field(12, CtxValue::number, "ingress_ifindex"),
           field(16, CtxValue::number, "rx_queue_index")},
          false};
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
  case ProgramKind::socket_filter: return sk_buff(false);
  case ProgramKind::tc: return sk_buff(true);
  case ProgramKind::xdp: return xdp_md();
  case ProgramKind::tp_btf:
  case ProgramKind::syscall:
  case ProgramKind::kernel_only:
  case ProgramKind::unknown: break;
  }
  return {"a context that is not known", 0, {}, false};
}

} // namespace bpfaot::verifier
