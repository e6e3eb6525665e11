// SPDX-License-Identifier: MIT
//
// How diagnostics look. The text form is checked whole once, because people read it.
#include "support/render.h"

#include <gtest/gtest.h>

namespace bpfaot {
namespace {

Diagnostic example() {
  Diagnostic d = make_error(Code::kIo, "write below the stack").about("probe.bpf.o: on_malloc");
  d.location = SourceLocation{"probe.bpf.c", 12, 5, "\tx = buf[600];"};
  d.slot = 14;
  d.insn = "*(u64 *)(r10 -520) = r1";
  d.found = "offset -520";
  d.needed = "-512 to -8";
  d.notes.push_back("the stack has 512 bytes");
  d.hints.push_back("use a per-CPU array");
  return d;
}

TEST(Render, human_form_points_at_the_source) {
  EXPECT_EQ(render_human(example(), Colour::never),
            "probe.bpf.c:12:5: error: write below the stack [io]\n"
            "   12 | \tx = buf[600];\n"
            "      | \t   ^\n"
            "  in: probe.bpf.o: on_malloc\n"
            "  insn 14: *(u64 *)(r10 -520) = r1\n"
            "  found: offset -520\n"
            "  needed: -512 to -8\n"
            "  note: the stack has 512 bytes\n"
            "  hint: use a per-CPU array\n");
}

TEST(Render, without_a_place_the_subject_leads) {
  EXPECT_EQ(render_human(make_error(Code::kIo, "cannot open").about("f.o"), Colour::never),
            "f.o: error: cannot open [io]\n");
  EXPECT_EQ(render_human(make_warning(Code::kUsage, "odd"), Colour::never), "warning: odd [usage]\n");
}

TEST(Render, colour_only_when_asked) {
  EXPECT_EQ(render_human(example(), Colour::never).find('\x1b'), std::string::npos);
  EXPECT_NE(render_human(example(), Colour::always).find("\x1b[1;31m"), std::string::npos);
}

TEST(Render, escape_sequences_of_hostile_files_do_not_reach_the_terminal) {
  Diagnostic d = example();
  d.message = "bad \x1b]0;title\x07 name";
  d.location->text = "\x1b[2Jx\xc2\x9b";
  d.location->column = 3;
  d.insn = "a\nb";
  const std::string text = render_human(d, Colour::never);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_NE(text.find("a\\x0ab"), std::string::npos);
}

TEST(Render, a_column_outside_the_line_draws_no_caret) {
  Diagnostic d = example();
  d.location->column = 4'000'000'000;
  EXPECT_EQ(render_human(d, Colour::never).find('^'), std::string::npos);
}

TEST(Render, json_form_has_every_field) {
  EXPECT_EQ(render_json(example()),
            R"({"level":"error","code":"io","verdict":"refuse","message":"write below the stack",)"
            R"("subject":"probe.bpf.o: on_malloc","file":"probe.bpf.c","line":12,"column":5,)"
            R"("source":"\tx = buf[600];","slot":14,"insn":"*(u64 *)(r10 -520) = r1",)"
            R"("found":"offset -520","needed":"-512 to -8","notes":["the stack has 512 bytes"],)"
            R"("hints":["use a per-CPU array"]})");
  EXPECT_EQ(render_json(make_error(Code::kInternal, "x")),
            R"({"level":"internal","code":"internal","verdict":"internal","message":"x"})");
}

} // namespace
} // namespace bpfaot
