// SPDX-License-Identifier: MIT
#include "conformance/runner.h"

#include "support/files.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bpfaot::conformance {
namespace {

constexpr unsigned kSeconds = 300; // beyond it a run counts as one that does not come back

std::string runner_path(const targets::Target& target, const std::string& resource_dir) {
  return resource_dir + "/" + std::string(target.triple) + "/run_image";
}

bool is_native(const targets::Target& target) {
  return &target == &targets::host();
}

bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  const std::string all = path != nullptr ? path : "/usr/bin:/bin";
  for (size_t begin = 0; begin <= all.size();) {
    const size_t end = std::min(all.find(':', begin), all.size());
    if (access((all.substr(begin, end - begin) + "/" + program).c_str(), X_OK) == 0)
      return true;
    begin = end + 1;
  }
  return false;
}

// A file without a name, which the child opens by its number.
Result<UniqueFd> in_memory(std::span<const uint8_t> bytes) {
  UniqueFd fd(memfd_create("bpf-aotc-conformance", 0));
  for (size_t done = 0; fd.valid() && done < bytes.size();) {
    const ssize_t count = write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (count <= 0)
      fd.reset();
    else
      done += static_cast<size_t>(count);
  }
  if (!fd.valid())
    return fail(Code::kIo, std::string("memory for a program's image: ") + std::strerror(errno));
  return fd;
}

// Does not return.
void run_child(const std::vector<std::string>& words, int out) {
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  dup2(out, STDOUT_FILENO);
  alarm(kSeconds);
  execvp(argv[0], argv.data());
  _exit(127);
}

std::string read_all(int fd) {
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t count = read(fd, part, sizeof(part));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return text;
    text.append(part, static_cast<size_t>(count));
  }
}

std::vector<RunResult> parse_results(const std::string& text) {
  std::vector<RunResult> results;
  unsigned long long r0 = 0, hash = 0;
  int length = 0;
  for (const char* at = text.c_str(); std::sscanf(at, "%llx %llx\n%n", &r0, &hash, &length) == 2;
       at += length)
    results.push_back({r0, hash});
  return results;
}

} // namespace

uint64_t memory_hash(std::span<const uint8_t> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

Status check_runner(const targets::Target& target, const std::string& resource_dir) {
  if (access(runner_path(target, resource_dir).c_str(), X_OK) != 0)
    return fail(Code::kResource, "no " + runner_path(target, resource_dir) +
                                     ": this build cannot run programs of " +
                                     std::string(target.name));
  if (!is_native(target) && !is_on_path(std::string(target.qemu)))
    return fail(Code::kResource, std::string(target.qemu) + " is not installed");
  return {};
}

Result<std::vector<RunResult>> run_image(const targets::Target& target,
                                         const std::string& resource_dir,
                                         std::span<const uint8_t> image,
                                         std::span<const uint8_t> inputs, uint32_t input_size) {
  TRY(check_runner(target, resource_dir));
  const UniqueFd image_file = TRY(in_memory(image));
  const UniqueFd input_file = TRY(in_memory(inputs));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(Code::kIo, std::string("a pipe: ") + std::strerror(errno));
  UniqueFd from(ends[0]), to(ends[1]);
  std::vector<std::string> words;
  if (!is_native(target))
    words.push_back(std::string(target.qemu));
  words.push_back(runner_path(target, resource_dir));
  words.push_back("/proc/self/fd/" + std::to_string(image_file.get()));
  if (!inputs.empty()) {
    words.push_back("/proc/self/fd/" + std::to_string(input_file.get()));
    words.push_back(std::to_string(input_size));
  }
  const pid_t child = fork();
  if (child < 0)
    return fail(Code::kIo, std::string("a process: ") + std::strerror(errno));
  if (child == 0)
    run_child(words, to.get());
  to.reset();
  const std::string text = read_all(from.get());
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return parse_results(text);
}

} // namespace bpfaot::conformance
