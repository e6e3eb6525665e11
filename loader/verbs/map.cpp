// SPDX-License-Identifier: MIT
//
// bpf-aot map dump [ID] [NAME]: maps of a live session, through the descriptors of the process
// that holds it.
#include "loader/map_output.h"
#include "loader/registry.h"
#include "loader/session.h"
#include "loader/verb.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

std::string fd_path(const SessionRecord& record, int fd) {
  return "/proc/" + std::to_string(record.loader.pid) + "/fd/" + std::to_string(fd);
}

Result<UniqueFd> open_memory(const SessionRecord& record, int fd, int flags) {
  if (!is_alive(record.loader))
    return fail(Code::kSessionMemory, "session " + std::to_string(record.id) +
                                          ": the bpf-aot that held its maps is gone");
  UniqueFd result(open(fd_path(record, fd).c_str(), flags | O_CLOEXEC));
  if (!result.valid())
    return fail(Code::kSessionMemory, "session " + std::to_string(record.id) +
                                          ": its memory cannot be opened: " + strerror(errno));
  return result;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 9 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::string> dump(const SessionRecord& record, std::string_view name,
                         const MapOutputOptions& options) {
  const Image image = TRY(open_image(fd_path(record, record.image_fd), ImageUse::inspect));
  const Session session = TRY(Session::adopt(image, TRY(open_memory(record, record.const_fd, O_RDONLY)),
                                             TRY(open_memory(record, record.data_fd, O_RDWR))));
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
  const MapOutputOptions options{arguments.has(kJsonOption), arguments.has(kPerCpuOption),
                                 arguments.has(kAllMapsOption)};
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
