// SPDX-License-Identifier: MIT
//
// Which types are contexts depends on the kind of the program, and whether a tag says so: the rules
// are those of Linux 6.12 and later.
#include "verifier/contract.h"

#include "bpf/object.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr size_t kMostParameters = 5;
constexpr std::string_view kTagPrefix = "arg:";
constexpr std::string_view kRegisters = "bpf_user_pt_regs_t"; // a typedef that means the context

struct Tags {
  bool ctx = false, nonnull = false;
  std::string_view other; // one that is none of these
};

Tags tags_of(const Btf& btf, uint32_t function, int32_t parameter) {
  Tags tags;
  for (uint32_t id = 1; id < btf.type_count(); ++id) {
    const BtfType& tag = btf.type(id);
    if (tag.kind != BtfKind::decl_tag || tag.target != function || tag.component != parameter ||
        !tag.name.starts_with(kTagPrefix))
      continue;
    const std::string_view word = tag.name.substr(kTagPrefix.size());
    if (word == "ctx")
      tags.ctx = true;
    else if (word == "nonnull")
      tags.nonnull = true;
    else
      tags.other = tag.name;
  }
  return tags;
}

bool has_registers(ProgramKind kind) {
  return kind == ProgramKind::probe || kind == ProgramKind::usdt || kind == ProgramKind::ksyscall;
}

// What bpf_user_pt_regs_t stands for on a machine.
bool is_register_struct(CtxMachine machine, std::string_view name) {
  switch (machine) {
  case CtxMachine::x86_64: return name == "pt_regs";
  case CtxMachine::aarch64: return name == "user_pt_regs";
  case CtxMachine::riscv64: return name == "user_regs_struct";
  case CtxMachine::unknown: break;
  }
  return name == "pt_regs" || name == "user_pt_regs" || name == "user_regs_struct";
}

// "" where the kind's context has no structure of its own.
std::string_view context_struct(ProgramKind kind) {
  switch (kind) {
  case ProgramKind::perf_event: return "bpf_perf_event_data";
  case ProgramKind::raw_tracepoint: return "bpf_raw_tracepoint_args";
  case ProgramKind::socket_filter:
  case ProgramKind::tc: return "__sk_buff";
  case ProgramKind::xdp: return "xdp_md";
  default: return {};
  }
}

bool is_typedef_of_registers(const Btf& btf, uint32_t pointee) {
  const BtfType& type = btf.type(btf.strip_qualifiers(pointee));
  return type.kind == BtfKind::type_def && type.name == kRegisters;
}

// Without a tag.
bool is_context(const Program& program, const Btf& btf, uint32_t pointee) {
  const ProgramKind kind = program.kind.kind;
  if (has_registers(kind) && is_typedef_of_registers(btf, pointee))
    return true;
  const BtfType& type = btf.resolved(pointee);
  if (type.kind != BtfKind::structure || type.name.empty())
    return false;
  // A structure with the typedef's name is how programs for kernels before 6.8 wrote it.
  if (has_registers(kind))
    return type.name == kRegisters || is_register_struct(program.ctx_machine, type.name);
  const std::string_view own = context_struct(kind);
  return (!own.empty() && type.name == own) || (own == "__sk_buff" && type.name == "sk_buff") ||
         (own == "xdp_md" && type.name == "xdp_buff");
}

// With __arg_ctx.
bool may_be_tagged_context(const Program& program, const Btf& btf, uint32_t pointee) {
  const ProgramKind kind = program.kind.kind;
  if ((has_registers(kind) || kind == ProgramKind::perf_event) &&
      is_typedef_of_registers(btf, pointee))
    return true;
  const BtfType& type = btf.resolved(pointee);
  if (type.kind == BtfKind::void_type)
    return true;
  if (type.name.empty())
    return false;
  if (kind == ProgramKind::tracepoint || kind == ProgramKind::syscall)
    return true;
  if ((kind == ProgramKind::raw_tracepoint || kind == ProgramKind::tp_btf) &&
      type.kind == BtfKind::integer && type.size == 8)
    return true;
  if (type.kind != BtfKind::structure)
    return false;
  if (has_registers(kind))
    return type.name == "pt_regs" || is_register_struct(program.ctx_machine, type.name);
  if (kind == ProgramKind::perf_event && is_register_struct(program.ctx_machine, type.name))
    return true;
  if (kind == ProgramKind::tp_btf)
    return type.name == "bpf_raw_tracepoint_args";
  return type.name == context_struct(kind);
}

