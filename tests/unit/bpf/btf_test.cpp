// SPDX-License-Identifier: MIT
//
// Type information built by hand: every kind, and every contradiction.
#include "bpf/btf.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

class Builder {
public:
  uint32_t name(std::string_view text) {
    const auto at = static_cast<uint32_t>(strings_.size());
    strings_.append(text);
    strings_.push_back('\0');
    return at;
  }
  // Returns the id.
  uint32_t add(BtfKind kind, std::string_view text, uint32_t length, uint32_t size_or_type,
               std::initializer_list<uint32_t> rest = {}, bool flag = false) {
    const uint32_t name_off = text.empty() ? 0 : name(text);
    words_.insert(words_.end(),
                  {name_off, static_cast<uint32_t>(kind) << 24 | length | uint32_t{flag} << 31,
                   size_or_type});
    words_.insert(words_.end(), rest);
    return ++count_;
  }
  uint32_t integer(std::string_view text, uint32_t size, uint32_t encoding = 0) {
    return add(BtfKind::integer, text, 0, size, {encoding << 24 | size * 8});
  }
  std::vector<uint8_t> bytes() const {
    const auto types = static_cast<uint32_t>(words_.size() * 4);
    const uint32_t header[] = {0x0001eb9f, 24,    0,
                               types,      types, static_cast<uint32_t>(strings_.size())};
    std::vector<uint8_t> out(24 + types + strings_.size());
    std::memcpy(out.data(), header, 24);
    std::memcpy(out.data() + 24, words_.data(), types);
    std::memcpy(out.data() + 24 + types, strings_.data(), strings_.size());
    return out;
  }

private:
  std::string strings_ = std::string(1, '\0');
  std::vector<uint32_t> words_;
  uint32_t count_ = 0;
};

std::string code_of(const Builder& builder) {
  const auto btf = Btf::read(builder.bytes());
  return btf ? "" : std::string(code_text(btf.error().code));
}

} // namespace

TEST(Btf, ReadsEveryKind) {
  Builder b;
  const uint32_t i32 = b.integer("int", 4, kBtfSigned);
  const uint32_t u8 = b.integer("unsigned char", 1);
  const uint32_t pointer = b.add(BtfKind::pointer, "", 0, 4);
  const uint32_t structure = b.add(
      BtfKind::structure, "s", 3, 16,
      {b.name("a"), i32, 0, b.name("bits"), i32, 3u << 24 | 32, b.name("p"), pointer, 64}, true);
  const uint32_t array = b.add(BtfKind::array, "", 0, 0, {structure, i32, 3});
  const uint32_t alias = b.add(BtfKind::type_def, "alias", 0, array);
  const uint32_t constant = b.add(BtfKind::const_type, "", 0, alias);
  const uint32_t tagged = b.add(BtfKind::type_tag, "user", 0, constant);
  const uint32_t colours =
      b.add(BtfKind::enumeration, "colour", 2, 4, {b.name("red"), 0, b.name("dark"), 0xffffffff});
  const uint32_t wide = b.add(BtfKind::enumeration64, "wide", 1, 8, {b.name("top"), 1, 0x80000000});
  const uint32_t proto = b.add(BtfKind::function_proto, "", 1, i32, {b.name("ctx"), pointer});
  const uint32_t function = b.add(BtfKind::function, "f", 1, proto);
  const uint32_t variable = b.add(BtfKind::variable, "v", 0, alias, {1});
  const uint32_t section = b.add(BtfKind::data_section, ".data", 1, 48, {variable, 0, 48});
  const uint32_t tag = b.add(BtfKind::decl_tag, "note", 0, structure, {1});
  const uint32_t forward = b.add(BtfKind::forward, "later", 0, 0, {}, true);
  const uint32_t real = b.add(BtfKind::floating, "double", 0, 8);
  const uint32_t flags = b.add(BtfKind::volatile_type, "", 0, u8);
  const auto result = Btf::read(b.bytes());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  const Btf& btf = *result;
  EXPECT_EQ(btf.type(i32).encoding, kBtfSigned);
  EXPECT_EQ(btf.size_of(tagged), 48u);
  EXPECT_EQ(btf.align_of(tagged), 8u);
  EXPECT_EQ(btf.resolve(tagged), array);
  EXPECT_EQ(btf.strip_qualifiers(tagged), alias);
  EXPECT_EQ(btf.members(btf.type(structure))[1].bit_size, 3u);
  EXPECT_EQ(btf.members(btf.type(structure))[1].bit_off, 32u);
  EXPECT_EQ(btf.enumerators(btf.type(colours))[1].value, -1);
  EXPECT_EQ(btf.enumerators(btf.type(wide))[0].value, INT64_MIN + 1);
  EXPECT_EQ(btf.parameters(btf.type(proto))[0].name, "ctx");
  EXPECT_EQ(btf.type(function).linkage, 1);
  EXPECT_EQ(btf.section_variables(btf.type(section))[0].type, variable);
  EXPECT_EQ(btf.type(tag).component, 1);
  EXPECT_EQ(btf.size_of(forward), std::nullopt);
  EXPECT_EQ(btf.size_of(0), std::nullopt);
  EXPECT_EQ(btf.size_of(real), 8u);
  EXPECT_EQ(btf.size_of(flags), 1u);
  EXPECT_EQ(btf.find(BtfKind::structure, "s"), structure);
  EXPECT_EQ(btf.find_member(alias, "p"), std::nullopt) << "an array has no members";
  EXPECT_EQ(btf.find_member(structure, "p")->bit_off, 64u);
  EXPECT_EQ(btf.name_of(pointer), "struct s *");
  EXPECT_EQ(btf.name_of(forward), "union later");
  EXPECT_EQ(btf.name_of(array), "struct s[3]");
  EXPECT_EQ(btf.type(999).kind, BtfKind::void_type) << "ids outside are void";
}

