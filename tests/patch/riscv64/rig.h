// SPDX-License-Identifier: MIT
//
// Trampolines on this program's own functions, for execute.cpp: what the loader does in another
// process, in as few lines as it takes.
#pragma once

#include "bpfaot/abi.h"
#include "targets/arena.h"
#include "targets/riscv64/patch.h"

#include <string>
#include <vector>

namespace rig {

struct Function {
  uint64_t address = 0, size = 0;
};

// Of this program's symbol table; ends the program when it is not there.
Function find(const char* name);

struct Seen {
  uint64_t ctx[32];
  uint64_t site;
};
extern std::vector<Seen> g_seen;
extern int g_failures;

void check(bool ok, const char* what, const std::string& subject);
#define CHECK(condition, subject) rig::check((condition), __FILE__ ": " #condition, subject)

enum Mode : unsigned { kEntry = 1, kReturn = 2, kSweeps = 4 };

// One planted site; taken out when it goes.
class Probe {
public:
  // `through_gap`: the site gets a short jump to a long one.
  Probe(const Function& function, uint64_t offset, unsigned mode, bool through_gap = false);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  bool planted() const { return refusal_.empty(); }
  const std::string& refusal() const { return refusal_; } // the diagnostic's code
  const bpfaot::targets::SiteCover& cover() const { return cover_; }
  const bpfaot::targets::Trampoline& trampoline() const { return trampoline_; }

private:
  void write(const std::vector<uint8_t>& bytes);
  std::string refusal_;
  bpfaot::targets::SiteCover cover_;
  bpfaot::targets::Trampoline trampoline_;
  std::vector<uint8_t> original_;
};

constexpr uint64_t kEntrySite = 0x1000, kReturnSite = 0x2000; // what ctx[-1] says

bpfaot_arena& arena();
bpfaot_process& process();
bpfaot_thread_table& table();
void set_up(const char* program);
// No frame of a finished call is left on this thread's shadow stack.
uint32_t depth();

} // namespace rig