bool is_number(const BtfType& type) {
  return type.kind == BtfKind::integer || type.kind == BtfKind::enumeration ||
         type.kind == BtfKind::enumeration64;
}

class Reader {
public:
  Reader(const Program& program, FuncId function)
      : program_(program), btf_(program.object->btf), function_(program.functions[function.value]) {
  }

  Result<std::vector<Parameter>> read() const {
    const BtfType& function = btf_.type(function_.btf_type);
    const BtfType& prototype = btf_.type(function.target);
    if (function.kind != BtfKind::function || prototype.kind != BtfKind::function_proto)
      return wrong("has no type", "no prototype", "type information for the function");
    const auto parameters = btf_.parameters(prototype);
    if (parameters.size() > kMostParameters)
      return wrong("has more parameters than there are registers for them",
                   std::to_string(parameters.size()) + " parameters", "at most five");
    if (!is_number(btf_.resolved(prototype.target)))
      return wrong("does not return a number", "it returns " + btf_.name_of(prototype.target),
                   "an integer or an enumeration, or a static function");
    std::vector<Parameter> contract;
    for (size_t i = 0; i < parameters.size(); ++i)
      contract.push_back(TRY(parameter(parameters[i], static_cast<int32_t>(i))));
    return contract;
  }

private:
  Failure wrong(const std::string& what, std::string found, std::string needed) const {
    return Failure(
        make_error(Code::kGlobalFunction, "global function " + function_.name + " " + what)
            .values(std::move(found), std::move(needed)));
  }

  Result<Parameter> parameter(const BtfParameter& parameter, int32_t index) const {
    const std::string which =
        "parameter " + std::to_string(index + 1) + " of global function " + function_.name;
    const std::string type_name = btf_.name_of(parameter.type);
    const Tags tags = tags_of(btf_, function_.btf_type, index);
    const BtfType& type = btf_.resolved(parameter.type);
    if (!tags.other.empty())
      return Failure(make_error(Code::kUnsupportedGlobalArg,
                                which + " is tagged '" + std::string(tags.other) + "'")
                         .values("'" + std::string(tags.other) + "'", "arg:ctx or arg:nonnull"));
    const auto refused = [&](const char* why, const char* needed) {
      return Failure(
          make_error(Code::kGlobalFunction, which + " " + why).values(type_name, needed));
    };
    if (type.kind != BtfKind::pointer) {
      if (tags.ctx || tags.nonnull)
        return refused("is tagged as a pointer and is none", "a pointer");
      if (!is_number(type))
        return refused("is neither a number nor a pointer",
                       "an integer, an enumeration or a pointer");
      return Parameter{};
    }
    if (tags.ctx || is_context(program_, btf_, type.target)) {
      if (tags.nonnull)
        return refused("is the context, which has no other tags", "arg:ctx alone");
      if (tags.ctx && !may_be_tagged_context(program_, btf_, type.target))
        return refused("cannot be the context of a program of this kind",
                       "void *, or the structure of the kind's context");
      return Parameter{.pass = Pass::ctx};
    }
    const BtfType& pointee = btf_.resolved(type.target);
    if ((pointee.kind == BtfKind::structure || pointee.kind == BtfKind::forward) &&
        pointee.name == "bpf_dynptr")
      return Parameter{.pass = Pass::dynptr};
    const bool is_sized = pointee.kind != BtfKind::function_proto;
    const std::optional<uint32_t> size = is_sized ? btf_.size_of(type.target) : std::nullopt;
    if (!size)
      return refused("points to a type whose size is not known", "a pointer to a type with a size");
    return Parameter{.pass = Pass::memory, .size = *size, .maybe_null = !tags.nonnull};
  }

  const Program& program_;
  const Btf& btf_;
  const Function& function_;
};

} // namespace

Result<std::vector<Parameter>> contract_of(const Program& program, FuncId function) {
  return Reader(program, function).read();
}

} // namespace bpfaot::verifier
