// SPDX-License-Identifier: MIT
//
// Loads, stores and atomics: which memory, how far, whether it may be written. What is loaded from
// shared memory is any number: other processes write there between any two loads.
#include "bpf/object.h"
#include "verifier/walker.h"

namespace bpfaot::verifier {
namespace {

using namespace bpf;
using Int128 = __int128;

constexpr uint32_t kFlagReadOnly = 1u << 7;  // BPF_F_RDONLY_PROG
constexpr uint32_t kFlagWriteOnly = 1u << 8; // BPF_F_WRONLY_PROG

} // namespace

// Data sections whose definition leaves the size open have the size of their contents.
uint32_t Walker::map_value_size(MapId id) const {
  return map(id.value).value_size;
}

Status Walker::check_pointer(Reg base, Access access) {
  TRY(require_written(base));
  const RegState& r = state_.reg(base);
  const std::string found = name(base) + " is " + describe(r);
  const char* verb = access == Access::read ? "read through" : "written through";
  if (r.is_scalar() && r.released)
    return error(Code::kRefReleased, name(base) + " points to memory that is no longer ours",
                 found, "no use of memory after what it belongs to was given back");
  if (const auto use = program_.core_uses.find(program_.at(state_.pc).slot.value);
      r.is_scalar() && use != program_.core_uses.end())
    return error(Code::kKernelDeref,
                 use->second.name +
                     " is accessed directly, and no structure of the kernel is there",
                 found, "a read with BPF_CORE_READ() or bpf_probe_read_kernel()");
  if (r.is_scalar())
    return error(
        Code::kNotPointer, name(base) + " is " + verb + " but is not a pointer", found,
        "a pointer (addresses that a program computes can be read with bpf_probe_read only)");
  if (r.maybe_null)
    return error(Code::kNullDeref, name(base) + " may be null here", found,
                 "a comparison with null before the access");
  if (r.type == Type::map_handle && access == Access::read)
    return error(Code::kUnsupportedMapField, "reading the fields of a map is not supported", found,
                 "a pointer to memory");
  if (r.type == Type::map_handle || r.type == Type::function || r.type == Type::packet_end ||
      r.type == Type::dynptr)
    return error(Code::kNotPointer, name(base) + " cannot be accessed as memory", found,
                 "a pointer to memory");
  // The context is laid out anew for the machine and the kind, other memory is not.
  if (!facts_.accesses_one(state_.pc, r.type == Type::ctx))
    return error(Code::kCtxAccess,
                 "this accesses the context on some paths and other memory on others", found,
                 "one of them on all paths");
  return {};
}

Status Walker::check_map_value(Reg base, int64_t off, uint64_t size, Access access) {
  const RegState& r = state_.reg(base);
  const MapDef& def = map(r.object);
  if (access != Access::read && (def.read_only_for_programs() || (def.flags & kFlagReadOnly) != 0))
    return error(Code::kRodataWrite, "write into read-only map " + def.name, describe(r),
                 "memory that may be written");
  if (access != Access::write && (def.flags & kFlagWriteOnly) != 0)
    return error(Code::kMapValueOob, "read from write-only map " + def.name, describe(r),
                 "memory that may be read");
  const uint64_t value_size = map_value_size(MapId(r.object));
  if (value_size == 0)
    return error(Code::kUnsupportedMapSize, "map " + def.name + " leaves its value size open",
                 "value size 0", "a value size in the object");
  return check_object(base, off, size, access);
}

// Fixed plus variable offset of a sized object.
Status Walker::check_object(Reg base, int64_t off, uint64_t size, Access access) {
  const RegState& r = state_.reg(base);
  if (r.read_only && access != Access::read)
    return error(Code::kRodataWrite, "this memory cannot be changed", describe(r),
                 "memory that may be written");
  const uint64_t object_size = r.type == Type::memory ? r.size : map_value_size(MapId(r.object));
  const Int128 first = Int128{r.value.smin} + off, last = Int128{r.value.smax} + off;
  if (first >= 0 && last + size <= object_size)
    return {};
  const bool is_record = r.type == Type::memory;
  const auto text = [](Int128 x) { return std::to_string(static_cast<int64_t>(x)); };
  std::string found = "bytes [" + text(first) + ", " + text(last + size) + ")";
  if (r.value.smin == INT64_MIN || r.value.smax == INT64_MAX || last + size > INT64_MAX)
    found = name(base) + " is " + describe(r) + " without a bound";
  return error(is_record ? Code::kMemoryOob : Code::kMapValueOob,
               "access of " + std::to_string(size) + " bytes outside " +
                   (r.argument != 0 ? "the argument" : is_record ? "the record" : "the value of map " + map(r.object).name),
               std::move(found), "bytes within [0, " + std::to_string(object_size) + ")");
}

Status Walker::check_ctx(Reg base, int64_t off, uint32_t size, Access access) {
  const RegState& r = state_.reg(base);
  const CtxLayout& layout = options_.ctx;
  if (!r.value.is_constant() || r.value.umin != 0)
    return error(Code::kCtxAccess, "access through a modified context pointer",
                 name(base) + " is " + describe(r),
                 "the context as it was passed, with a constant offset in the instruction");
  const std::string found = std::to_string(size) + " bytes at offset " + std::to_string(off);
  if (layout.size == 0)
    return error(Code::kUnsupportedCtx, "the context of programs of this kind is not supported",
                 found, "no access to the context");
  if (off < 0 || off + int64_t{size} > int64_t{layout.size} || off % size != 0)
    return error(Code::kCtxAccess, "no such field in the context (" + layout.name + ")", found,
                 "an aligned access within [0, " + std::to_string(layout.size) + ")");
  bool allowed = layout.fields.empty(), writable = layout.fields.empty() && layout.writable;
  for (const CtxField& field : layout.fields)
    if (off >= field.offset && off + int64_t{size} <= int64_t{field.offset} + field.size) {
      if (field.value == CtxValue::kernel_pointer)
        return error(Code::kUnsupportedCtx,
                     "field " + std::string(field.name) + " of " + layout.name +
                         " is a pointer into the kernel",
                     found, "another field");
      allowed = size == field.size || !field.whole;
      writable = field.writable && (size == field.size || field.any_width);
    }
  if (!allowed)
    return error(Code::kCtxAccess, "no such field in the context (" + layout.name + ")", found,
                 "a field of the context");
  if (access != Access::read && !writable)
    return error(Code::kCtxAccess, "the context (" + layout.name + ") cannot be written here",
                 found, "a read");
  return {};
}

// Outside of the packet the program ends, with 0: nothing may be held here.
Status Walker::on(const LegacyPacketLoad& insn) {
  const ProgramKind kind = program_.kind.kind;
  if (kind != ProgramKind::socket_filter && kind != ProgramKind::tc)
    return error(Code::kUnsupportedPacketLoad,
                 "packet loads exist in programs of the kinds socket and tc only");
  if (state_.frames.size() != 1 || state_.top().func.value != 0)
    return error(Code::kUnsupportedPacketLoad,
                 "packet loads are not supported in functions that the program calls");
  TRY(require_written(Reg{6}));
  const RegState& context = state_.reg(Reg{6});
  if (context.type != Type::ctx || !(context.value == Scalar::constant(0)))
    return error(Code::kCtxAccess, "a packet load needs the context in r6",
                 "r6 is " + describe(context), "the context as it was passed");
  if (insn.indirect) {
    TRY(require_written(insn.src));
    forget_number(state_.reg(insn.src));
  }
  TRY(check_reference_leaks());
  for (uint8_t r = 1; r <= 5; ++r)
    assign(Reg{r}, {});
  assign(Reg{0}, RegState::scalar(Scalar::loaded(bytes(insn.size) * 8, false)));
  return {};
}

// What a constant of the program holds, where the compiler was told that it stays so.
std::optional<uint64_t> Walker::fixed_value(const RegState& pointer, int64_t off, uint32_t size,
                                            bool sign_extend) const {
  const MapDef& def = map(pointer.object);
  if (def.fixed.empty() || !pointer.value.is_constant())
    return std::nullopt;
  const uint64_t begin =
      pointer.value.umin + static_cast<uint64_t>(off); // in bounds: checked before
  if (!def.is_fixed(begin, begin + size) || begin + size > def.initial.size())
    return std::nullopt;
  uint64_t value = 0;
  for (uint32_t i = 0; i < size; ++i)
    value |= uint64_t{def.initial[begin + i]} << 8 * i;
  const unsigned unused = 64 - 8 * size;
  return sign_extend ? static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused)
                     : value;
}

