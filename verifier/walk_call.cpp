// SPDX-License-Identifier: MIT
//
// Helper calls: arguments by their classes in bpf/helpers.def, the result by its class, references.
#include "bpf/object.h"
#include "verifier/typestate.h"
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr uint64_t kMaxSize = 1u << 29; // of a buffer, as in the kernel
constexpr int64_t kMaxErrno = 4095;
constexpr int32_t kMapLookup = 1;
constexpr int32_t kSnprintf = 165;
constexpr uint64_t kMaxRecord = INT32_MAX; // beyond it no ring can hold it

// Returns how much it has written, or a small error.
bool returns_length(int32_t helper) {
  return helper == 45 || helper == 114 || helper == 115 || helper == 67;
}
// Writes text and leaves what follows the terminator as it was.
bool leaves_tail(int32_t helper) {
  return helper == 45 || helper == 114 || helper == 115 || helper == kSnprintf;
}
// Leaves the buffer as it was when it fails: xdp_load_bytes, dynptr_read.
bool may_leave_all(int32_t helper) {
  return helper == 189 || helper == 201;
}
bool is_printk(int32_t helper) {
  return helper == 6 || helper == 177;
}

// Where there is a reason beyond "nobody has written it".
const char* why_not(int32_t helper) {
  switch (helper) {
  case 169: // timer_init, _set_callback, _start, _cancel
  case 170:
  case 171:
  case 172: return "a timer needs a thread to run its callback on, and a probe brings none into the process";
  case 23: // redirect, clone_redirect, redirect_map, redirect_neigh, redirect_peer
  case 13:
  case 51:
  case 152:
  case 155: return "there is no network device in a process that a packet could be sent to";
  default: return nullptr;
  }
}

Reg argument_register(unsigned index) {
  return Reg{static_cast<uint8_t>(index + 1)};
}

} // namespace

Status Walker::on(const CallHelper& insn) {
  return call_helper(insn.id);
}

Status Walker::call_helper(int32_t id) {
  const HelperInfo* info = find_helper(id);
  if (info == nullptr && kernel_helper_name(id).empty())
    return error(Code::kHelperInvalid, "there is no helper " + std::to_string(id),
                 "helper " + std::to_string(id), "a helper of the list in docs/supported.md");
  if (info == nullptr) {
    Failure failure = error(Code::kHelperUnknown, helper_name(id) + " is not supported",
                            "helper " + std::to_string(id), "a helper of the list in docs/supported.md");
    if (const char* reason = why_not(id))
      failure.diagnostic().notes.emplace_back(reason);
    return failure;
  }
  return call(*info);
}

Status Walker::call(const HelperInfo& info) {
  CallContext call;
  call.info = &info;
  TRY(check_kind_of(call));
  if ((info.flags & kHelperGpl) != 0)
    TRY(check_licence("bpf_" + std::string(info.name)));
  if (!info.is_kfunc())
    facts_.helper(info.id);
  if ((call.info->flags & kHelperCtx) != 0)
    facts_.ctx_escapes();
  for (unsigned i = 0; i < call.info->arg_count(); ++i)
    TRY(check_argument(call, i));
  if (is_printk(info.id) || info.id == kSnprintf)
    TRY(check_format(call));
  note_outputs(call);
  if (call.released_ref != 0)
    end_reference(state_, call.released_ref);
  if ((call.info->flags & kHelperMoves) != 0 && info.id != kTailCall)
    forget_packet(state_);
  if (info.id == kMapLookup && !facts_.looks_up_one(state_.pc, call.map->inner.has_value()))
    return error(Code::kUnsupportedMapType, "this finds a map on some paths and a value on others");
  if (std::find(call.info->args.begin(), call.info->args.end(), HelperArg::callback) !=
      call.info->args.end()) {
    const HelperCall first{new_id(), 0};
    explored_.open_scope(first.id, parent_);
    return call_back(*call.info, 0, first);
  }
  if (info.id == kfunc_throw)
    return throw_out();
  if (info.ret == HelperRet::iterator_element) {
    next_element(call);
    return {};
  }
  if (info.id == kTailCall) // which moves the packet only when it does not come back
    TRY(tail_call());
  update_object(call);
  for (uint8_t r = 0; r <= 5; ++r)
    assign(Reg{r}, {});
  set_result(call);
  return {};
}

