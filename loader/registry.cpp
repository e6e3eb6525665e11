// SPDX-License-Identifier: MIT
//
// Session records on disk.
#include "loader/registry.h"

#include "support/files.h"
#include "support/hex.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace bpfaot::loader {
namespace {

constexpr std::string_view kHeader = "bpfaot-session 1";
constexpr uint32_t kMaxId = 100'000;
constexpr time_t kForgotten = 600; // seconds: nobody needs that long to write a record
constexpr size_t kMaxPatches = 65'536;
constexpr size_t kMaxPatchBytes = 64;

// Splits a record into words; every read is checked, the first failure sticks.
class Reader {
public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::string_view line() {
    const size_t end = text_.find('\n');
    if (end == std::string_view::npos) {
      failed_ = true;
      return {};
    }
    const std::string_view result = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return result;
  }
  void begin(std::string_view key) { // the rest of a line that starts with `key `
    rest_ = line();
    if (!rest_.starts_with(key) || rest_.size() <= key.size() || rest_[key.size()] != ' ')
      failed_ = true;
    else
      rest_.remove_prefix(key.size() + 1);
  }
  std::string_view word() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view result = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    failed_ |= result.empty();
    return result;
  }
  template <class T> T number() {
    const std::string_view text = word();
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    failed_ |= error != std::errc() || end != text.data() + text.size();
    return value;
  }
  std::vector<uint8_t> bytes() {
    const std::string_view text = word();
    std::vector<uint8_t> out;
    if (text.size() % 2 != 0 || text.size() > 2 * kMaxPatchBytes) {
      failed_ = true;
      return out;
    }
    for (size_t i = 0; i + 1 < text.size(); i += 2) {
      uint8_t byte = 0;
      const auto [end, error] = std::from_chars(&text[i], &text[i] + 2, byte, 16);
      failed_ |= error != std::errc() || end != &text[i] + 2;
      out.push_back(byte);
    }
    return out;
  }
  bool has_more() const { return !rest_.empty(); }
  std::string_view rest() { return std::exchange(rest_, {}); }
  bool at_end() const { return text_.empty(); }
  bool ok() const { return !failed_; }

private:
  std::string_view text_, rest_;
  bool failed_ = false;
};

Result<std::string> default_directory() {
  if (geteuid() == 0)
    return std::string("/run/bpf-aot");
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && runtime[0] == '/')
    return std::string(runtime) + "/bpf-aot";
  return std::string(P_tmpdir) + "/bpf-aot-" + std::to_string(geteuid());
}

} // namespace

uint64_t process_start_time(int32_t pid) {
  // The first thread's: emulators make up what a program reads of itself at /proc/PID/stat.
  const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid);
  const auto bytes = read_file(task + "/stat", 4096);
  if (!bytes)
    return 0;
  // The name may hold anything, so fields are counted from the last parenthesis.
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  size_t at = text.rfind(')');
  if (at == std::string_view::npos || at + 2 >= text.size())
    return 0;
  const char state = text[at + 2];
  if (state == 'Z' || state == 'X')
    return 0;
  for (int field = 2; field < 22 && at != std::string_view::npos; ++field)
    at = text.find(' ', at + 1);
  if (at == std::string_view::npos)
    return 0;
  uint64_t value = 0;
  std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
  return value;
}

bool is_alive(const ProcessId& process) {
  const uint64_t start = process_start_time(process.pid);
  return start != 0 && start == process.start_time;
}

std::string print_record(const SessionRecord& record) {
  std::string out(kHeader);
  const auto number = [&out](auto value) { out += ' ' + std::to_string(value); };
  out += "\nid";
  number(record.id);
  out += "\nloader";
  number(record.loader.pid);
  number(record.loader.start_time);
  out += "\ntarget";
  number(record.target.pid);
  number(record.target.start_time);
  out += "\nfds";
  number(record.image_fd);
  number(record.const_fd);
  number(record.data_fd);
  out += "\nsizes";
  number(record.const_size);
  number(record.data_size);
  out += "\nimage ";
  for (const char c : record.image) // one line, whatever the path is
    out += c == '\n' ? '?' : c;
  out += "\npatches";
  number(record.patches.size());
  for (const SitePatch& patch : record.patches) {
    out += "\npatch";
    number(patch.address);
    out += ' ' + hex_digits(patch.original) + ' ' + hex_digits(patch.patched) + (patch.is_guard ? " guard" : "");
  }
  return out + "\nend\n";
}