Status Walker::load(Reg dst, Reg base, int16_t off, uint32_t size, bool sign_extend) {
  TRY(require_writable(dst));
  TRY(check_pointer(base, Access::read));
  const RegState pointer = state_.reg(base);
  RegState result = RegState::scalar(Scalar::loaded(size * 8, sign_extend));
  switch (pointer.type) {
  case Type::stack:
    TRY(check_stack(base, off, size, Access::read, true));
    TRY(check_fill(pointer, off, size));
    result = read_stack(pointer, off, size, sign_extend);
    break;
  case Type::map_value:
    TRY(check_map_value(base, off, size, Access::read));
    if (const auto fixed = fixed_value(pointer, off, size, sign_extend))
      result = RegState::constant(*fixed);
    break;
  case Type::memory: TRY(check_object(base, off, size, Access::read)); break;
  case Type::packet:
  case Type::packet_meta: TRY(check_packet(base, off, size)); break;
  case Type::ctx:
    TRY(check_ctx(base, off, size, Access::read));
    facts_.ctx_read(state_.pc);
    if (const std::optional<RegState> pointer_field = packet_field(off)) {
      if (sign_extend)
        return error(Code::kCtxAccess, "an address of the packet is not a signed number");
      result = *pointer_field;
    }
    break;
  default: return error(Code::kInternal, "load through an impossible pointer");
  }
  assign(dst, std::move(result));
  return {};
}

