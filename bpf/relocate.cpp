// SPDX-License-Identifier: MIT
//
// Relocations of code. clang writes an eBPF address in two ways only: a 64-bit immediate load with
// R_BPF_64_64 (a map, a variable, a function's address, an extern) and a call with R_BPF_64_32. The
// addend is in the instruction: bytes for loads, slots minus one for calls. That makes a section
// symbol with an addend and a function symbol with the neutral addend the same sum.
#include "bpf/relocate.h"

#include "bpf/helpers.h"

namespace bpfaot::bpf {
namespace {

// What libbpf and some loaders write where a CO-RE relocation could not hold; legal only on paths
// that are never taken.
constexpr int32_t kPoisonedHelper = 0xbad2310;

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string kind_name(RelocKind kind) {
  switch (kind) {
  case RelocKind::none: return "R_BPF_NONE";
  case RelocKind::r64_64: return "R_BPF_64_64";
  case RelocKind::r64_abs64: return "R_BPF_64_ABS64";
  case RelocKind::r64_abs32: return "R_BPF_64_ABS32";
  case RelocKind::r64_nodyld32: return "R_BPF_64_NODYLD32";
  case RelocKind::r64_32: return "R_BPF_64_32";
  }
  return "relocation type " + std::to_string(static_cast<uint32_t>(kind));
}

class Relocator {
public:
  Relocator(const Object& object, uint32_t section, uint32_t slot)
      : object_(object), section_(section), slot_(slot) {}

  Result<Relocated> call(const CallLocal& insn, const ElfRelocation* relocation) {
    if (relocation == nullptr)
      return local_call(section_, int64_t{slot_} + insn.off + 1);
    if (relocation->kind != RelocKind::r64_32)
      return wrong_kind(*relocation, "R_BPF_64_32");
    const ElfSymbol& symbol = object_.elf.symbols[relocation->symbol];
    if (symbol.section == ElfSymbol::kUndefined)
      return kernel_function(symbol);
    if (!is_code(symbol.section) || symbol.value % 8 != 0)
      return fail(Code::kCallTarget, "call of " + quoted(symbol.name) + ", which is no function");
    return local_call(symbol.section, static_cast<int64_t>(symbol.value / 8) + insn.off + 1);
  }

  Result<Relocated> load(const LoadImm64& insn, const ElfRelocation& relocation) {
    if (relocation.kind != RelocKind::r64_64)
      return wrong_kind(relocation, "R_BPF_64_64");
    const ElfSymbol& symbol = object_.elf.symbols[relocation.symbol];
    if (symbol.section == ElfSymbol::kUndefined)
      return external(insn, symbol);
    if (symbol.section == ElfSymbol::kNowhere)
      return fail(Code::kReloc, "address of " + quoted(symbol.name) + ", which lies in no section");
    const auto addend = static_cast<int32_t>(static_cast<uint32_t>(insn.imm));
    const int64_t address = static_cast<int64_t>(symbol.value) + addend;
    const ElfSection& target = object_.elf.sections[symbol.section];
    if (is_code(symbol.section))
      return function_address(insn, symbol, address);
    if (const auto map = object_.data_map.find(symbol.section); map != object_.data_map.end())
      return variable(insn, map->second, symbol, address);
    if (target.name == ".maps")
      return map(insn, symbol, address);
    if (target.name == "maps" || target.name.starts_with("maps/"))
      return Failure(make_error(Code::kMapLegacy, "map " + quoted(symbol.name) +
                                                      " is defined in section '" +
                                                      std::string(target.name) + "'")
                         .values("SEC(\"maps\") with struct bpf_map_def",
                                 "SEC(\".maps\") with __uint and __type")
                         .hint("libbpf 1.0 removed the old form as well; rewrite the definition"));
    if (target.name.starts_with(".addr_space."))
      return no_arena("variable " + quoted(symbol.name) + " lies in an arena");
    return fail(Code::kRelocUnsupported, "address of " + quoted(symbol.name) + " in section " +
                                             quoted(target.name) +
                                             ", which programs cannot use here");
  }

private:
  static Failure no_arena(std::string what) {
    return Failure(make_error(Code::kUnsupportedArena, std::move(what) + ", and there are none in a process")
                       .hint("arrays and global variables are shared memory as well, by offsets"));
  }

