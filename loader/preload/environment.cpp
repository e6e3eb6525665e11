// SPDX-License-Identifier: MIT
//
// The block that the kernel leaves on the first stack: argc, argv, a null, envp, a null. Its address
// is field 28 of /proc/self/stat (proc(5)); glibc hands the same array to constructors, musl hands
// nothing. C libraries take the array over as `environ` without copying it, and none has been able
// to change it yet, so what is removed here nobody sees.
#include "loader/preload/environment.h"

#include "loader/preload/system.h"
#include "loader/proc_maps.h"
#include "support/files.h"

#include <charconv>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr std::string_view kOwn = "BPFAOT_PRELOAD_";
constexpr std::string_view kLibrary = "libbpfaot-preload.so";
constexpr std::string_view kPreload = "LD_PRELOAD=";
constexpr uint64_t kMaxArguments = 1u << 24;

char** environment = nullptr;

// Counted from the last parenthesis: the name of the program may hold anything.
uint64_t stat_field(std::string_view text, int wanted) {
  size_t at = text.rfind(')');
  for (int field = 2; field < wanted && at != std::string_view::npos; ++field)
    at = text.find(' ', at + 1);
  uint64_t value = 0;
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
  return value;
}

// `list` without this library; the separators are blanks and colons (ld.so(8)).
std::string without_library(std::string_view list) {
  std::string kept;
  while (!list.empty()) {
    const size_t end = std::min(list.find_first_of(" :"), list.size());
    const std::string_view entry = list.substr(0, end);
    const std::string_view file = entry.substr(entry.rfind('/') + 1); // npos + 1 is 0
    if (file != kLibrary && !entry.empty())
      kept += (kept.empty() ? "" : ":") + std::string(entry);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return kept;
}

} // namespace

Status find_environment() {
  const auto bytes = TRY(read_file("/proc/self/stat", 4096));
  const uint64_t start = stat_field({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, 28);
  const std::vector<MapsEntry> maps = TRY(read_maps(static_cast<int>(bpfaot_preload_pid())));
  const MapsEntry* stack = entry_at(maps, start);
  const auto words = [&]() { return stack != nullptr ? (stack->end - start) / 8 : 0; };
  if (start % 8 != 0 || words() < 4 || !stack->writable)
    return fail(Code::kPreloadStart, "the program's environment is not where the kernel leaves it");
  char** block = reinterpret_cast<char**>(start);
  uint64_t count = 0;
  std::memcpy(&count, block, sizeof count);
  if (count > kMaxArguments || count + 3 > words() || block[count + 1] != nullptr)
    return fail(Code::kPreloadStart, "the program's arguments are not where the kernel leaves them");
  environment = block + count + 2;
  return {};
}

std::vector<std::string> variable_lines(const char* name) {
  std::vector<std::string> lines;
  const char* value = bpfaot_preload_variable(name);
  std::string_view text = value != nullptr ? value : "";
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end != 0)
      lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool variable_is_set(const char* name) {
  const char* value = bpfaot_preload_variable(name);
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

void clean_environment() {
  if (environment == nullptr)
    return;
  char** to = environment;
  for (char** from = environment; *from != nullptr; ++from) {
    const std::string_view entry(*from);
    if (entry.starts_with(kOwn))
      continue;
    if (entry.starts_with(kPreload)) {
      const std::string kept = without_library(entry.substr(kPreload.size()));
      if (kept.empty())
        continue;
      std::memcpy(*from + kPreload.size(), kept.c_str(), kept.size() + 1); // never longer than it was
    }
    *to++ = *from;
  }
  *to = nullptr;
}

} // namespace bpfaot::loader

extern "C" const char* bpfaot_preload_variable(const char* name) {
  const size_t size = std::strlen(name);
  for (char** at = bpfaot::loader::environment; at != nullptr && *at != nullptr; ++at)
    if (std::strncmp(*at, name, size) == 0 && (*at)[size] == '=')
      return *at + size + 1;
  return nullptr;
}
