// SPDX-License-Identifier: MIT
//
// Messages as length, then little-endian fields one behind the other. Descriptors travel with the
// length.
#include "loader/preload/handover.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint32_t kVersion = 2;
constexpr uint64_t kMaxMessage = 64u << 20;
constexpr size_t kMaxFds = 4;

class Writer {
public:
  template <class T> void number(T value) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    out_.insert(out_.end(), bytes, bytes + sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    out_.insert(out_.end(), value.begin(), value.end());
  }
  void bytes(std::span<const uint8_t> value) { text({reinterpret_cast<const char*>(value.data()), value.size()}); }
  void refusal(const std::optional<Diagnostic>& diagnostic) {
    number(static_cast<uint8_t>(diagnostic.has_value()));
    if (diagnostic) {
      text(code_text(diagnostic->code));
      text(diagnostic->message);
      text(diagnostic->subject);
    }
  }
  std::vector<uint8_t> take() { return std::move(out_); }

private:
  std::vector<uint8_t> out_;
};

// The first fault sticks; what is read behind it is empty.
class Reader {
public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <class T> T number() {
    T value{};
    const std::span<const uint8_t> from = take(sizeof value);
    std::copy(from.begin(), from.end(), reinterpret_cast<uint8_t*>(&value));
    return value;
  }
  std::string text() {
    const std::span<const uint8_t> from = take(number<uint32_t>());
    return std::string(from.begin(), from.end());
  }
  std::vector<uint8_t> bytes() {
    const std::span<const uint8_t> from = take(number<uint32_t>());
    return {from.begin(), from.end()};
  }
  std::optional<Diagnostic> refusal() {
    if (number<uint8_t>() == 0)
      return std::nullopt;
    const std::optional<Code> code = parse_code(text());
    std::string message = text();
    Diagnostic diagnostic = make_error(code.value_or(Code::kHandover), std::move(message));
    diagnostic.subject = text();
    ok_ &= code.has_value();
    return diagnostic;
  }
  // Of entries that have at least `size` bytes each.
  uint32_t count(size_t size) {
    const auto wanted = number<uint32_t>();
    ok_ &= wanted <= bytes_.size() / size;
    return ok_ ? wanted : 0;
  }
  bool is_whole() const { return ok_ && bytes_.empty(); }

private:
  std::span<const uint8_t> take(size_t size) {
    ok_ &= size <= bytes_.size();
    if (!ok_)
      return {};
    const std::span<const uint8_t> result = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return result;
  }
  std::span<const uint8_t> bytes_;
  bool ok_ = true;
};

Failure damaged() { return fail(Code::kHandover, "a message between bpf-aot and the preload library is damaged"); }

Failure gone(const char* verb) {
  return fail(Code::kHandover, std::string("cannot ") + verb + " a message: the other end is gone");
}

Status move_all(int socket, uint8_t* bytes, size_t size, bool sends) {
  while (size != 0) {
    iovec vector{bytes, size};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t moved = sends ? sendmsg(socket, &message, MSG_NOSIGNAL) : recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved <= 0)
      return gone(sends ? "send" : "receive");
    bytes += moved;
    size -= static_cast<size_t>(moved);
  }
  return {};
}

} // namespace

std::vector<uint8_t> encode(const StartMessage& message) {
  Writer writer;
  writer.number(kVersion);
  writer.text(message.image);
  writer.number(static_cast<uint32_t>(message.wishes.size()));
  for (const ProbeWish& wish : message.wishes) {
    writer.number(wish.program);
    writer.number(wish.cookie);
    writer.number(static_cast<uint8_t>(wish.spec.is_return));
    writer.text(wish.spec.program);
    writer.text(wish.spec.path);
    writer.text(wish.spec.symbol);
    writer.number(wish.spec.offset);
  }
  return writer.take();
}

