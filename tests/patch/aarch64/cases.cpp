// SPDX-License-Identifier: MIT
//
// Cases of tests/patch/execution.cpp that only aarch64 has: instructions that are moved, and signed
// return addresses.
#include "tests/patch/execution.h"

#include <utility>

#define VICTIM(name) extern "C" const char name[], name##_end[]
VICTIM(victim_middle);
VICTIM(victim_keeps_link);
VICTIM(victim_adrp);
VICTIM(victim_adr);
VICTIM(victim_literal);
VICTIM(victim_vector_literal);
VICTIM(victim_signed_literal);
VICTIM(victim_condition);
VICTIM(victim_compare);
VICTIM(victim_test);
VICTIM(victim_call_register);
VICTIM(victim_signed);
VICTIM(victim_signed_b);
extern "C" const char victim_middle_site[], victim_keeps_link_site[], victim_call_register_site[];

namespace {

void moved_instructions_do_the_same() {
  const struct {
    const char *begin, *end, *site;
  } kVictims[] = {
      {victim_middle, victim_middle_end, victim_middle_site},
      {victim_keeps_link, victim_keeps_link_end, victim_keeps_link_site},
      {victim_call_register, victim_call_register_end, victim_call_register_site},
      {victim_adrp, victim_adrp_end, victim_adrp},
      {victim_adr, victim_adr_end, victim_adr},
      {victim_literal, victim_literal_end, victim_literal},
      {victim_vector_literal, victim_vector_literal_end, victim_vector_literal},
      {victim_signed_literal, victim_signed_literal_end, victim_signed_literal},
      {victim_condition, victim_condition_end, victim_condition},
      {victim_compare, victim_compare_end, victim_compare},
      {victim_test, victim_test_end, victim_test},
  };
  for (const auto& victim : kVictims) {
    expect_untouched(victim.begin, static_cast<uint64_t>(victim.end - victim.begin),
                     {{program(1), program(2)}, {}, false, static_cast<uint64_t>(victim.site - victim.begin)});
    EXPECT_SAME(g_hits, 8);
    EXPECT_SAME(g_seen[0].slots[machine::kPc], reinterpret_cast<uint64_t>(victim.site));
    clear();
  }
}

// x9 of victim_signed is its signed return address for a while only; x30 as programs see it is plain.
void signed_return_addresses_stay_valid() {
  for (const auto& [begin, end] : {std::pair<const char*, const char*>{victim_signed, victim_signed_end}, {victim_signed_b, victim_signed_b_end}}) {
    expect_untouched(begin, static_cast<uint64_t>(end - begin), {{program(1)}, {program(2)}});
    EXPECT_SAME(g_hits, 8);
    EXPECT_SAME(g_seen[1].slots[machine::kPc], g_seen[0].slots[machine::kLink]);
    EXPECT(g_seen[0].slots[machine::kLink] >> 48 == 0);
    clear();
  }
}

} // namespace

const std::vector<Case> kMachineCases = {
    {"moved_instructions_do_the_same", moved_instructions_do_the_same},
    {"signed_return_addresses_stay_valid", signed_return_addresses_stay_valid},
};