TEST(Btf, FindsMembersInsideAnonymousParts) {
  Builder b;
  const uint32_t i32 = b.integer("int", 4);
  const uint32_t inner = b.add(BtfKind::union_type, "", 1, 4, {b.name("x"), i32, 0});
  const uint32_t outer =
      b.add(BtfKind::structure, "o", 2, 8, {b.name("first"), i32, 0, 0, inner, 32});
  const auto btf = Btf::read(b.bytes());
  ASSERT_TRUE(btf.has_value());
  EXPECT_EQ(btf->find_member(outer, "x")->bit_off, 32u);
  EXPECT_FALSE(btf->find_member(outer, "y").has_value());
}

TEST(Btf, AllowsCyclesThroughPointersOnly) {
  Builder list; // struct node { struct node *next; }
  list.add(BtfKind::structure, "node", 1, 8, {list.name("next"), 2, 0});
  list.add(BtfKind::pointer, "", 0, 1);
  EXPECT_EQ(code_of(list), "");

  Builder itself; // struct s { struct s s; }
  itself.add(BtfKind::structure, "s", 1, 8, {itself.name("s"), 1, 0});
  EXPECT_EQ(code_of(itself), "btf-malformed");

  Builder typedefs;
  typedefs.add(BtfKind::type_def, "a", 0, 2);
  typedefs.add(BtfKind::type_def, "b", 0, 1);
  EXPECT_EQ(code_of(typedefs), "btf-malformed");

  Builder array;
  array.add(BtfKind::array, "", 0, 0, {1, 1, 2});
  EXPECT_EQ(code_of(array), "btf-malformed");

  Builder pointer; // nonsense, but harmless
  pointer.add(BtfKind::pointer, "", 0, 1);
  const auto btf = Btf::read(pointer.bytes());
  ASSERT_TRUE(btf.has_value());
  EXPECT_FALSE(btf->name_of(1).empty());
}

