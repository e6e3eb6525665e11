// SPDX-License-Identifier: MIT
//
// SHA-256 against the examples of FIPS 180-4 and against itself in pieces.
#include "support/sha256.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot {
namespace {

std::string hex(const Digest& digest) {
  std::string out;
  char pair[3];
  for (const uint8_t byte : digest) {
    std::snprintf(pair, sizeof pair, "%02x", byte);
    out += pair;
  }
  return out;
}

std::string hash_text(std::string_view text) {
  return hex(sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

TEST(Sha256, matches_the_published_examples) {
  EXPECT_EQ(hash_text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash_text(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, pieces_hash_like_the_whole_at_every_length) {
  std::vector<uint8_t> bytes(200);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(i);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    const std::span<const uint8_t> whole(bytes.data(), length);
    Sha256 hash;
    hash.update(whole.first(length / 3));
    hash.update(whole.subspan(length / 3));
    EXPECT_EQ(hash.finish(), sha256(whole)) << length;
  }
}

TEST(Sha256, the_processors_instructions_hash_like_plain_code) {
  std::vector<uint8_t> bytes(5000);
  uint32_t random = 1;
  for (uint8_t& byte : bytes)
    byte = static_cast<uint8_t>((random = random * 1664525 + 1013904223) >> 24);
  for (size_t length = 0; length <= bytes.size(); length += 61) {
    Sha256 plain(true);
    plain.update({bytes.data(), length});
    EXPECT_EQ(plain.finish(), sha256({bytes.data(), length})) << length;
  }
}

} // namespace
} // namespace bpfaot
