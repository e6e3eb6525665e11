// SPDX-License-Identifier: MIT
#include "loader/dynlink.h"

namespace bpfaot::loader {
namespace {

constexpr uint64_t kStateOffset = 24; // r_debug.r_state on 64-bit machines
constexpr int kMaxStops = 1000;

std::optional<uint64_t> address_of(const Module& module, std::string_view name) {
  const std::optional<ElfSymbol> symbol = module.elf().find_symbol(name);
  return symbol && symbol->is_defined() ? std::optional<uint64_t>(symbol->value + module.bias()) : std::nullopt;
}

// Of struct r_debug: glibc names it, musl names a pointer to it.
std::optional<uint64_t> debug_address(Process& process, const Module& linker) {
  if (const std::optional<uint64_t> direct = address_of(linker, "_r_debug")) {
    return direct;
  }
  if (const std::optional<uint64_t> pointer = address_of(linker, "_dl_debug_addr")) {
    const Result<uint64_t> value = process.read_object<uint64_t>(*pointer);
    return value && *value != 0 ? std::optional<uint64_t>(*value) : std::nullopt;
  }
  return std::nullopt;
}

} // namespace

Result<Startup> run_to_consistent(Process& process) {
  Modules modules = TRY(Modules::read(process));
  const Module* main = modules.executable();
  if (main == nullptr || main->elf().interpreter().empty()) {
    return Startup::is_static;
  }
  const uint64_t entry = main->elf().entry() + main->bias();
  const Module* linker = modules.interpreter();
  const std::optional<uint64_t> event = linker != nullptr ? address_of(*linker, "_dl_debug_state") : std::nullopt;
  const bool known = event && (address_of(*linker, "_r_debug") || address_of(*linker, "_dl_debug_addr"));
  if (!known) {
    return TRY(process.run_to(entry)) == Wait::exited ? Startup::exited : Startup::at_entry;
  }
  for (int stop = 0; stop < kMaxStops; ++stop) {
    if (TRY(process.run_to(*event)) == Wait::exited) {
      return Startup::exited;
    }
    // musl relocates itself before its pointer is right, so it is read anew at each stop.
    const std::optional<uint64_t> debug = debug_address(process, *linker);
    const Result<uint32_t> state = debug ? process.read_object<uint32_t>(*debug + kStateOffset)
                                         : Result<uint32_t>(uint32_t{1});
    if (state && *state == 0) {
      return Startup::consistent;
    }
    // Out of the empty function, so that the breakpoint can be set in it again. No single step: not
    // every kernel has them (riscv64).
    if (TRY(process.run_to(TRY(process.return_address()))) == Wait::exited) {
      return Startup::exited;
    }
  }
  return fail(Code::kInternal, "the dynamic linker never reached a consistent state");
}

} // namespace bpfaot::loader