TEST(Btf, LimitsNesting) {
  const auto chain = [](uint32_t length) {
    Builder b;
    b.integer("int", 4);
    for (uint32_t i = 1; i < length; ++i)
      b.add(BtfKind::type_def, "t", 0, i);
    return b;
  };
  EXPECT_EQ(code_of(chain(Btf::kMaxDepth)), "");
  EXPECT_EQ(code_of(chain(Btf::kMaxDepth + 1)), "btf-malformed");
  EXPECT_EQ(code_of(chain(100'000)), "btf-malformed");
}

TEST(Btf, RefusesContradictions) {
  const auto one = [](auto fill) {
    Builder b;
    fill(b);
    return code_of(b);
  };
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::pointer, "", 0, 7); }), "btf-malformed")
      << "no such type";
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind{20}, "", 0, 0); }), "btf-malformed")
      << "no such kind";
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::void_type, "", 0, 0); }), "btf-malformed");
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::integer, "i", 0, 4, {33}); }), "btf-malformed")
      << "33 bits in 4 bytes";
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::integer, "i", 0, 4); }), "btf-malformed")
      << "cut off";
  EXPECT_EQ(one([](Builder& b) {
              b.integer("int", 4);
              b.add(BtfKind::structure, "s", 1, 4, {0, 1, 8});
            }),
            "btf-malformed")
      << "member outside";
  EXPECT_EQ(one([](Builder& b) {
              b.integer("int", 8);
              b.add(BtfKind::array, "", 0, 0, {1, 1, UINT32_MAX});
              b.add(BtfKind::structure, "s", 1, 8, {0, 2, 0});
            }),
            "btf-malformed")
      << "array of 32 GiB";
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::enumeration, "e", 0, 3); }), "btf-malformed");
  EXPECT_EQ(one([](Builder& b) { b.add(BtfKind::data_section, ".x", 1, 0, {0, 0, 0}); }),
            "btf-malformed")
      << "a section of void";
}

// __uint(max_entries, N) is a pointer to an array of N integers that nobody has.
TEST(Btf, AllowsArraysOfAnySizeBehindPointers) {
  Builder b;
  b.integer("int", 4);
  const uint32_t array = b.add(BtfKind::array, "", 0, 0, {1, 1, 1u << 31});
  b.add(BtfKind::pointer, "", 0, array);
  const auto btf = Btf::read(b.bytes());
  ASSERT_TRUE(btf.has_value()) << btf.error().message;
  EXPECT_EQ(btf->type(array).count, 1u << 31);
  EXPECT_EQ(btf->size_of(array), std::nullopt);
}

TEST(Btf, RefusesDamagedHeaders) {
  Builder b;
  b.integer("int", 4);
  const auto good = b.bytes();
  const auto with = [&](size_t at, uint32_t value) {
    auto bytes = good;
    std::memcpy(&bytes[at], &value, 4);
    return Btf::read(bytes).has_value();
  };
  EXPECT_TRUE(Btf::read(good).has_value());
  EXPECT_FALSE(with(0, 0x0001eb9e));
  EXPECT_FALSE(with(0, 0x0002eb9f));
  for (size_t at = 4; at < 24; at += 4)
    EXPECT_FALSE(with(at, 0xfffffff0)) << at;
  EXPECT_FALSE(with(20, 0)) << "no strings";
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(Btf::read(std::span(good).first(length)).has_value()) << length;
}

// 2^60 ways through anonymous members: the search gives up, it does not hang.
TEST(Btf, SearchesOfSharedAnonymousPartsEnd) {
  Builder b;
  uint32_t last = b.integer("int", 4);
  for (int i = 0; i < 60; ++i)
    last = b.add(BtfKind::union_type, "", 2, 4, {0, last, 0, 0, last, 0});
  const auto btf = Btf::read(b.bytes());
  ASSERT_TRUE(btf.has_value()) << btf.error().message;
  EXPECT_FALSE(btf->find_member(last, "x").has_value());
  EXPECT_EQ(btf->align_of(last), 4u);
}
