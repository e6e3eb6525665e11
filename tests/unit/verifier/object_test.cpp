// SPDX-License-Identifier: MIT
//
// Objects that programs keep in their stack: when they exist, what overwrites them, what dies with
// them, and that loops over them end.
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

void expect(const Outcome& o, std::string_view code) { EXPECT_EQ(o.code, code) << o.message; }

// An iterator at r10 - 8 over [0, 10).
const std::string kNew = "r1 = r10\n r1 += -8\n r2 = 0\n r3 = 10\n call bpf_iter_num_new\n";
const std::string kNext = "r1 = r10\n r1 += -8\n call bpf_iter_num_next\n";
const std::string kDestroy = "r1 = r10\n r1 += -8\n call bpf_iter_num_destroy\n";
const std::string kExit = "r0 = 0\n exit";

TEST(Iterators, are_made_asked_and_destroyed) {
  const Outcome o = check("r6 = 0\n" + kNew + "again:\n" + kNext + "if r0 == 0 goto done\n" +
                          "r1 = *(u32 *)(r0 +0)\n r6 += r1\n goto again\ndone:\n" + kDestroy + kExit);
  expect(o, "");
  EXPECT_LT(o.facts.steps, 200u);
}

TEST(Iterators, must_be_destroyed_once_on_every_path) {
  expect(check(kNew + kExit), "ref-leak");
  expect(check(kNew + kNext + "if r0 == 0 goto out\n" + kDestroy + "out:\n" + kExit), "ref-leak");
  expect(check(kNew + kDestroy + kDestroy + kExit), "iterator");
  expect(check(kNew + kDestroy + kNext + kExit), "iterator");
  expect(check(kNew + kDestroy + kNew + kDestroy + kExit), "");
}

TEST(Iterators, are_not_made_twice_at_one_place) {
  expect(check(kNew + kNew + kDestroy + kExit), "iterator");
}

TEST(Iterators, do_not_exist_before_they_are_made) {
  expect(check(kNext + kExit), "iterator");
  expect(check("r1 = 0\n *(u64 *)(r10 -8) = r1\n" + kNext + kExit), "iterator");
  // On one path only.
  expect(check("r6 = *(u64 *)(r1 +0)\n if r6 == 0 goto without\n" + kNew + "without:\n" + kNext + kDestroy +
               kExit),
         "iterator");
}

