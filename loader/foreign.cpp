// SPDX-License-Identifier: MIT
//
// Finding the other machine's bpf-aot, relative to this executable so that a tree can be moved.
#include "loader/foreign.h"

#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bpfaot::loader {

Failure exec_foreign(const targets::Target& target, const std::vector<std::string>& arguments) {
  char self[PATH_MAX] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    return fail(Code::kForeignLoader, "the path of this program is not known");
  std::string path(self);
  path.resize(path.rfind('/'));
  path += "/../lib/bpf-aot/" + std::string(target.name) + "/bpf-aot";
  if (access(path.c_str(), R_OK) != 0)
    return Failure(make_error(Code::kForeignLoader, "no bpf-aot for " + std::string(target.name))
                       .about(path)
                       .hint("build the target bpfaot_cross_loaders"));
  const std::string qemu(target.qemu);
  std::vector<std::string> words = {qemu, path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  fflush(nullptr);
  execvp(qemu.c_str(), argv.data());
  return Failure(make_error(Code::kForeignLoader, "cannot run " + qemu + ": " + strerror(errno))
                     .hint("install qemu-user"));
}

namespace {

std::string link_of(const char* path) {
  char text[PATH_MAX];
  const ssize_t size = readlink(path, text, sizeof text);
  return std::string(text, size > 0 ? static_cast<size_t>(size) : 0);
}

} // namespace

// Emulators answer for /proc/self and forget /proc/thread-self, which leads to the same.
std::string emulator_path() {
  const std::string kernels = link_of("/proc/thread-self/exe");
  return kernels != link_of("/proc/self/exe") ? kernels : std::string();
}

} // namespace bpfaot::loader
