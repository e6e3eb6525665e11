// SPDX-License-Identifier: MIT
//
// Giving a process descriptors of ours. It opens /proc/LOADER/fd/N where it may look there (same
// user, same PID namespace); otherwise it makes a pair of sockets, of which we take one end
// (pidfd_getfd) and send the descriptors through it.
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

Result<int> Process::open_there(uint64_t scratch, const SharedFile& file) {
  const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file.fd);
  TRY(write(scratch, {reinterpret_cast<const uint8_t*>(path.c_str()), path.size() + 1}));
  const uint64_t flags = O_CLOEXEC | (file.writable ? O_RDWR : O_RDONLY);
  const int64_t result = TRY(one_call(SYS_openat, {static_cast<uint64_t>(int64_t{AT_FDCWD}), scratch, flags, 0}));
  if (result < 0) {
    return fail(Code::kRemoteCall, "opening " + path + " failed: " + std::strerror(static_cast<int>(-result)));
  }
  // In another PID namespace the path may be somebody else's file.
  struct stat ours {}, theirs {};
  const std::string there = "/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(result);
  if (fstat(file.fd, &ours) != 0 || stat(there.c_str(), &theirs) != 0 || ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev) {
    close_there({static_cast<int>(result)});
    return fail(Code::kRemoteCall, path + " is another file for the process");
  }
  return static_cast<int>(result);
}

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
  close_there({pair[0], pair[1]});
  return received;
}

Result<std::vector<int>> Process::send_files(std::span<const SharedFile> files) {
  if (files.empty()) {
    return std::vector<int>{};
  }
  const int64_t page = TRY(one_call(SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0}));
  if (page < 0 && page > -4096) {
    return fail(Code::kRemoteCall, std::string("the process has no memory for a page: ") + std::strerror(static_cast<int>(-page)));
  }
  const uint64_t scratch = static_cast<uint64_t>(page);
  Result<std::vector<int>> sent = std::vector<int>{};
  for (const SharedFile& file : files) {
    Result<int> fd = open_there(scratch, file);
    if (!fd) {
      close_there(*sent);
      sent = send_by_socket(scratch, files);
      break;
    }
    sent->push_back(*fd);
  }
  (void)one_call(SYS_munmap, {scratch, 4096});
  return sent;
}

void Process::close_there(const std::vector<int>& fds) {
  for (const int fd : fds) {
    (void)one_call(SYS_close, {static_cast<uint64_t>(fd)});
  }
}

} // namespace bpfaot::loader
