// SPDX-License-Identifier: MIT
//
// Each promise about a finished image, broken once: check_layout() must see it. The image is a real
// one, damaged in one place.
#include "tests/unit/aotc/fixture.h"

#include "linker/linker.h"
#include "support/files.h"

namespace bpfaot::linker {
namespace {

const targets::Target& target() {
  return **targets::find("x86_64");
}

class Layout : public testing::Test {
protected:
  static void SetUpTestSuite() {
    auto built = aotc::test::compile("small", target());
    ASSERT_TRUE(built) << built.error().message;
    good_ = new std::vector<uint8_t>(std::move(*built));
  }
  static void TearDownTestSuite() { delete good_; }

  template <class T> T& at(uint64_t offset) { return *reinterpret_cast<T*>(&image_[offset]); }
  Elf64_Ehdr& header() { return at<Elf64_Ehdr>(0); }
  Elf64_Phdr& segment(uint32_t type, uint32_t flags = 0) {
    for (uint32_t i = 0; i < header().e_phnum; ++i) {
      auto& found = at<Elf64_Phdr>(header().e_phoff + i * sizeof(Elf64_Phdr));
      if (found.p_type == type && (found.p_flags & flags) == flags)
        return found;
    }
    ADD_FAILURE() << "no segment " << type;
    return at<Elf64_Phdr>(header().e_phoff);
  }
  Elf64_Dyn& dynamic(int64_t tag) {
    for (uint64_t offset = segment(PT_DYNAMIC).p_offset;; offset += sizeof(Elf64_Dyn))
      if (at<Elf64_Dyn>(offset).d_tag == tag || at<Elf64_Dyn>(offset).d_tag == DT_NULL)
        return at<Elf64_Dyn>(offset);
  }
  uint64_t file_offset(uint64_t address) {
    return *ElfView::create(image_)->file_offset(address, 1);
  }
  void expect_broken(const std::string& words) {
    const Status status = check_layout(target(), image_);
    ASSERT_FALSE(status) << "nobody noticed: " << words;
    EXPECT_EQ(status.error().code, Code::kLayout);
    EXPECT_NE(status.error().message.find(words), std::string::npos) << status.error().message;
  }

  static std::vector<uint8_t>* good_;
  std::vector<uint8_t> image_ = *good_;
};
std::vector<uint8_t>* Layout::good_ = nullptr;

TEST_F(Layout, AGoodImagePasses) {
  EXPECT_TRUE(check_layout(target(), image_));
}

TEST_F(Layout, AnyChangedByteBreaksTheDigest) {
  image_[segment(PT_LOAD, PF_X).p_offset + 3] ^= 0x40;
  expect_broken("digest");
}

TEST_F(Layout, CodeIsNotWritable) {
  segment(PT_LOAD, PF_X).p_flags |= PF_W;
  expect_broken("writable and executable");
}

TEST_F(Layout, TheStackIsNotExecutable) {
  segment(PT_GNU_STACK).p_flags |= PF_X;
  expect_broken("executable stack");
}

TEST_F(Layout, OtherMachinesAreRefused) {
  header().e_machine = EM_AARCH64;
  expect_broken("machine 183");
}

TEST_F(Layout, NoLibraryIsNeeded) {
  dynamic(DT_GNU_HASH).d_tag = DT_NEEDED;
  expect_broken("needs another library");
}

TEST_F(Layout, NoTextRelocations) {
  dynamic(DT_GNU_HASH).d_tag = DT_TEXTREL;
  expect_broken("text relocations");
}

TEST_F(Layout, NoConstructors) {
  dynamic(DT_GNU_HASH).d_tag = DT_INIT_ARRAY;
  expect_broken("constructors");
}

TEST_F(Layout, NoThreadLocalStorage) {
  segment(PT_GNU_STACK).p_type = PT_TLS;
  expect_broken("segment of type 7");
}

TEST_F(Layout, OnlyTheDescriptorIsExported) {
  image_[file_offset(dynamic(DT_STRTAB).d_un.d_val) + 1] = 'x';
  expect_broken("exports");
}

TEST_F(Layout, NothingIsUndefined) {
  at<Elf64_Sym>(file_offset(dynamic(DT_SYMTAB).d_un.d_val) + sizeof(Elf64_Sym)).st_shndx =
      SHN_UNDEF;
  expect_broken("undefined symbol");
}

TEST_F(Layout, TheNoteTellsAbiAndMachine) {
  at<uint32_t>(segment(PT_NOTE).p_offset + 20) = 99;
  expect_broken("another machine or ABI");
}

TEST_F(Layout, TruncatedFilesAreRefused) {
  const std::vector<uint8_t> whole = image_;
  for (const size_t size :
       {size_t{0}, size_t{10}, size_t{64}, whole.size() / 2, whole.size() - 1}) {
    image_.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(check_layout(target(), image_)) << size;
  }
}

TEST(Linking, AnUndefinedSymbolIsNamed) {
  const auto object = read_file(TEST_UNDEFINED_OBJECT);
  ASSERT_TRUE(object);
  const auto linked = link_shared(target(), *object, "");
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().code, Code::kLink);
  EXPECT_NE(linked.error().message.find("nobody_has_this"), std::string::npos)
      << linked.error().message;
}

TEST(Linking, FinaliseNeedsAStackPerProgram) {
  auto image = aotc::test::compile("small", target());
  ASSERT_TRUE(image);
  EXPECT_FALSE(finalise(*image, std::vector<uint32_t>{1, 2, 3}));
  EXPECT_TRUE(finalise(*image, std::vector<uint32_t>{4096}));
  EXPECT_EQ(aotc::test::open_image(*image).place.desc.stack_bytes, 4096u);
  EXPECT_TRUE(check_layout(target(), *image));
}

} // namespace
} // namespace bpfaot::linker
