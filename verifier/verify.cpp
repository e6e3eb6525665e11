// SPDX-License-Identifier: MIT
//
// The gate itself: the only place where a VerifiedProgram is made.
#include "verifier/verifier.h"

#include "bpf/object.h"
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

// The walk relies on these; link_program() guarantees them, and a gate does not trust.
Status check_form(const bpf::Program& program) {
  const auto broken = [](const char* what) {
    return fail(Code::kInternal, std::string("malformed program: ") + what);
  };
  if (program.object == nullptr)
    return broken("no object");
  if (program.functions.empty() || program.insns.empty())
    return broken("no instructions");
  if (program.exception_callback.valid() &&
      program.exception_callback.value >= program.functions.size())
    return broken("callback for exceptions");
  for (const bpf::Function& function : program.functions) {
    if (function.begin >= function.end || function.end.value > program.insns.size())
      return broken("function bounds");
    for (uint32_t i = function.begin.value; i < function.end.value; ++i) {
      const bpf::ProgramInsn& at = program.insns[i];
      const bool jumps = std::holds_alternative<bpf::Jump>(at.insn) ||
                         std::holds_alternative<bpf::Branch>(at.insn) ||
                         std::holds_alternative<bpf::MayGoto>(at.insn);
      if (jumps && (at.target < function.begin || at.target >= function.end))
        return broken("jump out of its function");
      if (std::holds_alternative<bpf::CallLocal>(at.insn) &&
          at.callee.value >= program.functions.size())
        return broken("call of no function");
    }
  }
  return {};
}

Result<Facts> walk(const bpf::Program& program, const Options& options,
                   const Thresholds* thresholds, const Demand* demand = nullptr) {
  for (const bool all_stack : {false, true}) {
    const Liveness liveness(program, all_stack);
    Walker walker(program, options, liveness, thresholds, demand);
    const Status status = walker.run();
    if (walker.liveness_was_wrong() && !all_stack)
      continue;
    if (!status)
      return Failure(status.error());
    return walker.facts();
  }
  return fail(Code::kInternal, "the walk with all stack bytes live found one dead");
}

} // namespace

class Gate {
public:
  static VerifiedProgram open(std::shared_ptr<const bpf::Program> program, Facts facts) {
    return {std::move(program), std::make_shared<const Facts>(std::move(facts))};
  }
};

Result<VerifiedProgram> verify(std::shared_ptr<const bpf::Program> program,
                               const Options& options) {
  TRY(check_form(*program));
  const Thresholds thresholds(*program);
  Result<Facts> facts = walk(*program, options, &thresholds);
  // Widening may have lost a bound that the walk of every iteration keeps.
  const bool widens =
      std::any_of(program->insns.begin(), program->insns.end(), [](const bpf::ProgramInsn& at) {
        const auto* load = std::get_if<bpf::LoadImm64>(&at.insn);
        return std::holds_alternative<bpf::MayGoto>(at.insn) ||
               std::holds_alternative<bpf::CallKfunc>(at.insn) ||
               (load != nullptr && load->kind == bpf::Imm64Kind::func);
      });
  if (!facts && widens) {
    Result<Facts> exact = walk(*program, options, nullptr);
    if (exact || exact.error().code != Code::kStepLimit)
      facts = std::move(exact);
  }
  // Numbers that decide nothing multiply states. Forgetting them makes poorer facts, so it is done
  // only where nothing else helps.
  if (!facts && facts.error().code == Code::kStepLimit) {
    const Demand demand(*program);
    if (Result<Facts> shorter = walk(*program, options, &thresholds, &demand))
      facts = std::move(shorter);
  }
  if (!facts)
    return Failure(facts.error());
  return Gate::open(std::move(program), std::move(*facts));
}

} // namespace bpfaot::verifier
