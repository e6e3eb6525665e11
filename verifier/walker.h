// SPDX-License-Identifier: MIT
//
// The path-sensitive walk: one state at a time, depth first, every instruction checked in the state
// that reaches it. Branches that can go both ways leave the taken side pending. The files behind
// this header follow the instruction classes: walker.cpp (paths, control flow), walk_alu.cpp,
// walk_branch.cpp, walk_memory.cpp (loads, stores, atomics), walk_stack.cpp, walk_object.cpp,
// walk_call.cpp, walk_tail_call.cpp, walk_global.cpp. The entry function and each global function that is called have a
// walk of their own, one after the other in one Walker.
//
// Each handler updates state_ in place; state_.pc still names the instruction. The caller moves it
// on unless the handler has (moved_) or the path is over (ended_).
#pragma once

#include "bpf/helpers.h"
#include "bpf/program.h"
#include "verifier/collector.h"
#include "verifier/contract.h"
#include "verifier/explored.h"
#include "verifier/liveness.h"
#include "verifier/state.h"
#include "verifier/verifier.h"
#include "verifier/widen.h"

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace bpfaot::verifier {

// Functions of the program that may reach a helper or kfunc with one of these flags, by FuncId. A call
// through a register may lead anywhere.
std::vector<bool> functions_with(const bpf::Program& program, uint64_t helper_flags);

class Walker {
public:
  // `thresholds` null: loops through may_goto are walked iteration by iteration. With `demand`, what
  // it does not ask for is forgotten where paths join.
  Walker(const bpf::Program& program, const Options& options, const Liveness& liveness,
         const Thresholds* thresholds, const Demand* demand = nullptr);

  Status run();
  // A stack byte was read that the liveness pass had called dead: nothing this walk said counts,
  // walk again with all stack bytes live.
  bool liveness_was_wrong() const { return liveness_was_wrong_; }
  uint64_t steps() const { return steps_; }
  Facts facts() const { return facts_.finish(steps_); }

private:
  enum class Access : uint8_t { read, write, read_write };
  struct Pending {
    State state;
    std::shared_ptr<Node> parent;
  };
  // Size of a helper's buffer in bytes, and whether the buffer is filled whenever it is passed.
  struct Extent {
    uint64_t min = 0, max = 0;
    bool filled = true;
  };
  struct ObjectPlace {
    uint32_t frame = 0;
    int32_t offset = 0;
  };
  // What the arguments of one helper call have in common.
  struct CallContext {
    const bpf::HelperInfo* info = nullptr;
    const bpf::MapDef* map = nullptr;
    bpf::MapId map_id;
    uint64_t memory_size = 0;     // const_size
    uint64_t buffer_max = 0;      // of the last mem_* argument
    bool key_is_in_range = false; // array lookup that cannot fail
    uint32_t released_ref = 0;
    RegState record;
    ObjectPlace place; // of the argument that is an object of the stack
    StackObject object; // which, where it exists before the call
  };
  // A global function that is called.
  struct Global {
    std::vector<Parameter> parameters;
    std::vector<uint32_t> arguments; // by parameter: index into arguments_, 0 = not memory
  };
  // Memory that is passed to a global function: what holds for all calls.
  struct MemoryArgument {
    uint32_t align = 8;  // of the address
    bool shared = false; // may be a value of a map, which others write
    std::map<bpf::InsnIndex, uint32_t> needed_align = {}; // by instruction
  };
  struct Passed {
    uint32_t to;   // index into arguments_
    uint32_t from; // the same, when what is passed is itself an argument; else 0
    uint32_t align;
    bool shared;
    auto operator<=>(const Passed&) const = default;
  };

  // walker.cpp
  Status walk_from(State first);
  Status walk_path();
  Status walk_instruction();
  Status check_reference_leaks() const;
  Status check_stack_limit();
  void push(State state);
  Status on(const bpf::Jump& insn);
  Status on(const bpf::Exit& insn);
  Status on(const bpf::CallLocal& insn);
  Status call_function(bpf::FuncId callee);
  Status on(const bpf::MayGoto& insn);
  Status on(const bpf::LegacyPacketLoad& insn);
  Status on(const bpf::AddrSpaceCast& insn);
  Status on(const bpf::CallKfunc& insn);
  Status on(const bpf::CallIndirect& insn);
  // walk_alu.cpp
  Status on(const bpf::Alu& insn);
  Status on(const bpf::Neg& insn);
  Status on(const bpf::MovSx& insn);
  Status on(const bpf::ByteSwap& insn);
  Status on(const bpf::LoadImm64& insn);
  Status check_immediate(const bpf::Alu& insn);
  void move(const bpf::Alu& insn, const RegState& src);
  Status pointer_alu(const bpf::Alu& insn, const RegState& src);
  Status move_pointer(const bpf::Alu& insn, const RegState& pointer, const Scalar& amount);
  void scalar_alu(const bpf::Alu& insn, const RegState& src);
  // walk_branch.cpp
  Status on(const bpf::Branch& insn);
  void branch_on_null(const bpf::Branch& insn, const RegState& pointer);
  void branch_on_pointers(const bpf::Branch& insn, const RegState& a, const RegState& b);
  void take_branch(std::optional<State> taken, std::optional<State> not_taken);
  bool assume(State& state, const bpf::Branch& insn, const RegState& a, const RegState& b,
              bool taken);
  // walk_memory.cpp
  Status on(const bpf::Load& insn);
  Status on(const bpf::Store& insn);
  Status on(const bpf::Atomic& insn);
  Status on(const bpf::LoadAcquire& insn);
  Status on(const bpf::StoreRelease& insn);
  std::optional<uint64_t> fixed_value(const RegState& pointer, int64_t off, uint32_t size,
                                      bool sign_extend) const;
  Status load(bpf::Reg dst, bpf::Reg base, int16_t off, uint32_t size, bool sign_extend);
  Status store(bpf::Reg base, int16_t off, uint32_t size, const RegState& value);
  Status check_atomic_address(bpf::Reg base, int16_t off, uint32_t size);
  Status check_pointer(bpf::Reg base, Access access);
  Status check_object(bpf::Reg base, int64_t off, uint64_t size, Access access);
  Status check_ctx(bpf::Reg base, int64_t off, uint32_t size, Access access);
  Status check_map_value(bpf::Reg base, int64_t off, uint64_t size, Access access);
  uint32_t map_value_size(bpf::MapId map) const;
  // walk_packet.cpp
  std::optional<RegState> packet_field(int64_t off) const;
  Status check_packet(bpf::Reg base, int64_t off, uint64_t size);
  void move_in_packet(RegState& pointer, const Scalar& amount, bool is_sub);
  void compare_with_end(const bpf::Branch& insn, const RegState& a, const RegState& b,
                        State& taken, State& not_taken) const;
  static void forget_packet(State& state);
  Status check_kind_of(const CallContext& call) const;
  // walk_stack.cpp
  Status check_stack_bounds(bpf::Reg base, int64_t off, uint64_t size);
  Status check_stack(bpf::Reg base, int64_t off, uint64_t size, Access access, bool needs_alignment);
  Status check_fill(const RegState& base, int64_t off, uint32_t size);
  RegState read_stack(const RegState& base, int64_t off, uint32_t size, bool sign_extend);
  Status write_stack(const RegState& base, int64_t off, uint32_t size, const RegState& value);
  void overwrite_stack(const RegState& base, int64_t off, const Extent& extent);
  void touch_stack_read(const RegState& base, int64_t off, uint64_t size);
  void note_stack_bytes(size_t frame, int64_t begin, int64_t end);
  std::optional<Scalar> constant_on_stack(const RegState& base, uint32_t size) const;
  // walk_callback.cpp
  Status check_callback(bpf::Reg r) const;
  struct HelperCall { // that calls back: which, and how often it has
    uint32_t id, calls;
  };
  Status call_back(const bpf::HelperInfo& info, uint64_t iteration, HelperCall call);
  Status enter_callback(State& state, const bpf::HelperInfo& info, uint64_t iteration, HelperCall call);
  Status leave_callback();
  Status check_frames(const State& state, bpf::FuncId callee) const;
  // walk_object.cpp
  Result<ObjectPlace> object_place(bpf::Reg r, StackObject::Kind kind);
  Status check_new_object(CallContext& call, bpf::Reg r, StackObject::Kind kind);
  Status check_object_argument(CallContext& call, bpf::Reg r, StackObject::Kind kind);
  Status check_object_bytes(uint32_t frame, int64_t begin, int64_t end, Access access,
                            bool by_instruction);
  Status check_reserved(const CallContext& call, bpf::Reg r) const;
  Status throw_out();
  Status check_throw() const;
  Status overwrite_objects(uint32_t frame, int64_t begin, int64_t end);
  void update_object(const CallContext& call);
  void next_element(const CallContext& call);
  // walk_global.cpp
  Result<const Global*> global(bpf::FuncId function);
  Status call_global(bpf::FuncId callee);
  Status pass_argument(bpf::FuncId callee, const Global& info, uint8_t index);
  State entry_of(bpf::FuncId function);
  void need_alignment(const RegState& pointer, uint32_t align);
  Status settle_arguments();
  Status check_call_depth();
  // walk_tail_call.cpp
  Status tail_call();
  Status check_tail_call_stack(bpf::FuncId func, int64_t callers_bytes);
  // walk_call.cpp
  Status on(const bpf::CallHelper& insn);
  Status call_helper(int32_t id);
  Status call(const bpf::HelperInfo& info);
  Status check_licence(const std::string& helper);
  Status check_argument(CallContext& call, unsigned index);
  Status check_map_argument(CallContext& call, bpf::Reg r);
  Status check_value_out(CallContext& call, bpf::Reg r);
  Status check_key_or_value(CallContext& call, bpf::Reg r, bool key);
  Status check_buffer(CallContext& call, unsigned index);
  Result<Extent> check_size(const CallContext& call, bpf::Reg r, bool zero_is_fine);
  Status check_record(CallContext& call, bpf::Reg r);
  Status check_helper_memory(const CallContext& call, bpf::Reg r, const Extent& extent, Access access);
  // walk_text.cpp
  Status check_const_str(const CallContext& call, bpf::Reg r) const;
  Status check_u64_out(const CallContext& call, bpf::Reg r);
  Status check_format(const CallContext& call);
  void set_result(const CallContext& call);
  void note_outputs(const CallContext& call);
  // report.cpp
  Failure error(Code code, std::string message) const;
  Failure error(Code code, std::string message, std::string found, std::string needed) const;
  std::string describe(const RegState& reg) const;
  std::string name(bpf::Reg r) const { return "r" + std::to_string(r.number); }

  Status require_written(bpf::Reg r) const;
  Status require_writable(bpf::Reg r) const;
  Result<RegState> operand(const bpf::Operand& operand) const;
  void assign(bpf::Reg r, RegState value) { state_.reg(r) = std::move(value); }
  void forget_number(const RegState& pointer); // a pointer becomes a number that may travel
  uint32_t new_id() { return ++last_id_; }
  const bpf::MapDef& map(uint32_t id) const;

  const bpf::Program& program_;
  const Options& options_;
  const Liveness& liveness_;
  const Thresholds* thresholds_;
  const Demand* demand_;
  Collector facts_;
  Explored explored_;
  State state_;
  std::shared_ptr<Node> parent_;
  std::vector<Pending> pending_;
  std::vector<UnwrittenBytes> unwritten_;
  std::set<std::pair<bpf::FuncId, bpf::FuncId>> calls_; // caller, callee
  std::map<bpf::FuncId, Global> globals_;
  std::vector<bpf::FuncId> roots_; // global functions in the order of their first call
  std::vector<MemoryArgument> arguments_{1}; // [0] is none
  std::set<Passed> passed_;
  const std::vector<bool> packet_movers_, throwers_; // by FuncId
  uint64_t steps_ = 0, pending_bytes_ = 0;
  uint32_t last_id_ = 0;
  bool moved_ = false, ended_ = false, liveness_was_wrong_ = false;
};

} // namespace bpfaot::verifier
