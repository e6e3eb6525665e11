// SPDX-License-Identifier: MIT
#include "loader/attach_spec.h"

#include <gtest/gtest.h>

namespace bpfaot::loader {
namespace {

TEST(AttachSpec, a_target_prints_and_reads_back) {
  for (const char* text : {"p=uprobe:/bin/x:main", "p=uretprobe:/bin/x:f+0x10", "p=uprobe:/a:b/libc.so.6:malloc",
                           "p=uprobe:/bin/x:0x1234", "p=uprobe:libc:_ZN3fooEv"}) {
    const auto spec = parse_attach_spec(text);
    ASSERT_TRUE(spec.has_value()) << text;
    EXPECT_EQ(spec->program + "=" + print_attach_target(*spec), text);
  }
}

TEST(AttachSpec, decimal_and_hexadecimal_offsets_are_numbers) {
  EXPECT_EQ(parse_attach_spec("p=uprobe:/x:f+16")->offset, 16u);
  EXPECT_EQ(parse_attach_spec("p=uprobe:/x:4096")->offset, 4096u);
  EXPECT_EQ(parse_attach_spec("p=uprobe:/x:4096")->symbol, "");
}

TEST(AttachSpec, what_is_malformed_is_refused) {
  for (const char* text : {"", "p", "=uprobe:/x:f", "p=kprobe:/x:f", "p=uprobe:/x", "p=uprobe::f", "p=uprobe:/x:",
                           "p=uprobe:/x:f+", "p=uprobe:/x:+4", "p=uprobe:/x:0xzz", "p=uprobe:/x:f+99999999999999999999"}) {
    const auto spec = parse_attach_spec(text);
    ASSERT_FALSE(spec.has_value()) << text;
    EXPECT_EQ(spec.error().code, Code::kAttachSpec);
  }
}

} // namespace
} // namespace bpfaot::loader
