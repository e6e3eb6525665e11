// SPDX-License-Identifier: MIT
//
// Reading /proc/PID/{maps,status,task}.
#include "loader/proc_maps.h"

#include "support/files.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kLowest = 64 * 1024;
constexpr uint64_t kGuard = 4096 * 16; // stacks grow downwards into the hole below them

Result<std::string> read_proc(int pid, const char* name) {
  const auto bytes = read_file("/proc/" + std::to_string(pid) + "/" + name, 64u << 20);
  if (!bytes)
    return fail(Code::kProcessGone, "process " + std::to_string(pid) + " does not exist or has ended");
  return std::string(bytes->begin(), bytes->end());
}

// "start-end rwxp offset major:minor inode   path", numbers in hexadecimal but the inode.
class LineReader {
public:
  explicit LineReader(std::string_view line) : rest_(line) {}
  template <class T> bool number(T& out, int base) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out, base);
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return error == std::errc();
  }
  bool skip(char wanted) {
    const bool there = rest_.starts_with(wanted);
    rest_.remove_prefix(there ? 1 : 0);
    return there;
  }
  std::string_view take(size_t size) {
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(text.size());
    return text;
  }
  std::string_view rest() const { return rest_.substr(std::min(rest_.find_first_not_of(' '), rest_.size())); }

private:
  std::string_view rest_;
};

bool parse_line(std::string_view text, MapsEntry& entry) {
  LineReader line(text);
  if (!line.number(entry.start, 16) || !line.skip('-') || !line.number(entry.end, 16) || !line.skip(' '))
    return false;
  const std::string_view flags = line.take(4);
  if (flags.size() != 4 || !line.skip(' ') || !line.number(entry.offset, 16) || !line.skip(' ') ||
      !line.number(entry.major, 16) || !line.skip(':') || !line.number(entry.minor, 16) || !line.skip(' ') ||
      !line.number(entry.inode, 10) || entry.start >= entry.end)
    return false;
  entry.readable = flags[0] == 'r';
  entry.writable = flags[1] == 'w';
  entry.executable = flags[2] == 'x';
  entry.shared = flags[3] == 's';
  entry.path = line.rest();
  constexpr std::string_view kDeleted = " (deleted)";
  if (entry.path.ends_with(kDeleted)) {
    entry.path.resize(entry.path.size() - kDeleted.size());
    entry.deleted = true;
  }
  return true;
}

template <class T> void read_field(std::string_view text, std::string_view key, T& out, int base = 10) {
  const size_t at = text.find("\n" + std::string(key) + ":\t");
  if (at == std::string_view::npos)
    return;
  const char* first = text.data() + at + key.size() + 3;
  std::from_chars(first, text.data() + text.size(), out, base);
}

} // namespace

std::vector<MapsEntry> parse_maps(std::string_view text) {
  std::vector<MapsEntry> maps;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    MapsEntry entry;
    if (parse_line(text.substr(0, end), entry))
      maps.push_back(std::move(entry));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  // The kernel gives them so; who looks for holes depends on it.
  std::sort(maps.begin(), maps.end(), [](const MapsEntry& a, const MapsEntry& b) { return a.start < b.start; });
  return maps;
}

Result<std::vector<MapsEntry>> read_maps(int pid) {
  auto maps = parse_maps(TRY(read_proc(pid, "maps")));
  if (maps.empty()) // a zombie or a kernel thread
    return fail(Code::kProcessGone, "process " + std::to_string(pid) + " has no memory: it has ended");
  return maps;
}

const MapsEntry* entry_at(const std::vector<MapsEntry>& maps, uint64_t address) {
  for (const MapsEntry& entry : maps)
    if (address >= entry.start && address < entry.end)
      return &entry;
  return nullptr;
}

uint64_t find_hole(const std::vector<MapsEntry>& maps, uint64_t size, uint64_t low, uint64_t high, uint64_t near) {
  uint64_t best = 0, best_distance = UINT64_MAX;
  const auto consider = [&](uint64_t begin, uint64_t end) {
    begin = std::max({begin, low, kLowest});
    end = std::min(end, high);
    if (begin >= end || end - begin < size)
      return;
    // The nearest place in this hole: as close to `near` as the hole allows.
    const uint64_t place = std::clamp(near, begin, end - size) & ~uint64_t{4095};
    if (place < begin)
      return;
    const uint64_t distance = place > near ? place - near : near - place;
    if (distance < best_distance) {
      best = place;
      best_distance = distance;
    }
  };
  uint64_t previous = 0;
  for (const MapsEntry& entry : maps) {
    const bool is_stack = entry.path.starts_with("[stack");
    const bool is_heap = !maps.empty() && previous != 0;
    const uint64_t end = is_stack && entry.start > kGuard ? entry.start - kGuard : entry.start;
    if (end > previous)
      consider(is_heap ? previous + 4096 : previous, end);
    previous = std::max(previous, entry.end);
  }
  if (previous <= UINT64_MAX - 4096)
    consider(previous + 4096, high);
  return best;
}

uint64_t find_far_hole(const std::vector<MapsEntry>& maps, uint64_t size) {
  uint64_t low = 1u << 20, best = 0, widest = 0;
  for (const MapsEntry& entry : maps) {
    if (entry.path == "[vsyscall]")
      continue;
    if (entry.start > low && entry.start - low > widest) {
      widest = entry.start - low;
      best = low + ((widest / 2) & ~((1ull << 21) - 1));
    }
    low = std::max(low, entry.end);
  }
  return widest / 2 > size + (2u << 21) ? best : 0;
}

Result<ProcessStatus> read_status(int pid) {
  const std::string text = "\n" + TRY(read_proc(pid, "status"));
  ProcessStatus status;
  if (const size_t at = text.find("\nName:\t"); at != std::string::npos)
    status.name = text.substr(at + 7, text.find('\n', at + 1) - at - 7);
  if (const size_t at = text.find("\nState:\t"); at != std::string::npos && at + 8 < text.size())
    status.state = text[at + 8];
  read_field(text, "Tgid", status.tgid);
  read_field(text, "TracerPid", status.tracer);
  read_field(text, "Threads", status.threads);
  read_field(text, "Uid", status.uid);
  read_field(text, "Seccomp", status.seccomp);
  read_field(text, "SigBlk", status.blocked, 16);
  read_field(text, "SigIgn", status.ignored, 16);
  read_field(text, "SigCgt", status.caught, 16);
  return status;
}

Result<std::vector<int>> read_threads(int pid) {
  std::vector<int> tids;
  DIR* directory = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (directory != nullptr) {
    while (const dirent* entry = readdir(directory)) {
      int tid = 0;
      const std::string_view name = entry->d_name;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), tid);
      if (error == std::errc() && *end == '\0')
        tids.push_back(tid);
    }
    closedir(directory);
  }
  if (tids.empty())
    return fail(Code::kProcessGone, "process " + std::to_string(pid) + " does not exist or has ended");
  return tids;
}

} // namespace bpfaot::loader