  bool is_code(uint32_t section) const {
    return section < object_.elf.sections.size() && object_.elf.sections[section].is_code();
  }

  Failure wrong_kind(const ElfRelocation& relocation, const char* needed) const {
    return Failure(
        make_error(Code::kReloc, "relocation of a kind that does not fit the instruction")
            .values(kind_name(relocation.kind), needed));
  }

  Result<uint32_t> function_at(uint32_t section, int64_t slot) const {
    for (uint32_t i = 0; i < object_.code.size(); ++i)
      if (object_.code[i].section == section && object_.code[i].begin == slot)
        return i;
    return fail(Code::kCallTarget, "no function begins at slot " + std::to_string(slot) +
                                       " of section " + quoted(object_.elf.sections[section].name));
  }

  Result<Relocated> local_call(uint32_t section, int64_t slot) const {
    return Relocated{CallLocal{0}, TRY(function_at(section, slot))};
  }

  // The name is that of one of ours; what the object thinks of its prototype must be so too, since
  // arguments are checked by our table alone.
  Status check_prototype(const HelperInfo& info, const ElfSymbol& symbol) const {
    const auto wrong = [&](std::string found, std::string needed) -> Status {
      return Failure(make_error(Code::kKfuncPrototype,
                                "kernel function " + quoted(symbol.name) +
                                    " is declared in another way than it is defined")
                         .values(std::move(found), std::move(needed)));
    };
    const Btf& btf = object_.btf;
    const std::optional<uint32_t> id = btf.find(BtfKind::function, symbol.name);
    if (!id)
      return wrong("no type information", "its prototype in BTF, which clang -g writes");
    const BtfType& proto = btf.type(btf.type(*id).target);
    const auto parameters = btf.parameters(proto);
    if (parameters.size() != info.arg_count())
      return wrong(std::to_string(parameters.size()) + " parameters",
                   std::to_string(info.arg_count()));
    for (size_t i = 0; i < parameters.size(); ++i) {
      const bool is_pointer = btf.resolved(parameters[i].type).kind == BtfKind::pointer;
      const HelperArg arg = info.args[i];
      const bool is_number = arg == HelperArg::scalar || arg == HelperArg::size ||
                             arg == HelperArg::size_or_zero || arg == HelperArg::const_size;
      if (is_pointer == is_number)
        return wrong("parameter " + std::to_string(i + 1) + " is " +
                         btf.name_of(parameters[i].type),
                     is_number ? "a number" : "a pointer");
    }
    const BtfKind result = btf.resolved(proto.target).kind;
    const bool is_void = info.ret == HelperRet::nothing;
    const bool is_pointer = !is_void && info.ret != HelperRet::integer;
    if ((result == BtfKind::void_type) != is_void || (result == BtfKind::pointer) != is_pointer)
      return wrong("it returns " + btf.name_of(proto.target),
                   is_void ? "void" : is_pointer ? "a pointer" : "a number");
    return {};
  }

  Result<Relocated> kernel_function(const ElfSymbol& symbol) const {
    if (const HelperInfo* info = find_kfunc(symbol.name)) {
      TRY(check_prototype(*info, symbol));
      return Relocated{CallKfunc{info->id, 0}};
    }
    if (symbol.is_weak)
      return Relocated{CallKfunc{0, 0}, std::nullopt, true};
    if (symbol.name.starts_with("bpf_arena_"))
      return no_arena("kernel function " + quoted(symbol.name) + " is for arenas");
    return fail(Code::kExtern,
                "kernel function " + quoted(symbol.name) + " is not available in a process");
  }