Status Walker::store(Reg base, int16_t off, uint32_t size, const RegState& value) {
  TRY(check_pointer(base, Access::write));
  const RegState pointer = state_.reg(base);
  switch (pointer.type) {
  case Type::stack:
    TRY(check_stack(base, off, size, Access::write, true));
    return write_stack(pointer, off, size, value);
  case Type::map_value: TRY(check_map_value(base, off, size, Access::write)); break;
  case Type::memory: TRY(check_object(base, off, size, Access::write)); break;
  case Type::packet:
  case Type::packet_meta: TRY(check_packet(base, off, size)); break;
  case Type::ctx: TRY(check_ctx(base, off, size, Access::write)); break;
  default: return error(Code::kInternal, "store through an impossible pointer");
  }
  forget_number(value);
  return {};
}

Status Walker::on(const Load& insn) {
  return load(insn.dst, insn.base, insn.off, bytes(insn.size), insn.sign_extend);
}

Status Walker::on(const Store& insn) {
  RegState value = TRY(operand(insn.src));
  // A spilled number and its register are one group: a check of either holds for both.
  if (const auto* src = std::get_if<Reg>(&insn.src); src != nullptr && value.is_scalar() &&
                                                     value.id == 0 && !value.value.is_constant() &&
                                                     state_.reg(insn.base).type == Type::stack) {
    value.id = new_id();
    value.delta = 0;
    assign(*src, value);
  }
  return store(insn.base, insn.off, bytes(insn.size), value);
}

Status Walker::check_atomic_address(Reg base, int16_t off, uint32_t size) {
  TRY(check_pointer(base, Access::read_write));
  const RegState& r = state_.reg(base);
  if (r.type == Type::ctx || r.is_packet())
    return error(Code::kAtomicTarget,
                 r.type == Type::ctx ? "atomic access to the context" : "atomic access to a packet",
                 name(base) + " is " + describe(r), "a map value, a record or the stack");
  if (r.unaligned)
    return error(Code::kMisalignedAtomic, "atomic access to memory of a dynptr",
                 name(base) + " is " + describe(r), "memory that is known to be aligned");
  const uint64_t low_bits = (r.value.bits.max() | static_cast<uint64_t>(int64_t{off})) & (size - 1);
  const uint64_t exact = (r.value.bits.value + static_cast<uint64_t>(int64_t{off})) & (size - 1);
  const bool is_aligned = (r.value.bits.mask & (size - 1)) == 0 ? exact == 0 : low_bits == 0;
  if (!is_aligned)
    return error(Code::kMisalignedAtomic, "atomic access that is not naturally aligned",
                 name(base) + " is " + describe(r) + ", instruction offset " + std::to_string(off),
                 "a multiple of " + std::to_string(size));
  need_alignment(r, size);
  return {};
}

Status Walker::on(const Atomic& insn) {
  const uint32_t size = bytes(insn.size);
  if (size < 4)
    return error(Code::kAtomicTarget, "atomic operation on less than four bytes");
  TRY(require_written(insn.src));
  const bool exchange = insn.op == AtomicOp::compare_exchange;
  if (exchange)
    TRY(require_written(Reg{0}));
  TRY(check_atomic_address(insn.base, insn.off, size));
  const RegState pointer = state_.reg(insn.base);
  switch (pointer.type) {
  case Type::stack: {
    TRY(check_stack(insn.base, insn.off, size, Access::read_write, true));
    const RegState old = read_stack(pointer, insn.off, size, false);
    forget_number(old);
    overwrite_stack(pointer, insn.off, {size, size, true});
    break;
  }
  case Type::map_value: TRY(check_map_value(insn.base, insn.off, size, Access::read_write)); break;
  case Type::memory: TRY(check_object(insn.base, insn.off, size, Access::read_write)); break;
  default: return error(Code::kInternal, "atomic through an impossible pointer");
  }
  forget_number(state_.reg(insn.src));
  if (exchange) {
    forget_number(state_.reg(Reg{0}));
    assign(Reg{0}, RegState::scalar(Scalar::loaded(size * 8, false)));
  } else if (insn.fetch) {
    TRY(require_writable(insn.src));
    assign(insn.src, RegState::scalar(Scalar::loaded(size * 8, false)));
  }
  return {};
}

Status Walker::on(const LoadAcquire& insn) {
  TRY(check_atomic_address(insn.base, insn.off, bytes(insn.size)));
  return load(insn.dst, insn.base, insn.off, bytes(insn.size), false);
}

Status Walker::on(const StoreRelease& insn) {
  TRY(require_written(insn.src));
  TRY(check_atomic_address(insn.base, insn.off, bytes(insn.size)));
  return store(insn.base, insn.off, bytes(insn.size), state_.reg(insn.src));
}

} // namespace bpfaot::verifier
