// SPDX-License-Identifier: MIT
//
// SHA-256 as FIPS 180-4 section 6.2 describes it. Opening an image hashes it, and attaching is
// measured in fractions of a millisecond: where the processor has SHA instructions, they are used.
#include "support/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace bpfaot {
namespace {

// Section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

uint32_t load_be32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

void store_be32(uint8_t* p, uint32_t v) {
  for (int i = 0; i < 4; ++i)
    p[i] = static_cast<uint8_t>(v >> (24 - 8 * i));
}

using State = std::array<uint32_t, 8>;

void plain_block(State& state, const uint8_t* bytes) {
  uint32_t w[64];
  for (int t = 0; t < 16; ++t)
    w[t] = load_be32(bytes + 4 * t);
  for (int t = 16; t < 64; ++t) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int t = 0; t < 64; ++t) {
    const uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
    const uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const uint32_t add[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i)
    state[i] += add[i];
}

#ifdef __x86_64__

// CPUID itself and not libgcc's or libc's copy of it: the former is filled by a constructor that
// asks for every leaf (each a microsecond and more under a hypervisor), the latter is not there in
// the preload library. The instructions below SHA are those of SSE4.1, which every processor with
// SHA has.
bool processor_has_sha() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

// Four rounds at a time; "Intel SHA Extensions" has the registers' order: one holds a, b, e, f
// (a in the highest word), the other c, d, g, h. `w` holds the last 16 words of the schedule.
__attribute__((target("sha,sse4.1"))) void sha_block(State& state, const uint8_t* bytes) {
  auto* const words = reinterpret_cast<__m128i*>(state.data());
  const __m128i bswap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b);
  const __m128i first_abef = _mm_alignr_epi8(cdab, efgh, 8);
  const __m128i first_cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  __m128i abef = first_abef, cdgh = first_cdgh, w[4];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    __m128i& now = w[i % 4]; // the words of 16 rounds ago until they are replaced
    if (i < 4) {
      now = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + i), bswap);
    } else {
      const __m128i last = w[(i + 3) % 4], before = w[(i + 2) % 4];
      const __m128i sum =
          _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) % 4]), _mm_alignr_epi8(last, before, 4));
      now = _mm_sha256msg2_epu32(sum, last);
    }
    const __m128i input =
        _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(kRound) + i));
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0e));
  }
  const __m128i feba = _mm_shuffle_epi32(_mm_add_epi32(abef, first_abef), 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(_mm_add_epi32(cdgh, first_cdgh), 0xb1);
  _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool processor_has_sha() { return false; }
void sha_block(State& state, const uint8_t* bytes) { plain_block(state, bytes); }

#endif

} // namespace

Sha256::Sha256(bool plain)
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
      buffer_{}, instructions_(!plain && processor_has_sha()) {}

void Sha256::block(const uint8_t* bytes) {
  instructions_ ? sha_block(state_, bytes) : plain_block(state_, bytes);
}

void Sha256::update(std::span<const uint8_t> bytes) {
  size_t used = length_ % buffer_.size();
  length_ += bytes.size();
  if (used != 0) {
    const size_t n = std::min(bytes.size(), buffer_.size() - used);
    std::copy_n(bytes.data(), n, buffer_.data() + used);
    bytes = bytes.subspan(n);
    if (used + n < buffer_.size())
      return;
    block(buffer_.data());
  }
  for (; bytes.size() >= buffer_.size(); bytes = bytes.subspan(buffer_.size()))
    block(bytes.data());
  std::copy_n(bytes.data(), bytes.size(), buffer_.data());
}

Digest Sha256::finish() {
  const uint64_t bits = length_ * 8;
  // One 0x80, zeros up to 56 modulo 64, then the length in bits: 9 to 72 bytes.
  uint8_t padding[72] = {0x80};
  const size_t zeros = (119 - length_ % 64) % 64;
  store_be32(padding + 1 + zeros, static_cast<uint32_t>(bits >> 32));
  store_be32(padding + 5 + zeros, static_cast<uint32_t>(bits));
  update({padding, 9 + zeros});
  Digest digest;
  for (size_t i = 0; i < 8; ++i)
    store_be32(digest.data() + 4 * i, state_[i]);
  return digest;
}

Digest sha256(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

} // namespace bpfaot
