// SPDX-License-Identifier: MIT
//
// The ustar header is in POSIX.1-2017, pax, "ustar Interchange Format": 512 bytes of text fields,
// numbers in octal, then the content padded to 512 bytes; two zero blocks end the archive.
#include "support/tar.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

namespace bpfaot {
namespace {

constexpr size_t kBlock = 512;

struct Header {
  std::array<char, 100> name;
  std::array<char, 8> mode, uid, gid;
  std::array<char, 12> size, mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link_name;
  std::array<char, 6> magic;
  std::array<char, 2> version;
  std::array<char, 32> user, group;
  std::array<char, 8> device_major, device_minor;
  std::array<char, 155> prefix;
  std::array<char, 12> padding;
};
static_assert(sizeof(Header) == kBlock);

template <size_t N> void put(std::array<char, N>& field, std::string_view text) {
  std::memcpy(field.data(), text.data(), text.size());
}

template <size_t N> void put_octal(std::array<char, N>& field, uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%0*llo", static_cast<int>(N - 1),
                static_cast<unsigned long long>(number));
  std::memcpy(field.data(), text.data(), N - 1);
}

// A long name is cut at a slash: what is before it is the prefix.
bool put_name(Header& header, std::string_view name) {
  if (name.size() <= header.name.size()) {
    put(header.name, name);
    return true;
  }
  for (size_t slash = name.find('/'); slash != std::string_view::npos;
       slash = name.find('/', slash + 1))
    if (slash <= header.prefix.size() && name.size() - slash - 1 <= header.name.size()) {
      put(header.prefix, name.substr(0, slash));
      put(header.name, name.substr(slash + 1));
      return true;
    }
  return false;
}

} // namespace

Status TarWriter::add(std::string_view name, std::span<const uint8_t> content) {
  Header header{};
  if (name.empty() || !put_name(header, name))
    return fail(Code::kUsage, "'" + std::string(name) + "' is too long for the name of a tar member");
  put_octal(header.mode, 0644);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, content.size());
  put_octal(header.mtime, 0);
  header.type = '0';
  put(header.magic, std::string_view("ustar\0", 6));
  put(header.version, "00");
  header.checksum.fill(' ');
  uint32_t sum = 0;
  std::array<uint8_t, kBlock> raw{};
  std::memcpy(raw.data(), &header, kBlock);
  for (const uint8_t byte : raw)
    sum += byte;
  std::array<char, 8> checksum{};
  std::snprintf(checksum.data(), checksum.size(), "%06o", sum);
  checksum[7] = ' ';
  std::memcpy(raw.data() + offsetof(Header, checksum), checksum.data(), checksum.size());
  bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  bytes_.insert(bytes_.end(), content.begin(), content.end());
  bytes_.resize((bytes_.size() + kBlock - 1) / kBlock * kBlock);
  return {};
}

Status TarWriter::add(std::string_view name, std::string_view text) {
  return add(name, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

std::vector<uint8_t> TarWriter::take() {
  bytes_.resize(bytes_.size() + 2 * kBlock);
  return std::move(bytes_);
}

} // namespace bpfaot
