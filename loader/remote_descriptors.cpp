// SPDX-License-Identifier: MIT
//
// Giving descriptors of ours to a process that may not open them in /proc (another user, another PID
// namespace): it makes a pair of sockets, of which we take one end (pidfd_getfd) and send them through.
// A loader that is killed in the middle leaves the sockets or descriptors open there.
#include "loader/process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

namespace bpfaot::loader {
namespace {

struct Remote { // what lies in the scratch memory for recvmsg
  msghdr message;
  iovec vector;
  alignas(8) char control[CMSG_SPACE(8 * sizeof(int))];
  char byte;
};

Status send_through(int socket, const std::vector<int>& fds) {
  char byte = 0;
  iovec vector{&byte, 1};
  alignas(8) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  if (sendmsg(socket, &message, 0) != 1) {
    return fail(Code::kRemoteCall, std::string("sending descriptors failed: ") + std::strerror(errno));
  }
  return {};
}

} // namespace

Result<std::vector<int>> Process::receive_there(uint64_t scratch, int socket, size_t count) {
  Remote remote{};
  const auto at = [&](const void* member) {
    return reinterpret_cast<char*>(scratch + static_cast<uint64_t>(static_cast<const char*>(member) - reinterpret_cast<const char*>(&remote)));
  };
  remote.vector = {at(&remote.byte), 1};
  remote.message.msg_iov = reinterpret_cast<iovec*>(at(&remote.vector));
  remote.message.msg_iovlen = 1;
  remote.message.msg_control = at(remote.control);
  remote.message.msg_controllen = sizeof remote.control;
  TRY(write_object(scratch, remote));
  const int64_t got = TRY(one_call(SYS_recvmsg, {static_cast<uint64_t>(socket), scratch, MSG_CMSG_CLOEXEC}));
  if (got != 1) {
    return fail(Code::kRemoteCall, "receiving descriptors in the process failed: " + std::string(std::strerror(static_cast<int>(-got))));
  }
  remote = TRY(read_object<Remote>(scratch));
  cmsghdr header;
  std::memcpy(&header, remote.control, sizeof header);
  if (header.cmsg_type != SCM_RIGHTS || header.cmsg_len != CMSG_LEN(count * sizeof(int))) {
    return fail(Code::kRemoteCall, "the process received no descriptors");
  }
  std::vector<int> fds(count);
  std::memcpy(fds.data(), remote.control + CMSG_LEN(0), count * sizeof(int));
  return fds;
}

Result<std::vector<int>> Process::send_by_socket(uint64_t scratch, std::span<const SharedFile> files) {
  std::vector<int> fds;
  for (const SharedFile& file : files) {
    fds.push_back(file.fd);
  }
  const int64_t made = TRY(one_call(SYS_socketpair, {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, scratch}));
  if (made != 0) {
    return fail(Code::kRemoteCall, std::string("making a socket in the process failed: ") + std::strerror(static_cast<int>(-made)));
  }
  int pair[2];
  TRY(read(scratch, {reinterpret_cast<uint8_t*>(pair), sizeof pair}));
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  UniqueFd ours(pidfd.valid() ? static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), pair[0], 0)) : -1);
  Result<std::vector<int>> received = fail(Code::kRemoteCall, std::string("cannot take a descriptor of the process: ") + std::strerror(errno));
  if (ours.valid()) {
    const Status sent = send_through(ours.get(), fds);
    received = sent ? receive_there(scratch, pair[1], fds.size()) : Result<std::vector<int>>(fail(Code::kRemoteCall, sent.error().message));
  }
  for (const int fd : pair) {
    (void)one_call(SYS_close, {static_cast<uint64_t>(fd)});
  }
  return received;
}

} // namespace bpfaot::loader
