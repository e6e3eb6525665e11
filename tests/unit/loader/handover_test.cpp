// SPDX-License-Identifier: MIT
//
// Messages between bpf-aot and the preload library: what is written is read, and nothing else is
// accepted, whatever the other end sends.
#include "loader/preload/handover.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace bpfaot::loader {
namespace {

StartMessage start_message() {
  StartMessage message;
  message.image = "probe.so";
  for (uint32_t i = 0; i < 3; ++i) {
    ProbeWish wish;
    wish.program = i;
    wish.cookie = 0x1122334455667788 + i;
    wish.spec = {"program", i == 1, "/lib/libc.so.6", i == 2 ? "" : "malloc", i * 16};
    message.wishes.push_back(wish);
  }
  return message;
}

PlannedMessage planned_message() {
  PlannedMessage message;
  PlanRow row;
  row.file = "/lib/libc.so.6";
  row.symbol = "malloc";
  row.address = 0x7f0000001000;
  row.bytes = "f3 0f 1e fa";
  message.rows.push_back(row);
  row.refusal = make_error(Code::kAttachShort, "too short");
  message.rows.push_back(row);
  return message;
}

AttachedMessage attached_message() {
  AttachedMessage message;
  message.runtime_inode = 42;
  message.patches = {{0x1000, {1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, true}};
  message.refusals = {std::nullopt, make_error(Code::kAttachReach, "too far")};
  return message;
}

TEST(Handover, GivesBackWhatWasSent) {
  const auto start = decode_start(encode(start_message()));
  ASSERT_TRUE(start);
  EXPECT_EQ(start->image, "probe.so");
  ASSERT_EQ(start->wishes.size(), 3u);
  EXPECT_EQ(start->wishes[1].spec, start_message().wishes[1].spec);
  EXPECT_EQ(start->wishes[2].cookie, 0x112233445566778au);

  const auto planned = decode_planned(encode(planned_message()));
  ASSERT_TRUE(planned);
  ASSERT_EQ(planned->rows.size(), 2u);
  EXPECT_FALSE(planned->rows[0].refusal);
  EXPECT_EQ(planned->rows[0].address, 0x7f0000001000u);
  ASSERT_TRUE(planned->rows[1].refusal);
  EXPECT_EQ(planned->rows[1].refusal->code, Code::kAttachShort);

  const auto attached = decode_attached(encode(attached_message()));
  ASSERT_TRUE(attached);
  EXPECT_EQ(attached->patches, attached_message().patches);
  EXPECT_EQ(attached->refusals[1]->code, Code::kAttachReach);
  EXPECT_EQ(attached->runtime_inode, 42u);
}

// Any other length is refused, and any other byte is read without harm.
template <class Decode> void mistreat(const std::vector<uint8_t>& bytes, Decode decode) {
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode(std::span(bytes).first(size))) << size;
  std::vector<uint8_t> more = bytes;
  more.push_back(0);
  EXPECT_FALSE(decode(more));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const uint8_t value : {0x00, 0x01, 0x7f, 0xff}) {
      std::vector<uint8_t> changed = bytes;
      changed[i] = value;
      (void)decode(changed);
    }
  }
}

TEST(Handover, RefusesMessagesThatAreCutOrGoOn) {
  mistreat(encode(start_message()), [](std::span<const uint8_t> bytes) { return decode_start(bytes).has_value(); });
  mistreat(encode(planned_message()), [](std::span<const uint8_t> bytes) { return decode_planned(bytes).has_value(); });
  mistreat(encode(attached_message()), [](std::span<const uint8_t> bytes) { return decode_attached(bytes).has_value(); });
}

TEST(Handover, RefusesSitesWhoseTwoSetsOfBytesDiffer) {
  AttachedMessage message = attached_message();
  message.patches[0].patched.pop_back();
  EXPECT_FALSE(decode_attached(encode(message)));
}

TEST(Handover, CarriesDescriptorsAndNoticesTheEnd) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const UniqueFd here(sockets[0]);
  UniqueFd there(sockets[1]);
  const std::vector<uint8_t> bytes = {1, 2, 3};
  const int fds[] = {0, 1};
  ASSERT_TRUE(send_message(there.get(), bytes, fds));
  const auto received = receive_message(here.get());
  ASSERT_TRUE(received);
  EXPECT_EQ(received->bytes, bytes);
  EXPECT_EQ(received->fds.size(), 2u);
  ASSERT_TRUE(send_byte(there.get(), 7));
  EXPECT_EQ(receive_byte(here.get()).value(), 7);
  there.reset();
  EXPECT_FALSE(receive_message(here.get()));
  EXPECT_FALSE(send_message(here.get(), bytes)); // and no SIGPIPE
}

} // namespace
} // namespace bpfaot::loader
