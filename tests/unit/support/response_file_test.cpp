// SPDX-License-Identifier: MIT
#include "support/response_file.h"

#include "support/files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <unistd.h>

namespace bpfaot {
namespace {

using Words = std::vector<std::string>;

class ResponseFile : public testing::Test {
protected:
  ResponseFile() { EXPECT_NE(mkdtemp(folder_.data()), nullptr); }
  ~ResponseFile() override {
    for (const std::string& path : written_)
      unlink(path.c_str());
    rmdir(folder_.c_str());
  }
  std::string write(const std::string& name, std::string_view text) {
    written_.push_back(folder_ + "/" + name);
    EXPECT_TRUE(write_file_atomically(
        written_.back(), std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size())));
    return written_.back();
  }
  std::string folder_ = "response-XXXXXX";
  Words written_;
};

TEST_F(ResponseFile, WordsAreQuotedAsInAShell) {
  EXPECT_EQ(*split_words("a  b\n\tc\r\n"), (Words{"a", "b", "c"}));
  EXPECT_EQ(*split_words("'a \"b' \"c 'd\" e\\ f"), (Words{"a \"b", "c 'd", "e f"}));
  EXPECT_EQ(*split_words(R"("a\"b\\c\d" '\')"), (Words{"a\"b\\c\\d", "\\"}));
  EXPECT_EQ(*split_words("'' x\"y\"z"), (Words{"", "xyz"}));
  EXPECT_FALSE(split_words("a 'b"));
  EXPECT_FALSE(split_words("\""));
}

TEST_F(ResponseFile, QuotingAWordAndSplittingItGivesTheWord) {
  for (const std::string word : {"", "plain", "-o=a/b.so", "two words", "\"", "\\", "a'b\"c\\d\n", "$x", "@f"})
    EXPECT_EQ(*split_words(quote_word(word)), Words{word}) << word;
}

TEST_F(ResponseFile, FilesAreExpandedInPlaceAndMayNameFiles) {
  const std::string inner = write("inner", "-t aarch64");
  const std::string outer = write("outer", "x.o @" + inner + " '-o' out.so");
  EXPECT_EQ(*expand_response_files(Words{"a", "@" + outer, "z"}),
            (Words{"a", "x.o", "-t", "aarch64", "-o", "out.so", "z"}));
  EXPECT_EQ(*expand_response_files(Words{"@", "--", "@" + outer}), (Words{"@", "--", "@" + outer}));
}

TEST_F(ResponseFile, WhatCannotBeExpandedIsAUsageError) {
  const std::string itself = write("itself", "@" + folder_ + "/itself");
  const std::string open = write("open", "'never ends");
  const std::string huge = write("huge", std::string(2u << 20, 'a'));
  const std::string many = write("many", [] {
    std::string text;
    for (int i = 0; i < 70000; ++i)
      text += "a ";
    return text;
  }());
  for (const std::string& bad : {itself, open, huge, many, folder_ + "/missing", folder_}) {
    const auto words = expand_response_files(Words{"@" + bad});
    ASSERT_FALSE(words) << bad;
    EXPECT_EQ(words.error().code, Code::kUsage);
  }
}

} // namespace
} // namespace bpfaot
