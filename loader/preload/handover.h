// SPDX-License-Identifier: MIT
//
// What `bpf-aot run --preload` and the library in the program it starts say to each other, over a
// socket that the program inherits:
//
//   bpf-aot   Start     the probe, its memory (as descriptors) and the wishes
//   library   Planned   what would be attached, before anything is changed
//   bpf-aot   a byte    1: attach; 0: do not, the program is about to be ended
//   library   Attached  the sites, and the descriptor of the runtime file
//   bpf-aot   a byte    the program may go on
//
// Both ends check what they read: the program is not trusted, nor is whoever set its environment.
#pragma once

#include "loader/plan.h"
#include "loader/registry.h"
#include "support/files.h"
#include "support/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct StartMessage {
  std::string image; // path, for messages
  std::vector<ProbeWish> wishes;
};

struct PlannedMessage {
  std::vector<PlanRow> rows;        // without their wishes
  std::optional<Diagnostic> failure; // nothing could be planned
};

struct AttachedMessage {
  std::vector<SitePatch> patches;
  std::vector<std::optional<Diagnostic>> refusals; // by row
  uint64_t runtime_inode = 0;
  std::optional<Diagnostic> failure; // nothing is attached
};

std::vector<uint8_t> encode(const StartMessage& message);
std::vector<uint8_t> encode(const PlannedMessage& message);
std::vector<uint8_t> encode(const AttachedMessage& message);
// [handover]
Result<StartMessage> decode_start(std::span<const uint8_t> bytes);
Result<PlannedMessage> decode_planned(std::span<const uint8_t> bytes);
Result<AttachedMessage> decode_attached(std::span<const uint8_t> bytes);

// One message, with descriptors. [handover]: the other end is gone, or what came is no message.
Status send_message(int socket, std::span<const uint8_t> bytes, std::span<const int> fds = {});
struct ReceivedMessage {
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> fds;
};
Result<ReceivedMessage> receive_message(int socket);
Status send_byte(int socket, uint8_t byte);
Result<uint8_t> receive_byte(int socket);

} // namespace bpfaot::loader