// The kernel's rule, which programs that are to run here and there have to keep.
Status Walker::check_licence(const std::string& helper) {
  const std::string& licence = program_.object->license;
  if (is_gpl_compatible(licence))
    return {};
  return error(Code::kGplHelper, helper + " is for programs with a GPL-compatible licence",
               licence.empty() ? "no licence" : "licence \"" + licence + "\"",
               "char LICENSE[] SEC(\"license\") = \"GPL\", \"Dual BSD/GPL\", \"Dual MIT/GPL\" …");
}

Status Walker::check_argument(CallContext& call, unsigned index) {
  const Reg r = argument_register(index);
  // The format decides which of these are used; bpf_printk() sets only those.
  if (is_printk(call.info->id) && call.info->args[index] == HelperArg::anything &&
      state_.reg(r).type == Type::none)
    return {};
  TRY(require_written(r));
  const RegState& arg = state_.reg(r);
  const auto wrong = [&](const char* needed) -> Status {
    return error(Code::kHelperArg,
                 "wrong argument " + std::to_string(index + 1) + " of bpf_" +
                     std::string(call.info->name),
                 name(r) + " is " + describe(arg), needed);
  };
  switch (call.info->args[index]) {
  case HelperArg::none: return {};
  case HelperArg::anything:
    if (arg.type == Type::ctx)
      facts_.raw_ctx(state_.pc);
    if (arg.type == Type::stack) // the helper may follow the address upwards through this frame
      touch_stack_read(arg, 0, kStackBytes);
    return {};
  case HelperArg::scalar: // flags and the like: an address passed as a number is senseless but
                          // legal
    if (call.info->is_kfunc() && !arg.is_scalar())
      return wrong("a number");
    if (arg.type == Type::ctx)
      facts_.raw_ctx(state_.pc);
    return {};
  case HelperArg::ctx:
    if (arg.type != Type::ctx)
      return wrong("the context");
    return arg.value == Scalar::constant(0)
               ? Status{}
               : wrong("the context as it was passed, without an offset");
  case HelperArg::map: return check_map_argument(call, r);
  case HelperArg::key: return check_key_or_value(call, r, true);
  case HelperArg::value: return check_key_or_value(call, r, false);
  case HelperArg::value_out: return check_value_out(call, r);
  case HelperArg::mem_in:
  case HelperArg::mem_in_or_null:
  case HelperArg::mem_out:
  case HelperArg::mem_out_or_null: return check_buffer(call, index);
  case HelperArg::size:
  case HelperArg::size_or_zero: return {}; // with its buffer
  case HelperArg::const_size:
    if (!arg.is_scalar() || !arg.value.is_constant())
      return wrong("a known constant");
    if (arg.value.umin > kMaxRecord)
      return wrong("a size below 2^31");
    call.memory_size = arg.value.umin;
    return {};
  case HelperArg::record: return check_record(call, r);
  case HelperArg::callback: return check_callback(r);
  case HelperArg::const_str: return check_const_str(call, r);
  case HelperArg::u64_out: return check_u64_out(call, r);
  case HelperArg::stack_or_null:
    return arg.type == Type::stack || arg.is_zero() ? Status{} : wrong("the stack, or 0");
  case HelperArg::num_iterator_new:
    return check_new_object(call, r, StackObject::Kind::num_iterator);
  case HelperArg::num_iterator:
  case HelperArg::num_iterator_end:
    return check_object_argument(call, r, StackObject::Kind::num_iterator);
  case HelperArg::dynptr_new: return check_new_object(call, r, StackObject::Kind::dynptr);
  case HelperArg::dynptr: return check_object_argument(call, r, StackObject::Kind::dynptr);
  case HelperArg::dynptr_end:
    TRY(check_object_argument(call, r, StackObject::Kind::dynptr));
    return check_reserved(call, r);
  case HelperArg::map_memory:
    if (arg.type != Type::map_value)
      return wrong("memory of a map value");
    return check_buffer(call, index);
  case HelperArg::scratch_or_null: {
    if (arg.is_zero())
      return {};
    const RegState& size = state_.reg(argument_register(index + 1));
    if (!size.is_scalar() || !size.value.is_constant() || size.value.umin > kMaxSize)
      return wrong("a buffer whose size is a known constant");
    return check_helper_memory(call, r, {0, size.value.umin, false}, Access::write);
  }
  }
  return error(Code::kInternal, "a helper argument of an unknown class");
}

