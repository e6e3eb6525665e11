// SPDX-License-Identifier: MIT
//
// libbpf's linker was made for objects of one's own compiler. It runs in a child, with limits of
// processor time, memory and output: what makes it crash, grow or never end is an error of the input
// here.
#include "bpf/link_objects.h"

#include "bpf/bytes.h"
#include "bpf/object.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace bpfaot::bpf {
namespace {

constexpr uint64_t kMaxAlignment = 4096; // the linker pads to it
constexpr size_t kMaxText = 8192;

Failure system_error(const char* what) {
  return fail(Code::kIo, std::string(what) + ": " + std::strerror(errno));
}

class MemoryFile {
public:
  static Result<MemoryFile> create(const char* name) {
    MemoryFile file;
    file.fd_ = memfd_create(name, MFD_CLOEXEC);
    if (file.fd_ < 0)
      return system_error("a file in memory cannot be created");
    return file;
  }
  MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~MemoryFile() {
    if (fd_ >= 0)
      close(fd_);
  }

  int fd() const { return fd_; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  Status fill(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t done = write(fd_, bytes.data(), bytes.size());
      if (done <= 0)
        return system_error("a file in memory cannot be written");
      bytes = bytes.subspan(static_cast<size_t>(done));
    }
    return {};
  }

  Result<std::vector<uint8_t>> content(size_t most = SIZE_MAX) const {
    const off_t size = lseek(fd_, 0, SEEK_END);
    if (size < 0)
      return system_error("a file in memory cannot be read");
    std::vector<uint8_t> bytes(std::min(static_cast<size_t>(size), most));
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got =
          pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (got <= 0)
        return system_error("a file in memory cannot be read");
      done += static_cast<size_t>(got);
    }
    return bytes;
  }

private:
  MemoryFile() = default;
  int fd_ = -1;
};

// Our reader has checked everything but the alignments, which it has no use for.
Status check_alignments(std::span<const uint8_t> bytes) {
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  if (!header)
    return fail(Code::kElfTruncated, "the file ends inside the ELF header");
  for (uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto section = load<Elf64_Shdr>(bytes, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section)
      return fail(Code::kElfTruncated, "the file ends inside the section headers");
    const uint64_t alignment = section->sh_addralign;
    if (alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0)
      return fail(Code::kElfMalformed, "section " + std::to_string(i) + " is aligned to " +
                                           std::to_string(alignment) + " bytes");
  }
  return {};
}

int child_log = -1; // of the child alone: libbpf's callback has no argument of the caller's

int log_line(enum libbpf_print_level level, const char* format, va_list arguments) {
  return level == LIBBPF_WARN ? vdprintf(child_log, format, arguments) : 0;
}

// Bytes of addresses that this process has, 0 when it cannot be known.
uint64_t mapped_bytes() {
  unsigned long long pages = 0;
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr)
    return 0;
  const bool read = std::fscanf(file, "%llu", &pages) == 1;
  std::fclose(file);
  return read ? pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// A limit that the user has set already stays.
void limit(__rlimit_resource resource, uint64_t most) {
  rlimit own{};
  getrlimit(resource, &own);
  own.rlim_max = std::min<rlim_t>(own.rlim_max, most + 1); // so that the signal of the limit comes first
  own.rlim_cur = std::min<rlim_t>(own.rlim_max, most);
  setrlimit(resource, &own);
}

enum ChildStatus : int { kLinked = 0, kRefused = 1, kNoMemory = 2 };

[[noreturn]] void link_in_child(std::span<const MemoryFile> inputs, const MemoryFile& output,
                                const MemoryFile& log, const LinkLimits& limits) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, limits.seconds);
  limit(RLIMIT_FSIZE, limits.output);
  if (const uint64_t mapped = mapped_bytes(); mapped != 0)
    limit(RLIMIT_AS, mapped + limits.memory);
  child_log = log.fd();
  libbpf_set_print(log_line);
  bpf_linker* linker = bpf_linker__new(output.path().c_str(), nullptr);
  int error = linker == nullptr ? -errno : 0;
  for (const MemoryFile& input : inputs)
    if (error == 0)
      error = bpf_linker__add_file(linker, input.path().c_str(), nullptr);
  if (error == 0)
    error = bpf_linker__finalize(linker);
  _exit(error == 0 ? kLinked : error == -ENOMEM || errno == ENOMEM ? kNoMemory : kRefused);
}

// Which limit ended the child, "" when none did.
std::string exceeded(int status, const LinkLimits& limits) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMemory)
    return "more than " + std::to_string(limits.memory >> 20) + " MB of memory";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    return "more than " + std::to_string(limits.seconds) + " s of processor time";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)
    return "more than " + std::to_string(limits.output >> 20) + " MB of output";
  return "";
}

// "libbpf: global 'x': …\nlibbpf: …" with the names that the user gave the files.
std::string readable(const MemoryFile& log, std::span<const MemoryFile> inputs,
                     std::span<const std::string> paths) {
  const auto bytes = log.content(kMaxText);
  std::string text = bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
  const auto replace_all = [&text](std::string_view from, std::string_view to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  for (size_t i = inputs.size(); i-- > 0;) // fd 12 before fd 1
    replace_all(inputs[i].path(), paths[i]);
  replace_all("libbpf: ", "");
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  replace_all("\n", "; ");
  return text;
}

} // namespace

Result<std::vector<uint8_t>> link_objects(std::span<const std::string> paths,
                                          const LinkLimits& limits) {
  std::vector<MemoryFile> inputs;
  for (const std::string& path : paths) {
    const Object object = TRY(read_object_file(path));
    if (Status aligned = check_alignments(object.bytes); !aligned) {
      Failure failure = std::move(aligned).take_error();
      failure.diagnostic().subject = path;
      return failure;
    }
    inputs.push_back(TRY(MemoryFile::create("input.bpf.o")));
    TRY(inputs.back().fill(object.bytes));
  }
  const MemoryFile output = TRY(MemoryFile::create("linked.bpf.o"));
  const MemoryFile log = TRY(MemoryFile::create("log"));
  const pid_t child = fork();
  if (child < 0)
    return system_error("no process can be started");
  if (child == 0)
    link_in_child(inputs, output, log, limits);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return system_error("the linker cannot be waited for");
  if (WIFEXITED(status) && WEXITSTATUS(status) == kLinked)
    return output.content();
  std::string names;
  for (const std::string& path : paths)
    names += (names.empty() ? "" : ", ") + path;
  if (const std::string what = exceeded(status, limits); !what.empty())
    return Failure(make_error(Code::kObjectsLimit, "linking the objects into one takes " + what)
                       .about(names));
  std::string why = readable(log, inputs, paths);
  if (WIFSIGNALED(status))
    why += (why.empty() ? "" : "; ") + std::string("libbpf's linker did not survive them");
  return Failure(
      make_error(Code::kObjectsConflict, "the objects cannot be linked into one: " +
                                             (why.empty() ? "libbpf gives no reason" : why))
          .about(names));
}

} // namespace bpfaot::bpf
