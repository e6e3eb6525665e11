// SPDX-License-Identifier: MIT
#include "loader/debug_file.h"

#include "support/files.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kMaxDebugFile = 1ull << 30;

// Regular files only: the name may come from the file of another user.
std::optional<std::vector<uint8_t>> read_regular(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      static_cast<uint64_t>(status.st_size) > kMaxDebugFile) {
    return std::nullopt;
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(status.st_size));
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got <= 0) {
      return std::nullopt;
    }
    have += static_cast<size_t>(got);
  }
  return bytes;
}

std::vector<std::string> places(const ElfView& elf, const std::string& path) {
  std::vector<std::string> list;
  const std::string id = elf.build_id();
  if (id.size() > 2) {
    list.push_back("/usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
  }
  const std::optional<ElfDebugLink> link = elf.debug_link();
  const size_t slash = path.rfind('/');
  if (link && slash != std::string::npos) {
    const std::string folder = path.substr(0, slash + 1), file(link->file);
    list.insert(list.end(), {folder + file, folder + ".debug/" + file, "/usr/lib/debug" + folder + file});
  }
  return list;
}

} // namespace

bool belongs_to(const ElfView& debug, const ElfView& elf) {
  const std::string id = elf.build_id();
  const std::optional<ElfDebugLink> link = elf.debug_link();
  const bool is_named = !id.empty() ? debug.build_id() == id : link && crc32(debug.bytes()) == link->crc;
  // Stripping to debug information keeps the segments' addresses and drops their bytes.
  const auto same_place = [&](const ElfSegment& code) {
    return code.type != PT_LOAD || (code.flags & PF_X) == 0 ||
           std::any_of(debug.segments().begin(), debug.segments().end(), [&](const ElfSegment& other) {
             return other.type == PT_LOAD && other.vaddr == code.vaddr && other.mem_size == code.mem_size;
           });
  };
  return is_named && debug.machine() == elf.machine() && debug.has_symtab() &&
         std::all_of(elf.segments().begin(), elf.segments().end(), same_place);
}

std::optional<std::vector<uint8_t>> find_debug_file(const ElfView& elf, const std::string& path,
                                                    const std::vector<std::string>& roots) {
  for (const std::string& root : roots) {
    for (const std::string& place : places(elf, path)) {
      std::optional<std::vector<uint8_t>> bytes = read_regular(root + place);
      const Result<ElfView> debug = bytes ? ElfView::open(*bytes) : fail(Code::kIo, "not there");
      if (debug && belongs_to(*debug, elf)) {
        return bytes;
      }
    }
  }
  return std::nullopt;
}

} // namespace bpfaot::loader