Status Walker::check_map_argument(CallContext& call, Reg r) {
  const RegState& arg = state_.reg(r);
  const std::string helper = "bpf_" + std::string(call.info->name);
  if (arg.type != Type::map_handle)
    return error(Code::kHelperArg, helper + " needs a map", name(r) + " is " + describe(arg),
                 "a map");
  if (arg.maybe_null)
    return error(Code::kNullDeref, name(r) + " may be null here", name(r) + " is " + describe(arg),
                 "a comparison with null before the call");
  call.map = &map(arg.object);
  call.map_id = MapId(arg.object);
  const MapTypeInfo* type = find_map_type(call.map->type);
  if (type == nullptr)
    return error(Code::kUnsupportedMapType, "map " + call.map->name + ": type " +
                                                map_type_name(call.map->type) +
                                                " is not supported");
  if ((type->map_class & call.info->maps) == 0)
    return error(Code::kHelperArg, helper + " does not work on this type of map",
                 call.map->name + " is of type " + std::string(type->name),
                 "a map of a type that the helper serves");
  return {};
}

Status Walker::check_key_or_value(CallContext& call, Reg r, bool key) {
  if (call.map == nullptr)
    return error(Code::kInternal, "a key before its map");
  const uint32_t size = key ? call.map->key_size : call.map->value_size;
  if (size == 0)
    return error(Code::kUnsupportedMapSize,
                 "map " + call.map->name + " leaves its " + (key ? "key" : "value") + " size open",
                 "size 0", "a size in the object");
  TRY(check_helper_memory(call, r, {size, size, true}, Access::read));
  const bool is_array = call.map->type == MapType::array || call.map->type == MapType::percpu_array;
  // The lookup of one CPU's value may also fail for the CPU.
  if (key && is_array && size == 4 && call.info->id == kMapLookup)
    if (const std::optional<Scalar> index = constant_on_stack(state_.reg(r), size))
      call.key_is_in_range = index->umax < call.map->max_entries;
  return {};
}

Status Walker::check_value_out(CallContext& call, Reg r) {
  if (call.map == nullptr)
    return error(Code::kInternal, "a value before its map");
  const uint32_t size = call.map->value_size;
  if (size == 0)
    return error(Code::kUnsupportedMapSize,
                 "map " + call.map->name + " leaves its value size open", "size 0",
                 "a size in the object");
  return check_helper_memory(call, r, {size, size, true}, Access::write);
}

Result<Walker::Extent> Walker::check_size(const CallContext& call, Reg r, bool zero_is_fine) {
  TRY(require_written(r));
  const RegState& size = state_.reg(r);
  const std::string what = "size in " + name(r) + " of bpf_" + std::string(call.info->name);
  const std::string found = name(r) + " is " + describe(size);
  if (!size.is_scalar())
    return error(Code::kHelperArg, what + " is not a number", found, "a number");
  if (size.value.smin < 0)
    return error(Code::kHelperSize, what + " may be negative", found, "a number in [0, 2^29)");
  if (size.value.umax >= kMaxSize)
    return error(Code::kHelperSize, what + " has no upper bound", found, "a number in [0, 2^29)");
  if (size.value.umin == 0 && !zero_is_fine)
    return error(Code::kHelperSize, what + " may be zero", found, "a number above zero");
  return Extent{size.value.umin, size.value.umax, true};
}

Status Walker::check_buffer(CallContext& call, unsigned index) {
  const Reg r = argument_register(index), size_reg = argument_register(index + 1);
  const HelperArg kind = call.info->args[index];
  const bool zero_is_fine = index + 1 < 5 && call.info->args[index + 1] == HelperArg::size_or_zero;
  Extent extent = TRY(check_size(call, size_reg, zero_is_fine));
  call.buffer_max = extent.max;
  const bool is_output = kind == HelperArg::mem_out || kind == HelperArg::mem_out_or_null ||
                         kind == HelperArg::map_memory;
  const bool may_be_null = kind == HelperArg::mem_in_or_null || kind == HelperArg::mem_out_or_null;
  if (may_be_null && state_.reg(r).is_zero()) {
    if (extent.max == 0)
      return {};
    return error(Code::kNullDeref, "a null buffer with a size that may not be zero",
                 name(size_reg) + " is " + describe(state_.reg(size_reg)), "the number 0");
  }
  extent.filled = !leaves_tail(call.info->id) && !may_leave_all(call.info->id);
  return check_helper_memory(call, r, extent, is_output ? Access::write : Access::read);
}

