// SPDX-License-Identifier: MIT
//
// Which helpers need which licence, with the kernel as the judge: it decides that before it looks at the
// arguments.
#include "bpf/helpers.h"

#include <gtest/gtest.h>

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace bpfaot::bpf {
namespace {

enum class Answer { accepted, refused, none };

// A program that does nothing but call `helper`: whether the kernel refuses it for its licence.
Answer ask_kernel(int32_t helper, const char* license, bpf_prog_type type = BPF_PROG_TYPE_KPROBE) {
  bpf_insn insns[2] = {};
  insns[0].code = BPF_JMP | BPF_CALL;
  insns[0].imm = helper;
  insns[1].code = BPF_JMP | BPF_EXIT;
  char log[4096] = {};
  bpf_prog_load_opts options = {};
  options.sz = sizeof options;
  options.log_buf = log;
  options.log_size = sizeof log;
  options.log_level = 1;
  const int fd = bpf_prog_load(type, "licence", license, insns, 2, &options);
  if (fd >= 0) {
    close(fd);
    return Answer::accepted;
  }
  if (log[0] == 0) // it has not come to the verifier
    return Answer::none;
  return std::strstr(log, "GPL") != nullptr ? Answer::refused : Answer::accepted;
}

bool kernel_answers() { return ask_kernel(7, "GPL") == Answer::accepted; }

TEST(Licences, helpers_need_the_licence_that_the_kernel_wants_of_them) {
  if (!kernel_answers())
    GTEST_SKIP() << "no kernel that loads programs for us: " << std::strerror(errno);
  for (const HelperInfo& helper : all_helpers()) {
    const bpf_prog_type type = (helper.flags & kHelperXdp) != 0  ? BPF_PROG_TYPE_XDP
                               : (helper.flags & kHelperTc) != 0 ? BPF_PROG_TYPE_SCHED_CLS
                                                                 : BPF_PROG_TYPE_KPROBE;
    EXPECT_EQ((helper.flags & kHelperGpl) != 0, ask_kernel(helper.id, "Proprietary", type) == Answer::refused) << helper.name;
    EXPECT_NE(ask_kernel(helper.id, "GPL", type), Answer::refused) << helper.name;
  }
}

constexpr const char* kTexts[] = {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
                                  "gpl", "GPL ", "GPLv2", "GPL-2.0", "MIT", "BSD", "Proprietary", ""};

TEST(Licences, texts_count_as_they_do_for_the_kernel) {
  if (!kernel_answers())
    GTEST_SKIP() << "no kernel that loads programs for us: " << std::strerror(errno);
  constexpr int32_t kTracePrintk = 6;
  for (const char* text : kTexts)
    EXPECT_EQ(is_gpl_compatible(text), ask_kernel(kTracePrintk, text) == Answer::accepted) << "'" << text << "'";
}

TEST(Licences, only_exact_texts_count) {
  size_t compatible = 0;
  for (const char* text : kTexts)
    compatible += is_gpl_compatible(text) ? 1 : 0;
  EXPECT_EQ(compatible, 6u);
}

} // namespace
} // namespace bpfaot::bpf
