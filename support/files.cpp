// SPDX-License-Identifier: MIT
//
// Reading and writing whole files by descriptor. Output goes to a new file beside the destination
// and is renamed over it, so readers see the old file or the new one, never a part.
#include "support/files.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bpfaot {
namespace {

Failure io_failure(const std::string& path, const char* what, int error) {
  return Failure(make_error(Code::kIo, std::string("cannot ") + what + ": " + std::strerror(error))
                     .about(path));
}

Failure too_large(const std::string& path, uint64_t limit) {
  return Failure(make_error(Code::kIo, "file is too large")
                     .about(path)
                     .values("more than " + std::to_string(limit) + " bytes",
                             "at most " + std::to_string(limit) + " bytes"));
}

Status write_all(int fd, const std::string& path, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return io_failure(path, "write", errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<std::vector<uint8_t>> read_all(int fd, const std::string& path, uint64_t limit) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return io_failure(path, "read", errno);
  if (S_ISDIR(info.st_mode))
    return io_failure(path, "read", EISDIR);
  std::vector<uint8_t> bytes;
  // The size is a hint only: pipes and /proc files have none, and a file may grow while it is read.
  const bool sized = S_ISREG(info.st_mode) && info.st_size > 0;
  const uint64_t hint = sized ? static_cast<uint64_t>(info.st_size) : 0;
  if (hint > limit)
    return too_large(path, limit);
  bytes.resize(hint + 4096);
  size_t used = 0;
  for (;;) {
    if (used == bytes.size())
      bytes.resize(bytes.size() + bytes.size() / 2);
    const ssize_t n = ::read(fd, bytes.data() + used, bytes.size() - used);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return io_failure(path, "read", errno);
    if (n == 0)
      break;
    used += static_cast<size_t>(n);
    if (used > limit)
      return too_large(path, limit);
  }
  bytes.resize(used);
  return bytes;
}

// The file a write to `path` reaches: links followed, so that a link stays a link.
std::string follow_links(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr)
    return path;
  std::string result(resolved);
  std::free(resolved);
  return result;
}

struct Scratch {
  std::string path;
  UniqueFd fd;
};

// The kernel applies the umask to `mode`, which is why this is not mkstemp.
Result<Scratch> create_beside(const std::string& path, int mode) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Scratch scratch;
    scratch.path = path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    scratch.fd.reset(::open(scratch.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (scratch.fd.valid())
      return scratch;
    if (errno != EEXIST)
      return io_failure(path, "create", errno);
  }
  return io_failure(path, "create", EEXIST);
}

} // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0 && fd_ != fd)
    ::close(fd_);
  fd_ = fd;
}

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    if (address_ != nullptr)
      ::munmap(address_, size_);
    address_ = std::exchange(other.address_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Mapping::~Mapping() {
  if (address_ != nullptr)
    ::munmap(address_, size_);
}

Result<Mapping> map_zeros(size_t size) {
  if (size == 0)
    return Mapping();
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED)
    return fail(Code::kIo, "no memory for " + std::to_string(size) + " bytes");
  return Mapping(memory, size);
}

Result<std::vector<uint8_t>> read_file(const std::string& path, uint64_t size_limit) {
  if (path == "-")
    return read_all(STDIN_FILENO, "standard input", size_limit);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid())
    return io_failure(path, "open", errno);
  return read_all(fd.get(), path, size_limit);
}

Status write_file_atomically(const std::string& path, std::span<const uint8_t> bytes, int mode) {
  if (path == "-")
    return write_all(STDOUT_FILENO, "standard output", bytes);
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    // A device or a pipe is written through: replacing /dev/null by a file helps nobody.
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid())
      return io_failure(path, "open", errno);
    return write_all(fd.get(), path, bytes);
  }
  const std::string target = follow_links(path);
  Scratch scratch = TRY(create_beside(target, mode));
  Status written = write_all(scratch.fd.get(), path, bytes);
  // close() is where a full network file system says so.
  if (written && ::close(scratch.fd.release()) != 0)
    written = io_failure(path, "write", errno);
  if (written && ::rename(scratch.path.c_str(), target.c_str()) != 0)
    written = io_failure(path, "rename to", errno);
  if (!written)
    ::unlink(scratch.path.c_str());
  return written;
}

} // namespace bpfaot