TEST(Iterators, lie_at_one_aligned_place_of_the_stack) {
  expect(check("r1 = r10\n r1 += -12\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "helper-arg");
  expect(check("r1 = r10\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "stack-oob");
  expect(check("r1 = value .bss 0\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit, {bss(64)}),
         "helper-arg");
  expect(check("r6 = *(u64 *)(r1 +0)\n r6 &= 8\n r1 = r10\n r1 += -16\n r1 += r6\n r2 = 0\n r3 = 1\n"
               "call bpf_iter_num_new\n" + kExit),
         "helper-arg");
}

TEST(Iterators, have_bytes_that_nothing_else_touches) {
  expect(check(kNew + "r1 = *(u64 *)(r10 -8)\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = *(u8 *)(r10 -3)\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = 1\n *(u8 *)(r10 -1) = r1\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = 1\n lock *(u64 *)(r10 -8) += r1\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = r10\n r1 += -16\n r2 = 16\n call bpf_get_current_comm\n" + kDestroy + kExit),
         "stack-object");
}

TEST(Iterators, lend_four_bytes_that_are_only_read_and_end_with_them) {
  const std::string first = kNew + kNext + "if r0 == 0 goto done\n r6 = r0\n";
  const std::string last = "done:\n" + kDestroy + kExit;
  expect(check(first + "r1 = *(u32 *)(r6 +0)\n" + last), "");
  expect(check(first + "r1 = *(u64 *)(r6 +0)\n" + last), "memory-oob");
  expect(check(first + "r1 = 0\n *(u32 *)(r6 +0) = r1\n" + last), "rodata-write");
  expect(check("r6 = 0\n" + kNew + kNext + "if r0 == 0 goto done\n r6 = r0\n" + kDestroy +
               "r1 = *(u32 *)(r6 +0)\n" + kExit + "\ndone:\n" + kDestroy + kExit),
         "ref-released");
  expect(check(kNew + kNext + "r1 = *(u32 *)(r0 +0)\n" + kDestroy + kExit), "not-pointer");
}

TEST(Iterators, may_be_in_the_frame_of_a_caller) {
  expect(check(kNew + "r1 = r10\n r1 += -8\n call count\n" + kDestroy + kExit +
               "\nfunc count:\n r6 = r1\nagain:\n r1 = r6\n call bpf_iter_num_next\n if r0 == 0 goto done\n"
               "goto again\ndone:\n r0 = 0\n exit"),
         "");
  expect(check("call make\n r0 = 0\n exit\nfunc make:\n" + kNew + kExit), "ref-leak");
}

// Anything that the loop changes may have any value after some number of elements.
TEST(Iterators, have_any_number_of_elements) {
  const std::string loop = "r6 = 0\n" + kNew + "again:\n" + kNext + "if r0 == 0 goto done\n r6 += 1\n goto again\n"
                           "done:\n" + kDestroy;
  expect(check(loop + "r1 = value .bss 0\n r1 += r6\n r0 = *(u8 *)(r1 +0)\n exit", {bss(64)}), "map-value-oob");
  expect(check(loop + "if r6 > 63 goto out\n r1 = value .bss 0\n r1 += r6\n r0 = *(u8 *)(r1 +0)\n exit\nout:\n" +
                   kExit,
               {bss(64)}),
         "");
}

// An iterator pays for its own elements, not for a loop in which it is made anew.
TEST(Iterators, excuse_only_loops_that_they_bound) {
  const std::string inner = kNew + "r6 = 0\nagain:\n" + kNext + "if r0 == 0 goto done\n r6 = 1\n goto again\n"
                            "done:\n" + kDestroy;
  expect(check("outer:\n" + inner + "if r6 != 0 goto outer\n" + kExit), "endless-loop");
  expect(check("r7 = 5\nouter:\n" + inner + "r7 += -1\n if r7 != 0 goto outer\n" + kExit), "");
  expect(check(kNew + "again:\n" + kNext + "if r0 == 0 goto done\nspin:\n goto spin\ndone:\n" + kDestroy + kExit),
         "endless-loop");
}

TEST(Callbacks, excuse_only_loops_that_they_bound) {
  expect(check("outer:\n r1 = 0\n *(u64 *)(r10 -8) = r1\n r1 = 5\n r2 = func body\n r3 = r10\n r3 += -8\n r4 = 0\n"
               "call bpf_loop\n r1 = *(u64 *)(r10 -8)\n if r1 != 0 goto outer\n r0 = 0\n exit\n"
               "func body:\n r3 = 1\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit"),
         "endless-loop");
}

TEST(MayGoto, excuses_only_loops_of_its_own_call) {
  expect(check("outer:\n call inner\n if r0 != 0 goto outer\n r0 = 0\n exit\n"
               "func inner:\n r6 = 0\nagain:\n may_goto done\n r6 = 1\n goto again\ndone:\n r0 = r6\n exit"),
         "endless-loop");
}

TEST(Kfuncs, take_numbers_for_numbers) {
  expect(check("r1 = r10\n r1 += -8\n r2 = r10\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "helper-arg");
  expect(check("r1 = r10\n r1 += -8\n r2 = 0\n call bpf_iter_num_new\n" + kExit), "uninit-reg");
}

// A dynptr of 32 bytes of .bss at r10 - 16; a reserved one.
const std::string kMemory = "r1 = value .bss 0\n r2 = 32\n r3 = 0\n r4 = r10\n r4 += -16\n call bpf_dynptr_from_mem\n";
const std::string kReserve = "r1 = map ring\n r2 = 32\n r3 = 0\n r4 = r10\n r4 += -16\n call bpf_ringbuf_reserve_dynptr\n";
const std::string kSubmit = "r1 = r10\n r1 += -16\n r2 = 0\n call bpf_ringbuf_submit_dynptr\n";
const std::string kData = "r1 = r10\n r1 += -16\n r2 = 0\n r3 = 8\n call bpf_dynptr_data\n";
const std::string kSize = "r1 = r10\n r1 += -16\n call bpf_dynptr_size\n";

Outcome with_maps(const std::string& text) { return check(text, {bss(64), ring_buffer("ring")}); }

TEST(Dynptrs, of_memory_end_by_themselves_and_reserved_ones_are_given_back) {
  expect(with_maps(kMemory + kSize + kExit), "");
  expect(with_maps(kReserve + kSize + kSubmit + kExit), "");
  expect(with_maps(kReserve + kExit), "ref-leak");
  // Also where the reservation failed.
  expect(with_maps(kReserve + "if r0 != 0 goto out\n" + kSubmit + "out:\n" + kExit), "ref-leak");
  expect(with_maps(kReserve + kSubmit + kSubmit + kExit), "dynptr");
  expect(with_maps(kReserve + kSubmit + kSize + kExit), "dynptr");
  expect(with_maps(kMemory + kSubmit + kExit), "dynptr");
  expect(with_maps(kSize + kExit), "dynptr");
}

TEST(Dynptrs, are_of_map_values_only) {
  expect(with_maps("r1 = 0\n *(u64 *)(r10 -24) = r1\n r1 = r10\n r1 += -24\n r2 = 8\n r3 = 0\n r4 = r10\n r4 += -16\n"
                   "call bpf_dynptr_from_mem\n" + kExit),
         "helper-arg");
  expect(with_maps("r1 = value .bss 40\n r2 = 32\n r3 = 0\n r4 = r10\n r4 += -16\n call bpf_dynptr_from_mem\n" + kExit),
         "map-value-oob");
  expect(check("r1 = value .rodata 0\n r2 = 4\n r3 = 0\n r4 = r10\n r4 += -16\n call bpf_dynptr_from_mem\n" + kExit,
               {rodata("12345678")}),
         "rodata-write");
}

TEST(Dynptrs, are_overwritten_unless_they_must_be_given_back) {
  const std::string store = "r1 = 0\n *(u64 *)(r10 -8) = r1\n";
  expect(with_maps(kMemory + store + kExit), "");
  expect(with_maps(kMemory + store + kSize + kExit), "dynptr");
  expect(with_maps(kReserve + store + kSubmit + kExit), "stack-object");
  expect(with_maps(kMemory + kMemory + kSize + kExit), "");
  expect(with_maps(kReserve + kReserve + kSubmit + kExit), "dynptr");
  // Half of one is none.
  expect(with_maps(kMemory + "r1 = value .bss 0\n r2 = 32\n r3 = 0\n r4 = r10\n r4 += -24\n call bpf_dynptr_from_mem\n" +
                   kSize + kExit),
         "dynptr");
  expect(with_maps(kMemory + "r1 = r10\n r1 += -8\n call bpf_dynptr_size\n" + kExit), "stack-oob");
  // Somewhere in it.
  expect(with_maps("r6 = *(u64 *)(r1 +0)\n r6 &= 8\n" + kMemory + "r7 = r10\n r7 += -16\n r7 += r6\n r1 = 0\n"
                   "*(u64 *)(r7 +0) = r1\n" + kSize + kExit),
         "dynptr");
  expect(with_maps("r6 = *(u64 *)(r1 +0)\n r6 &= 8\n" + kReserve + "r7 = r10\n r7 += -16\n r7 += r6\n r1 = 0\n"
                   "*(u64 *)(r7 +0) = r1\n" + kSubmit + kExit),
         "stack-object");
}

TEST(Dynptrs, have_bytes_that_nothing_else_touches) {
  expect(with_maps(kMemory + "r0 = *(u64 *)(r10 -16)\n" + kExit), "stack-object");
  expect(with_maps(kMemory + "r1 = r10\n r1 += -20\n r2 = 16\n call bpf_get_current_comm\n" + kExit), "stack-object");
  expect(with_maps(kMemory + "r1 = r10\n r1 += -12\n r2 = 4\n r3 = r10\n r3 += -16\n r4 = 0\n r5 = 0\n"
                             "call bpf_dynptr_read\n" + kExit),
         "stack-object");
}

TEST(Dynptrs, leave_what_they_cannot_read_as_it_was) {
  const Outcome o = with_maps(kMemory + "r1 = r10\n r1 += -24\n r2 = 8\n r3 = r10\n r3 += -16\n r4 = 40\n r5 = 0\n"
                                        "call bpf_dynptr_read\n r1 = *(u64 *)(r10 -24)\n" + kExit);
  ASSERT_TRUE(o.accepted) << o.message;
  ASSERT_EQ(o.facts.functions[0].unwritten.size(), 1u);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].begin, -24);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].end, -16);
}

TEST(Dynptrs, lend_memory_that_ends_with_them) {
  const std::string some = "if r0 == 0 goto out\n r6 = r0\n";
  expect(with_maps(kMemory + kData + some + "r1 = 5\n *(u64 *)(r6 +0) = r1\n r1 = *(u8 *)(r6 +7)\nout:\n" + kExit), "");
  expect(with_maps(kMemory + kData + some + "r1 = *(u8 *)(r6 +8)\nout:\n" + kExit), "memory-oob");
  expect(with_maps(kMemory + kData + "r1 = *(u8 *)(r0 +0)\n" + kExit), "null-deref");
  expect(with_maps(kMemory + kData + some + "r1 = 0\n *(u64 *)(r10 -16) = r1\n r1 = *(u8 *)(r6 +0)\nout:\n" + kExit),
         "ref-released");
  expect(with_maps(kReserve + kData + "r6 = r0\n" + kSubmit + "if r6 == 0 goto out\n r1 = *(u8 *)(r6 +0)\nout:\n" + kExit),
         "ref-released");
  // At any address.
  expect(with_maps(kMemory + kData + some + "r1 = 1\n lock *(u64 *)(r6 +0) += r1\nout:\n" + kExit), "misaligned-atomic");
  const Outcome o = with_maps(kMemory + kData + some + "r1 = *(u64 *)(r6 +0)\nout:\n" + kExit);
  ASSERT_TRUE(o.accepted) << o.message;
  for (const InsnFacts& at : o.facts.insns)
    if (at.before[6].kind != Kind::none) {
      EXPECT_EQ(at.before[6].kind, Kind::pointer);
      EXPECT_EQ(at.before[6].align, 1u);
    }
}

TEST(Dynptrs, that_are_slices_are_read_only) {
  const std::string slice = "r1 = r10\n r1 += -16\n r2 = 0\n r3 = 0\n r4 = 8\n call bpf_dynptr_slice\n if r0 == 0 goto out\n";
  expect(with_maps(kMemory + slice + "r1 = *(u64 *)(r0 +0)\nout:\n" + kExit), "");
  expect(with_maps(kMemory + slice + "r1 = 0\n *(u64 *)(r0 +0) = r1\nout:\n" + kExit), "rodata-write");
  expect(with_maps(kMemory + "r1 = r10\n r1 += -16\n r2 = 0\n r3 = 0\n r4 = 8\n call bpf_dynptr_slice_rdwr\n" + kExit),
         "helper-kind");
  expect(with_maps("r6 = *(u64 *)(r1 +0)\n" + kMemory + "r1 = r10\n r1 += -16\n r2 = 0\n r3 = 0\n r4 = r6\n"
                   "call bpf_dynptr_slice\n" + kExit),
         "helper-arg");
}

TEST(Dynptrs, that_are_clones_end_together) {
  const std::string clone = "r1 = r10\n r1 += -16\n r2 = r10\n r2 += -32\n call bpf_dynptr_clone\n";
  const std::string size_of_clone = "r1 = r10\n r1 += -32\n call bpf_dynptr_size\n";
  expect(with_maps(kReserve + clone + size_of_clone + kSubmit + kExit), "");
  expect(with_maps(kReserve + clone + kSubmit + size_of_clone + kExit), "dynptr");
  expect(with_maps(kReserve + clone + "r1 = r10\n r1 += -32\n r2 = 0\n call bpf_ringbuf_discard_dynptr\n" + kSize + kExit),
         "dynptr");
  // What was lent out of a clone whose frame is left.
  const std::string inner = "func inner:\n r2 = r10\n r2 += -16\n call bpf_dynptr_clone\n" + kData + "exit";
  const std::string lent = "r1 = r10\n r1 += -16\n call inner\n r6 = r0\n";
  const std::string use = "if r6 == 0 goto out\n r1 = *(u8 *)(r6 +0)\nout:\n";
  expect(with_maps(kReserve + lent + use + kSubmit + kExit + "\n" + inner), "");
  expect(with_maps(kReserve + lent + kSubmit + use + kExit + "\n" + inner), "ref-released");
  // And out of a clone that nothing looks at again, which is of either record where the paths join.
  const auto of = [](const std::string& call, const char* place) { return "r1 = r10\n r1 += " + std::string(place) + call; };
  const std::string second = "r1 = map ring\n r2 = 32\n r3 = 0\n r4 = r10\n r4 += -32\n call bpf_ringbuf_reserve_dynptr\n";
  const std::string submit_second = of("\n r2 = 0\n call bpf_ringbuf_submit_dynptr\n", "-32");
  const std::string either = "r6 = *(u64 *)(r1 +0)\n" + kReserve + second +
                             "r8 = r10\n r8 += -16\n if r6 == 0 goto made\n r8 = r10\n r8 += -32\nmade:\n"
                             "r1 = r8\n r2 = r10\n r2 += -48\n call bpf_dynptr_clone\n" +
                             of("\n r2 = 0\n r3 = 8\n call bpf_dynptr_data\n", "-48") + "r6 = r0\n goto join\njoin:\n";
  expect(with_maps(either + use + kSubmit + submit_second + kExit), "");
  expect(with_maps(either + kSubmit + use + submit_second + kExit), "ref-released");
  // Of memory: each by itself.
  expect(with_maps(kMemory + clone + "r1 = 0\n *(u64 *)(r10 -16) = r1\n" + size_of_clone + kExit), "");
}

Outcome of_kind(bpf::ProgramKind kind, const std::string& text, std::vector<bpf::MapDef> maps = {}) {
  auto program = std::make_shared<bpf::Program>(*assemble(text, std::move(maps)));
  program->kind.kind = kind;
  Options options = pt_regs_options();
  const auto verified = verify(program, options);
  Outcome o;
  o.accepted = static_cast<bool>(verified);
  if (!verified) {
    o.code = code_text(verified.error().code);
    o.message = verified.error().message;
  }
  return o;
}
Outcome in_syscall(const std::string& text, std::vector<bpf::MapDef> maps = {}) {
  return of_kind(bpf::ProgramKind::syscall, text, std::move(maps));
}

TEST(Throw, is_not_for_probes) {
  for (const auto kind : {bpf::ProgramKind::probe, bpf::ProgramKind::raw_tracepoint, bpf::ProgramKind::socket_filter})
    expect(of_kind(kind, "r1 = 5\n call bpf_throw\n r0 = 0\n exit"), "helper-kind");
  expect(in_syscall("r1 = 5\n call bpf_throw\n r0 = 0\n exit"), "");
}

TEST(Throw, ends_every_function) {
  // What follows is not walked: r1 has no value there.
  expect(in_syscall("r1 = 5\n call bpf_throw\n r0 = r1\n exit"), "");
  expect(in_syscall("call inner\n r0 = r5\n exit\nfunc inner:\n r1 = 5\n call bpf_throw\n exit"), "");
  expect(in_syscall("r1 = r10\n call bpf_throw\n exit"), "helper-arg");
}

TEST(Throw, leaves_nothing_behind_that_must_be_given_back) {
  expect(in_syscall(kNew + "r1 = 5\n call bpf_throw\n exit"), "ref-leak");
  expect(in_syscall(kReserve + "r1 = 5\n call bpf_throw\n exit", {bss(64), ring_buffer("ring")}), "ref-leak");
  expect(in_syscall(kNew + "call inner\n" + kDestroy + kExit + "\nfunc inner:\n r1 = 5\n call bpf_throw\n exit"),
         "ref-leak");
  expect(in_syscall(kMemory + "r1 = 5\n call bpf_throw\n exit", {bss(64), ring_buffer("ring")}), "");
}

TEST(Throw, is_not_for_callbacks) {
  expect(in_syscall("r1 = 5\n r2 = func body\n r3 = 0\n r4 = 0\n call bpf_loop\n r0 = 0\n exit\n"
                    "func body:\n r1 = 5\n call bpf_throw\n exit"),
         "throw");
}

// A drain whose callback has `body`; the word at r10 - 8 is its context.
Outcome drained(const std::string& body, const std::string& after = kExit) {
  bpf::MapDef map = ring_buffer("user");
  map.type = bpf::MapType::user_ringbuf;
  return check("r1 = 0\n *(u64 *)(r10 -8) = r1\n r1 = map user\n r2 = func body\n r3 = r10\n r3 += -8\n r4 = 0\n"
               "call bpf_user_ringbuf_drain\n" + after + "\nfunc body:\n" + body,
               {map});
}

TEST(UserRings, lend_a_dynptr_to_their_callback) {
  expect(drained("call bpf_dynptr_size\n r0 = 0\n exit"), "");
  expect(drained("r6 = r2\n r2 = 0\n r3 = 8\n call bpf_dynptr_data\n if r0 == 0 goto out\n r1 = *(u8 *)(r0 +7)\n"
                 "*(u64 *)(r6 +0) = r1\nout:\n r0 = 0\n exit"),
         "");
  expect(drained("r2 = 0\n r3 = 8\n call bpf_dynptr_data\n r1 = *(u8 *)(r0 +7)\n r0 = 0\n exit"), "null-deref");
  expect(drained("r0 = 2\n exit"), "callback");
}

TEST(UserRings, lend_what_nobody_changes_or_gives_back) {
  expect(drained("r0 = *(u64 *)(r1 +0)\n r0 = 0\n exit"), "not-pointer");
  expect(drained("*(u64 *)(r1 +0) = r2\n r0 = 0\n exit"), "not-pointer");
  expect(drained("r1 += 8\n call bpf_dynptr_size\n r0 = 0\n exit"), "ptr-arith");
  expect(drained("r2 = 0\n call bpf_ringbuf_submit_dynptr\n r0 = 0\n exit"), "dynptr");
  expect(drained("r1 = r10\n r1 += -16\n call bpf_dynptr_size\n r0 = 0\n exit"), "dynptr");
}

TEST(UserRings, lend_it_for_the_callback_only) {
  expect(drained("*(u64 *)(r2 +0) = r1\n r0 = 0\n exit"), "stack-escape");
  expect(drained("r6 = r2\n r2 = 0\n r3 = 8\n call bpf_dynptr_data\n *(u64 *)(r6 +0) = r0\n r0 = 0\n exit",
                 "r1 = *(u64 *)(r10 -8)\n if r1 == 0 goto out\n r1 = *(u8 *)(r1 +0)\nout:\n" + kExit),
         "ref-released");
}

} // namespace
} // namespace bpfaot::verifier::test
