// SPDX-License-Identifier: MIT
//
// Tail calls between the programs of an image. There are no addresses of code in a program array: a
// slot names a program, and two functions for each family of programs know which these are.
//
//   find  i1 (env, ctx, map, index)  whether the call is made: the slot names a program of the
//                                    family and the run has made fewer than 33; env notes which
//   run   i64 (env, ctx)             jumps to the program that env notes
//
// A program and `run` have one signature, so the jump drops the frame of the program that makes it
// (musttail). Functions of a program have other signatures: they return, and their caller looks into
// env and calls `run`. Either way a chain of tail calls does not grow the stack.
#pragma once

#include "bpf/section.h"
#include "support/result.h"
#include "verifier/verifier.h"

#include <llvm/IR/Function.h>

#include <map>
#include <span>
#include <string_view>

namespace bpfaot::aotc {

class ModuleLowering;
struct LoweredProgram;

inline constexpr std::string_view kTailRunPrefix = "tail.run."; // of the names of `run`

class TailCalls {
public:
  explicit TailCalls(ModuleLowering& module) : module_(module) {}
  // Declared when first asked for; connect_tail_calls() writes them.
  llvm::Function* find(bpf::TailFamily family) { return functions(family).find; }
  llvm::Function* run(bpf::TailFamily family) { return functions(family).run; }

  struct Target {
    uint32_t program; // number in the image
    llvm::Function* main;
  };
  bool is_used(bpf::TailFamily family) const { return functions_.contains(family); }
  Status write(bpf::TailFamily family, std::span<const Target> targets);

private:
  struct Functions {
    llvm::Function *find = nullptr, *run = nullptr;
  };
  Functions& functions(bpf::TailFamily family);
  Status write_find(llvm::Function& find, std::span<const Target> targets);
  void write_run(llvm::Function& run, std::span<const Target> targets);

  ModuleLowering& module_;
  std::map<bpf::TailFamily, Functions> functions_;
};

// Programs of a family that makes tail calls are functions of their own, and what the entry of one
// that makes them has to prepare is what any of them needs.
Status connect_tail_calls(ModuleLowering& module,
                          std::span<const verifier::VerifiedProgram> programs,
                          std::span<LoweredProgram> lowered);

} // namespace bpfaot::aotc
