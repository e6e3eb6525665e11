// SPDX-License-Identifier: MIT
//
// What the kernel's net/bpf/test_run.c gives a program, as far as a program can see it: room before
// and after an xdp frame is that of one 4096-byte page, a socket filter sees the packet behind its
// link-layer header, fields of __sk_buff have the values of a packet on the loopback device.
#include "loader/test_packet.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kContext = 4096;   // room for the context, then the buffer
constexpr uint64_t kHeadroom = 256;   // XDP_PACKET_HEADROOM
constexpr uint64_t kFrameHeader = 40; // the kernel's own data at the start of an xdp frame
constexpr uint64_t kFrameEnd = 4096 - 320; // and at its end
constexpr uint64_t kEthernet = 14;
constexpr uint64_t kIp = 20, kIp6 = 40;
constexpr uint32_t kLoopback = 1; // its interface index

// Offsets in struct __sk_buff and struct xdp_md.
enum : uint64_t {
  kSkbLen = 0,
  kSkbType = 4,
  kSkbProtocol = 16,
  kSkbInterface = 40,
  kXdpIngress = 12,
};

uint16_t be16(std::span<const uint8_t> data, uint64_t at) {
  return static_cast<uint16_t>(data[at] << 8 | data[at + 1]);
}

// eth_type_trans(): the EtherType, or what frames with a length have instead.
uint16_t protocol_of(std::span<const uint8_t> data) {
  constexpr uint16_t kLeastType = 0x600, kNovell = 0x0001, kLlc = 0x0004;
  const uint16_t type = be16(data, 12);
  if (type >= kLeastType)
    return type;
  return data.size() >= kEthernet + 2 && be16(data, kEthernet) == 0xffff ? kNovell : kLlc;
}

// PACKET_HOST, PACKET_MULTICAST or PACKET_OTHERHOST, seen from the loopback device, whose address
// is zero, and its broadcast address too.
uint32_t type_of(std::span<const uint8_t> data) {
  const auto address = data.first(6);
  if (std::all_of(address.begin(), address.end(), [](uint8_t b) { return b == 0; }))
    return 0;
  return (address[0] & 1) != 0 ? 2 : 3;
}

void put(uint8_t* view, uint64_t offset, uint32_t value) {
  std::memcpy(view + offset, &value, sizeof value);
}

} // namespace

bool is_packet_kind(uint32_t kind) {
  return kind == BPFAOT_KIND_XDP || kind == BPFAOT_KIND_TC || kind == BPFAOT_KIND_SOCKET;
}

uint64_t packet_memory() {
  return kContext + kHeadroom + BPFAOT_PACKET_MAX + 1 + kFrameEnd;
}

std::string packet_problem(uint32_t kind, std::span<const uint8_t> data) {
  if (data.size() < kEthernet)
    return "needs a packet of at least " + std::to_string(kEthernet) + " bytes; the data has " +
           std::to_string(data.size());
  if (data.size() > BPFAOT_PACKET_MAX)
    return "needs a packet of at most " + std::to_string(BPFAOT_PACKET_MAX) +
           " bytes; the data has " + std::to_string(data.size());
  if (kind == BPFAOT_KIND_XDP)
    return {};
  const uint16_t protocol = protocol_of(data);
  const uint64_t header = protocol == 0x0800 ? kIp : protocol == 0x86dd ? kIp6 : 0;
  if (data.size() < kEthernet + header)
    return "needs the whole IP header that the packet's type announces; the data has " +
           std::to_string(data.size()) + " bytes";
  return {};
}

void lay_out_packet(uint32_t kind, std::span<const uint8_t> data, uint8_t* memory) {
  bpfaot_packet packet{};
  uint8_t* const buffer = memory + kContext;
  uint8_t* const start = buffer + kHeadroom;
  std::copy(data.begin(), data.end(), start);
  const auto address = [](const uint8_t* p) { return reinterpret_cast<uint64_t>(p); };
  const bool xdp = kind == BPFAOT_KIND_XDP, socket = kind == BPFAOT_KIND_SOCKET;
  packet.size = sizeof packet;
  packet.data = packet.data_meta = address(start) + (socket ? kEthernet : 0);
  packet.data_end = address(start) + data.size();
  packet.head = address(buffer) + kFrameHeader;
  packet.tail = xdp ? std::max(address(buffer) + kFrameEnd, packet.data_end)
                    : address(start) + BPFAOT_PACKET_MAX;
  if (xdp) {
    put(packet.view, kXdpIngress, kLoopback);
  } else {
    packet.mac = address(start);
    packet.network = address(start) + kEthernet;
    const uint16_t type = protocol_of(data);
    put(packet.view, kSkbLen, static_cast<uint32_t>(packet.data_end - packet.data));
    put(packet.view, kSkbType, type_of(data));
    put(packet.view, kSkbProtocol, static_cast<uint32_t>(type >> 8 | (type & 0xff) << 8));
    put(packet.view, kSkbInterface, kLoopback);
  }
  std::memcpy(memory, &packet, sizeof packet);
}

std::optional<std::vector<uint8_t>> packet_result(uint32_t kind, const uint8_t* memory) {
  bpfaot_packet packet;
  std::memcpy(&packet, memory, sizeof packet);
  const auto base = reinterpret_cast<uint64_t>(memory);
  const uint64_t first = kind == BPFAOT_KIND_XDP ? packet.data_meta : packet.data;
  if (first < base || packet.data_end < first || packet.data_end > base + packet_memory())
    return std::nullopt;
  std::vector<uint8_t> result(kind == BPFAOT_KIND_SOCKET ? kEthernet : 0);
  result.insert(result.end(), memory + (first - base), memory + (packet.data_end - base));
  return result;
}

} // namespace bpfaot::loader
