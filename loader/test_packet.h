// SPDX-License-Identifier: MIT
//
// Packets for test-run: the context of a packet program and the memory its packet lies in, as the
// kernel's BPF_PROG_TEST_RUN makes them.
#pragma once

#include <bpfaot/abi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::loader {

// A packet program's kind: xdp, tc, socket.
bool is_packet_kind(uint32_t kind);

// Bytes of memory that lay_out_packet() needs for any packet.
uint64_t packet_memory();

// Why the kernel would not take this as a packet, "" when it would.
std::string packet_problem(uint32_t kind, std::span<const uint8_t> data);

// Fills packet_memory() zeroed bytes at `memory`, which is 16-aligned; the context is at its start.
// The data must have no packet_problem().
void lay_out_packet(uint32_t kind, std::span<const uint8_t> data, uint8_t* memory);

// The packet as it is after a run: with its metadata (xdp), with an empty link-layer header
// (socket). Nothing when the context does not describe memory of its own.
std::optional<std::vector<uint8_t>> packet_result(uint32_t kind, const uint8_t* memory);

} // namespace bpfaot::loader
