// SPDX-License-Identifier: MIT
//
// Reading the headers of a command before it is started.
#include "loader/preload/startable.h"

#include "loader/elf.h"
#include "support/files.h"
#include "targets/target.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kScripts = 4; // an interpreter may be a script again; the kernel stops about here

Failure ignores(const std::string& path, const std::string& why) {
  return Failure(make_error(Code::kPreloadMissing, "the command would not load the preload library: " + why)
                     .about(path)
                     .hint("without --preload, run puts the probes in by ptrace"));
}

// The dynamic linker drops LD_PRELOAD from paths when the program starts with other rights (ld.so(8)).
bool changes_rights(const std::string& path, const struct stat& status) {
  struct statvfs system {};
  if (statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0)
    return false;
  const bool user = (status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid();
  const bool group = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getegid();
  const bool capabilities = geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return user || group || capabilities;
}

std::string interpreter_of_script(std::string_view text) {
  text = text.substr(2, std::min(text.find('\n'), text.size()) - 2);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return std::string(text.substr(0, text.find_first_of(" \t")));
}

Status check(const std::string& path, int scripts) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 4)
    return {};
  const auto size = static_cast<size_t>(status.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (address == MAP_FAILED)
    return {};
  const Mapping file(address, size);
  const std::string_view text(reinterpret_cast<const char*>(file.data()), std::min<size_t>(size, 256));
  if (text.starts_with("#!"))
    return scripts == 0 ? Status{} : check(interpreter_of_script(text), scripts - 1);
  if (changes_rights(path, status))
    return ignores(path, "it starts with other rights than yours, and then LD_PRELOAD is ignored");
  const Result<ElfView> elf = ElfView::open({file.data(), file.size()});
  if (!elf)
    return text.starts_with("\x7f" "ELF") ? ignores(path, elf.error().message) : Status{};
  if (elf->machine() != targets::host().e_machine) {
    const targets::Target* machine = targets::find_machine(elf->machine());
    return ignores(path, "it is for " + (machine != nullptr ? std::string(machine->name) : std::string("another machine")) +
                             ", the library for " + std::string(targets::host().name));
  }
  if (elf->interpreter().empty())
    return ignores(path, "it is static, no dynamic linker starts it");
  return {};
}

} // namespace

std::string find_command(const std::string& name) {
  if (name.find('/') != std::string::npos)
    return name;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
  while (true) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string file = std::string(end == 0 ? "." : rest.substr(0, end)) + "/" + name;
    struct stat status {};
    if (stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(file.c_str(), X_OK) == 0)
      return file;
    if (end == rest.size())
      return "";
    rest.remove_prefix(end + 1);
  }
}

Status check_loads_libraries(const std::string& path) { return check(path, kScripts); }

Result<std::string> find_preload_library() {
  char self[PATH_MAX] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    return fail(Code::kPreloadMissing, "the path of this program is not known");
  std::string folder(self);
  folder.resize(folder.rfind('/'));
  const std::string name = "libbpfaot-preload.so";
  const std::string beside = folder + "/" + name;
  const std::string usual = folder + "/../lib/bpf-aot/" + std::string(targets::host().name) + "/" + name;
  for (const std::string& path : {beside, usual}) {
    char resolved[PATH_MAX];
    if (access(path.c_str(), R_OK) != 0 || realpath(path.c_str(), resolved) == nullptr)
      continue;
    if (std::strpbrk(resolved, " :,") != nullptr)
      return fail(Code::kPreloadMissing, std::string(resolved) + " cannot be named in LD_PRELOAD: blanks, colons and commas part names");
    return std::string(resolved);
  }
  return fail(Code::kPreloadMissing, "there is no " + name + " in " + folder + " or " + folder + "/../lib/bpf-aot/" +
                                         std::string(targets::host().name));
}

} // namespace bpfaot::loader
