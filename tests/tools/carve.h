// SPDX-License-Identifier: MIT
//
// Finds eBPF objects inside other files: the skeletons of libbpf tools embed theirs as plain bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace bpfaot::tests {

struct Carved {
  uint64_t offset; // in the file
  std::span<const uint8_t> bytes;
};

// Every little-endian 64-bit ELF header for eBPF, up to the end of its last section.
inline std::vector<Carved> carve(std::span<const uint8_t> file) {
  const auto at = [&]<class T>(uint64_t offset, T& value) {
    if (offset > file.size() || sizeof value > file.size() - offset)
      return false;
    std::memcpy(&value, file.data() + offset, sizeof value);
    return true;
  };
  std::vector<Carved> found;
  static constexpr uint8_t kMagic[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  for (uint64_t start = 0; start + 64 <= file.size(); ++start) {
    uint16_t machine = 0, count = 0;
    uint64_t table = 0;
    if (file[start] != kMagic[0] || std::memcmp(file.data() + start, kMagic, sizeof kMagic) != 0)
      continue;
    if (!at(start + 18, machine) || machine != 247 || !at(start + 40, table) ||
        !at(start + 60, count) || table > file.size())
      continue;
    uint64_t end = table + count * uint64_t{64};
    for (uint64_t i = 0; i < count; ++i) {
      uint32_t type = 0;
      uint64_t offset = 0, size = 0;
      if (at(start + table + i * 64 + 4, type) && at(start + table + i * 64 + 24, offset) &&
          at(start + table + i * 64 + 32, size) && type != 8 && offset + size > end)
        end = offset + size;
    }
    if (end <= file.size() - start)
      found.push_back({start, file.subspan(start, end)});
  }
  return found;
}

} // namespace bpfaot::tests