Status Walker::check_helper_memory(const CallContext& call, Reg r, const Extent& extent,
                                   Access access) {
  const RegState arg = state_.reg(r);
  const std::string found = name(r) + " is " + describe(arg);
  if (arg.is_scalar() && arg.released)
    return error(Code::kRefReleased, name(r) + " points to a record that is no longer ours", found,
                 "no use of the record after it was submitted or discarded");
  if (arg.is_pointer() && arg.maybe_null)
    return error(Code::kNullDeref, name(r) + " may be null here", found,
                 "a comparison with null before the call");
  switch (arg.type) {
  case Type::stack:
    TRY(check_stack(r, 0, extent.max, access, false));
    if (access == Access::read)
      touch_stack_read(arg, 0, extent.max);
    else
      overwrite_stack(arg, 0, extent);
    return {};
  case Type::map_value: return check_map_value(r, 0, extent.max, access);
  case Type::memory: return check_object(r, 0, extent.max, access);
  case Type::packet:
  case Type::packet_meta:
    if ((call.info->flags & kHelperPacket) == 0)
      break;
    return check_packet(r, 0, extent.max);
  default: break;
  }
  return error(Code::kHelperArg, name(r) + " is not memory that a helper can use", found,
               "the stack, a map value or a record");
}

Status Walker::check_record(CallContext& call, Reg r) {
  const RegState& arg = state_.reg(r);
  const std::string found = name(r) + " is " + describe(arg);
  if (arg.is_scalar() && arg.released)
    return error(Code::kRefReleased, "the record was already submitted or discarded", found,
                 "a record that is held");
  if (arg.type != Type::memory || arg.ref == 0)
    return error(Code::kHelperArg, "not a reserved record", found,
                 "what bpf_ringbuf_reserve returned");
  if (arg.maybe_null)
    return error(Code::kNullDeref, "the record may be null", found,
                 "a comparison with null before it");
  if (!(arg.value == Scalar::constant(0)))
    return error(Code::kHelperArg, "the pointer to the record was moved", found,
                 "the start of the record");
  call.released_ref = arg.ref;
  call.record = arg;
  return {};
}

void Walker::note_outputs(const CallContext& call) {
  const InsnIndex here = state_.pc;
  if (call.info->id == 132) {
    facts_.output(here, MapId(call.record.object), call.record.size, call.record.size);
    return;
  }
  if (call.info->id != 25 && call.info->id != 130)
    return;
  const RegState& size = state_.reg(call.info->id == 25 ? Reg{5} : Reg{3});
  facts_.output(here, call.map_id, size.value.umin, size.value.umax);
}

void Walker::set_result(const CallContext& call) {
  RegState result;
  switch (call.info->ret) {
  case HelperRet::nothing:
  case HelperRet::iterator_element: break;
  case HelperRet::slice_or_null:
    result = RegState::pointer(Type::memory, UINT32_MAX);
    result.size = static_cast<uint32_t>(call.memory_size);
    result.read_only = call.info->id == kfunc_dynptr_slice || call.object.read_only;
    result.unaligned = true;
    // A record outlives any one of its dynptrs, whose frame may be left.
    result.owner = call.object.ref != 0 ? call.object.ref : call.object.id;
    result.maybe_null = true;
    result.id = new_id();
    break;
  case HelperRet::integer:
    result = RegState::scalar(
        returns_length(call.info->id)
            ? Scalar::signed_range(-kMaxErrno, static_cast<int64_t>(call.buffer_max))
            : Scalar{});
    break;
  case HelperRet::map_value_or_null:
    if (call.map->inner) {
      result = RegState::pointer(Type::map_handle, call.map->inner->value);
      result.maybe_null = true;
      result.id = new_id();
      break;
    }
    result = RegState::pointer(Type::map_value, call.map_id.value);
    result.maybe_null = !call.key_is_in_range;
    result.id = result.maybe_null ? new_id() : 0;
    break;
  case HelperRet::memory_or_null:
    result = RegState::pointer(Type::memory, call.map_id.value);
    result.size = static_cast<uint32_t>(call.memory_size);
    result.maybe_null = true;
    result.id = new_id();
    if ((call.info->flags & kHelperAcquire) != 0) {
      result.ref = new_id();
      state_.refs.push_back({result.ref, state_.pc});
    }
    break;
  }
  assign(Reg{0}, std::move(result));
}

} // namespace bpfaot::verifier