  Result<Relocated> external(const LoadImm64& insn, const ElfSymbol& symbol) const {
    if (object_.kconfig_map)
      for (const Variable& variable : object_.variables) {
        if (variable.map != *object_.kconfig_map || variable.name != symbol.name)
          continue;
        if (!variable.is_resolved)
          return fail(Code::kExtern,
                      "kernel configuration " + quoted(symbol.name) + " is not known in a process");
        return Relocated{LoadImm64{Imm64Kind::map_value, insn.dst,
                                   uint64_t{variable.offset} << 32 | object_.kconfig_map->value}};
      }
    // A program compares it with null, to know whether it may call the function.
    if (find_kfunc(symbol.name) != nullptr)
      return Relocated{LoadImm64{Imm64Kind::imm, insn.dst, 1}};
    if (symbol.is_weak)
      return Relocated{LoadImm64{Imm64Kind::imm, insn.dst, 0}};
    return fail(Code::kExtern,
                "kernel symbol " + quoted(symbol.name) + " is not available in a process");
  }

  Result<Relocated> function_address(const LoadImm64& insn, const ElfSymbol& symbol,
                                     int64_t address) const {
    if (address < 0 || address % 8 != 0)
      return fail(Code::kCallTarget, "address of byte " + std::to_string(address) + " of section " +
                                         quoted(object_.elf.sections[symbol.section].name) +
                                         ", where no function begins");
    return Relocated{LoadImm64{Imm64Kind::func, insn.dst, 0},
                     TRY(function_at(symbol.section, address / 8))};
  }

  Result<Relocated> map(const LoadImm64& insn, const ElfSymbol& symbol, int64_t address) const {
    const auto found = address < 0
                           ? object_.map_at.end()
                           : object_.map_at.find({symbol.section, static_cast<uint64_t>(address)});
    if (found == object_.map_at.end())
      return fail(Code::kReloc, "byte " + std::to_string(address) +
                                    " of section .maps is not the start of a map");
    if (const auto fault = object_.map_faults.find(found->second);
        fault != object_.map_faults.end())
      return Failure(fault->second);
    return Relocated{LoadImm64{Imm64Kind::map, insn.dst, found->second.value}};
  }

  Result<Relocated> variable(const LoadImm64& insn, MapId map, const ElfSymbol& symbol,
                             int64_t address) const {
    const std::string_view section = object_.elf.sections[symbol.section].name;
    if (address < 0 || address > object_.map(map).value_size)
      return fail(Code::kReloc,
                  "byte " + std::to_string(address) + " is outside section " + quoted(section));
    // Addresses in data would need the map's address in the process, which differs between
    // processes.
    for (const ElfRelocation& inside : object_.elf.relocations_of(symbol.section))
      if (inside.kind != RelocKind::none)
        return fail(Code::kRelocUnsupported, "section " + quoted(section) +
                                                 " holds the address of " +
                                                 quoted(object_.elf.symbols[inside.symbol].name) +
                                                 " at byte " + std::to_string(inside.offset));
    return Relocated{LoadImm64{Imm64Kind::map_value, insn.dst,
                               static_cast<uint64_t>(address) << 32 | map.value}};
  }

  const Object& object_;
  uint32_t section_, slot_;
};

} // namespace

Result<Relocated> relocate(const Object& object, uint32_t section, uint32_t slot,
                           const Insn& insn) {
  const ElfRelocation* relocation = object.elf.relocation_at(section, uint64_t{slot} * 8);
  if (relocation != nullptr && relocation->kind == RelocKind::none)
    relocation = nullptr;
  Relocator relocator(object, section, slot);
  if (const auto* call = std::get_if<CallLocal>(&insn))
    return relocator.call(*call, relocation);
  if (const auto* load = std::get_if<LoadImm64>(&insn)) {
    if (relocation != nullptr)
      return relocator.load(*load, *relocation);
    if (load->kind != Imm64Kind::imm)
      return fail(Code::kReloc, "reference to a map or kernel symbol by number: the object has "
                                "been linked for a loader of its own");
    return Relocated{insn};
  }
  if (relocation != nullptr)
    return fail(Code::kReloc, "relocation " + kind_name(relocation->kind) + " of " +
                                  quoted(object.elf.symbols[relocation->symbol].name) +
                                  " for an instruction that holds no address");
  if (std::holds_alternative<CallKfunc>(insn)) // by a number of some kernel's types
    return Relocated{insn, std::nullopt, true};
  const auto* helper = std::get_if<CallHelper>(&insn);
  return Relocated{insn, std::nullopt, helper != nullptr && helper->id == kPoisonedHelper};
}

} // namespace bpfaot::bpf
