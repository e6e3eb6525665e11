// SPDX-License-Identifier: MIT
//
// bpf-aot map dump [ID] [NAME]: maps of a live session, through the descriptors of the process
// that holds it.
#include "loader/map_output.h"
#include "loader/proc_maps.h"
#include "loader/registry.h"
#include "loader/session.h"
#include "loader/verb.h"
#include "support/hex.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

// A program that has put its probes in itself holds no descriptors, but it has the files mapped.
constexpr int kMapped = -1;

std::string mapping_path(const SessionRecord& record, std::string_view file, uint64_t size) {
  const Result<std::vector<MapsEntry>> maps = read_maps(record.loader.pid);
  for (const MapsEntry& entry : maps ? *maps : std::vector<MapsEntry>()) {
    // The whole file in one piece, or, of an image, its first one.
    if (entry.path == file && entry.offset == 0 && (size == 0 || entry.end - entry.start == size))
      return "/proc/" + std::to_string(record.loader.pid) + "/map_files/" + hex(entry.start).substr(2) + "-" +
             hex(entry.end).substr(2);
  }
  return "";
}

struct SessionFile {
  int fd;                // of the loader, or kMapped
  std::string_view name; // as maps show it
  uint64_t size;         // 0 = any
};

Result<std::string> path_of(const SessionRecord& record, const SessionFile& file) {
  if (!is_alive(record.loader))
    return fail(Code::kSessionMemory, "session " + std::to_string(record.id) + ": the process that held its maps is gone");
  if (file.fd != kMapped)
    return "/proc/" + std::to_string(record.loader.pid) + "/fd/" + std::to_string(file.fd);
  std::string path = mapping_path(record, file.name, file.size);
  if (path.empty())
    return fail(Code::kSessionMemory, "session " + std::to_string(record.id) + ": process " +
                                          std::to_string(record.loader.pid) + " has its memory not mapped any more");
  return path;
}

Result<UniqueFd> open_memory(const SessionRecord& record, const SessionFile& file, int flags) {
  UniqueFd result(open(TRY(path_of(record, file)).c_str(), flags | O_CLOEXEC));
  if (!result.valid())
    return Failure(make_error(Code::kSessionMemory, "session " + std::to_string(record.id) +
                                                        ": its memory cannot be opened: " + strerror(errno))
                       .hint(file.fd == kMapped ? "mappings of another process need CAP_CHECKPOINT_RESTORE or root"
                                                : "the session belongs to another user"));
  return result;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 9 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::string> dump(const SessionRecord& record, std::string_view name, MapOutputOptions options) {
  options.target = record.target.pid;
  const SessionFile image_file{record.image_fd, "/memfd:bpfaot-image", 0};
  const SessionFile const_file{record.const_fd, "/memfd:bpfaot-const", record.const_size};
  const SessionFile data_file{record.data_fd, "/memfd:bpfaot-data", record.data_size};
  const Image image = TRY(open_image(TRY(path_of(record, image_file)), ImageUse::inspect));
  const Session session = TRY(Session::adopt(image, TRY(open_memory(record, const_file, O_RDONLY)),
                                             TRY(open_memory(record, data_file, O_RDWR))));
  if (name.empty())
    return print_maps(image, session, options);
  const uint32_t index = TRY(image.find_map(name));
  return print_map(image, session, index, options);
}

} // namespace

Result<int> run_map(const ParsedArguments& arguments, const Console& console) {
  std::vector<std::string> words = arguments.positional;
  if (words.empty() || words[0] != "dump" || words.size() > 3)
    return fail(Code::kUsage, "the form is bpf-aot map dump [ID] [NAME]");
  words.erase(words.begin());
  MapOutputOptions options;
  options.json = arguments.has(kJsonOption);
  options.per_cpu = arguments.has(kPerCpuOption);
  options.all_maps = arguments.has(kAllMapsOption);
  Registry registry = TRY(Registry::open());
  if (!words.empty() && is_number(words[0])) {
    const SessionRecord record =
        TRY(registry.find(static_cast<uint32_t>(std::stoul(words[0]))));
    console.print(TRY(dump(record, words.size() > 1 ? words[1] : "", options)));
    return 0;
  }
  if (words.size() > 1)
    return fail(Code::kUsage, "'" + words[0] + "' is no session id");
  const std::vector<SessionRecord> records = registry.list();
  if (records.empty())
    return fail(Code::kSessionUnknown, "no live session");
  if (records.size() > 1)
    return Failure(make_error(Code::kUsage, std::to_string(records.size()) + " sessions live, say which")
                       .hint("bpf-aot list shows their ids"));
  console.print(TRY(dump(records[0], words.empty() ? "" : words[0], options)));
  return 0;
}

} // namespace bpfaot::loader