Result<SessionRecord> parse_record(std::string_view text) {
  Reader reader(text);
  SessionRecord record;
  const bool known = reader.line() == kHeader;
  reader.begin("id");
  record.id = reader.number<uint32_t>();
  reader.begin("loader");
  record.loader.pid = reader.number<int32_t>();
  record.loader.start_time = reader.number<uint64_t>();
  reader.begin("target");
  record.target.pid = reader.number<int32_t>();
  record.target.start_time = reader.number<uint64_t>();
  reader.begin("fds");
  record.image_fd = reader.number<int32_t>();
  record.const_fd = reader.number<int32_t>();
  record.data_fd = reader.number<int32_t>();
  reader.begin("sizes");
  record.const_size = reader.number<uint64_t>();
  record.data_size = reader.number<uint64_t>();
  reader.begin("image");
  record.image = reader.rest();
  reader.begin("patches");
  const auto count = reader.number<uint64_t>();
  bool well_formed = known && reader.ok() && count <= kMaxPatches;
  for (uint64_t i = 0; well_formed && i < count; ++i) {
    SitePatch patch;
    reader.begin("patch");
    patch.address = reader.number<uint64_t>();
    patch.original = reader.bytes();
    patch.patched = reader.bytes();
    patch.is_guard = reader.has_more();
    well_formed = reader.ok() && (!patch.is_guard || reader.word() == "guard") && !reader.has_more() && patch.original.size() == patch.patched.size();
    record.patches.push_back(std::move(patch));
  }
  if (!well_formed || reader.line() != "end" || !reader.at_end())
    return fail(Code::kRegistry, "session record is damaged");
  return record;
}

Result<Registry> Registry::open() { return open_at(TRY(default_directory())); }

Result<Registry> Registry::open_at(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::kRegistry, "cannot create " + directory + ": " + std::strerror(errno));
  struct stat status {};
  if (lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & 022) != 0)
    return fail(Code::kRegistry, "directory " + directory + " is not this user's own, or others may write it");
  return Registry(directory);
}

std::string Registry::path(uint32_t id) const { return directory_ + "/" + std::to_string(id) + ".session"; }

// The record is written under another name and linked to its own, which fails when the id is taken.
// Not renamed over a file that holds the place: some file systems write a replaced file to the disk first.
Result<uint32_t> Registry::add(SessionRecord record) {
  for (record.id = 1; record.id <= kMaxId; ++record.id) {
    const std::string name = path(record.id), scratch = name + ".tmp-" + std::to_string(getpid());
    if (access(name.c_str(), F_OK) == 0)
      continue;
    unlink(scratch.c_str()); // of a process that had this one's number
    UniqueFd fd(::open(scratch.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    const std::string text = print_record(record);
    const bool written = fd.valid() && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const bool is_ours = written && link(scratch.c_str(), name.c_str()) == 0;
    const int error = errno;
    unlink(scratch.c_str());
    if (is_ours)
      return record.id;
    if (!written || error != EEXIST)
      return fail(Code::kRegistry, "cannot write " + name + ": " + std::strerror(error));
  }
  return fail(Code::kRegistry, "more than " + std::to_string(kMaxId) + " sessions");
}

Status Registry::update(const SessionRecord& record) {
  const std::string text = print_record(record);
  return write_file_atomically(path(record.id), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, 0600);
}

void Registry::remove(uint32_t id) { unlink(path(id).c_str()); }

Result<SessionRecord> Registry::find(uint32_t id) const {
  if (const auto bytes = read_file(path(id), 1u << 24))
    return parse_record({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  std::string known;
  for (const SessionRecord& record : Registry(directory_).list())
    known += (known.empty() ? "" : ", ") + std::to_string(record.id);
  return fail(Code::kSessionUnknown, "no session has id " + std::to_string(id) +
                                         (known.empty() ? ": none is live" : ", live are: " + known));
}

// What a bpf-aot that was killed while it wrote left behind: a record that has not its own name yet. Older
// ones also left empty files, which hold an id.
void Registry::remove_if_forgotten(const std::string& path) const {
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_mtime + kForgotten < time(nullptr))
    unlink(path.c_str());
}

std::vector<SessionRecord> Registry::list() {
  std::vector<SessionRecord> records;
  DIR* directory = opendir(directory_.c_str());
  if (directory == nullptr)
    return records;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    uint32_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error == std::errc() && std::string_view(end).starts_with(".session.tmp-"))
      remove_if_forgotten(directory_ + "/" + std::string(name));
    if (error != std::errc() || std::string_view(end) != ".session")
      continue;
    const auto bytes = read_file(path(id), 1u << 24);
    if (bytes && bytes->empty())
      remove_if_forgotten(path(id));
    if (!bytes || bytes->empty())
      continue;
    auto record = parse_record({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    if (!record || record->id != id)
      continue;
    if (!is_alive(record->target) && !is_alive(record->loader))
      remove(id);
    else
      records.push_back(std::move(*record));
  }
  closedir(directory);
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return records;
}

} // namespace bpfaot::loader
