// SPDX-License-Identifier: MIT
//
// What this machine, this user and one process allow, and what follows for `run` and `attach`. What can
// be tried is tried, in a child process, so that a filter that kills does not kill the tool.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

enum class Health : uint8_t { ok, limited, no };
std::string_view health_text(Health health);

enum NeededBy : uint8_t { kNobody = 0, kNeededByRun = 1, kNeededByAttach = 2, kNeededByBoth = 3 };

struct Finding {
  std::string_view name; // stable, as in docs/doctor.md
  Health health = Health::ok;
  NeededBy needed_by = kNobody; // what cannot work when health is `no`
  std::string value;            // what was found
  std::string consequence;      // what follows, or what to do; "" when all is well
};

std::vector<Finding> examine_machine();
// [process-gone] as a finding too: everything that is known is said.
std::vector<Finding> examine_process(int pid);

// What `attempt` did in a child of its own: 0, an errno, or kKilled plus the signal that ended it.
constexpr int kKilled = 1000;
int attempted(const std::function<int()>& attempt);
// "works", "Operation not permitted", "killed by signal 31".
std::string attempt_text(int result);

} // namespace bpfaot::loader