Result<StartMessage> decode_start(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  StartMessage message;
  if (reader.number<uint32_t>() != kVersion)
    return fail(Code::kHandover, "bpf-aot and the preload library are of different versions");
  message.image = reader.text();
  const uint32_t count = reader.count(21);
  for (uint32_t i = 0; i < count; ++i) {
    ProbeWish wish;
    wish.program = reader.number<uint32_t>();
    wish.cookie = reader.number<uint64_t>();
    wish.spec.is_return = reader.number<uint8_t>() != 0;
    wish.spec.program = reader.text();
    wish.spec.path = reader.text();
    wish.spec.symbol = reader.text();
    wish.spec.offset = reader.number<uint64_t>();
    message.wishes.push_back(std::move(wish));
  }
  if (!reader.is_whole())
    return damaged();
  return message;
}

std::vector<uint8_t> encode(const PlannedMessage& message) {
  Writer writer;
  writer.refusal(message.failure);
  writer.number(static_cast<uint32_t>(message.rows.size()));
  for (const PlanRow& row : message.rows) {
    writer.text(row.file);
    writer.text(row.symbol);
    writer.number(row.address);
    writer.text(row.bytes);
    writer.refusal(row.refusal);
  }
  return writer.take();
}

Result<PlannedMessage> decode_planned(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  PlannedMessage message;
  message.failure = reader.refusal();
  const uint32_t count = reader.count(21);
  for (uint32_t i = 0; i < count; ++i) {
    PlanRow row;
    row.file = reader.text();
    row.symbol = reader.text();
    row.address = reader.number<uint64_t>();
    row.bytes = reader.text();
    row.refusal = reader.refusal();
    message.rows.push_back(std::move(row));
  }
  if (!reader.is_whole())
    return damaged();
  return message;
}

std::vector<uint8_t> encode(const AttachedMessage& message) {
  Writer writer;
  writer.refusal(message.failure);
  writer.number(message.runtime_inode);
  writer.number(static_cast<uint32_t>(message.patches.size()));
  for (const SitePatch& patch : message.patches) {
    writer.number(patch.address);
    writer.bytes(patch.original);
    writer.bytes(patch.patched);
    writer.number(static_cast<uint8_t>(patch.is_guard));
  }
  writer.number(static_cast<uint32_t>(message.refusals.size()));
  for (const std::optional<Diagnostic>& refusal : message.refusals)
    writer.refusal(refusal);
  return writer.take();
}

Result<AttachedMessage> decode_attached(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  AttachedMessage message;
  message.failure = reader.refusal();
  message.runtime_inode = reader.number<uint64_t>();
  const uint32_t patches = reader.count(16);
  bool sound = true;
  for (uint32_t i = 0; i < patches; ++i) {
    SitePatch patch;
    patch.address = reader.number<uint64_t>();
    patch.original = reader.bytes();
    patch.patched = reader.bytes();
    patch.is_guard = reader.number<uint8_t>() != 0;
    sound &= patch.original.size() == patch.patched.size() && patch.original.size() <= 64;
    message.patches.push_back(std::move(patch));
  }
  const uint32_t refusals = reader.count(1);
  for (uint32_t i = 0; i < refusals; ++i)
    message.refusals.push_back(reader.refusal());
  if (!reader.is_whole() || !sound)
    return damaged();
  return message;
}

Status send_message(int socket, std::span<const uint8_t> bytes, std::span<const int> fds) {
  uint64_t size = bytes.size();
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  iovec vector{&size, sizeof size};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL) != sizeof size)
    return gone("send");
  return move_all(socket, const_cast<uint8_t*>(bytes.data()), bytes.size(), true);
}

Result<ReceivedMessage> receive_message(int socket) {
  uint64_t size = 0;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  iovec vector{&size, sizeof size};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  ReceivedMessage received;
  if (const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
      header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  if (got != sizeof size)
    return gone("receive");
  if (size > kMaxMessage)
    return damaged();
  received.bytes.resize(size);
  TRY(move_all(socket, received.bytes.data(), size, false));
  return received;
}

Status send_byte(int socket, uint8_t byte) { return move_all(socket, &byte, 1, true); }

Result<uint8_t> receive_byte(int socket) {
  uint8_t byte = 0;
  TRY(move_all(socket, &byte, 1, false));
  return byte;
}

} // namespace bpfaot::loader
