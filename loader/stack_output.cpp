// SPDX-License-Identifier: MIT
//
// Stacks and what their addresses are called.
#include "loader/stack_output.h"

#include "loader/map_snapshot.h"
#include "loader/modules.h"
#include "support/hex.h"
#include "support/json.h"

#include <cstring>

namespace bpfaot::loader {
namespace {

struct Place {
  std::string_view symbol, module; // "" when there is none
  uint64_t offset = 0;             // behind the symbol, else in the module
};

// Looks in the files that the process has mapped now. What was unmapped since has no name.
class Names {
public:
  explicit Names(int pid) {
    if (pid == 0)
      return;
    if (Result<Modules> modules = Modules::of_process(pid))
      modules_ = std::move(*modules);
  }

  // A return address may be the first byte behind its function: the call is what is named.
  Place of(uint64_t address, bool is_return) {
    const uint64_t call = address - (is_return ? 1 : 0);
    for (const Module* module : modules_ ? modules_->all() : std::vector<const Module*>()) {
      if (call < module->low() || call >= module->high())
        continue;
      const uint64_t vaddr = address - module->bias();
      if (const CodeSymbol* symbol = module->symbol_around(call - module->bias()))
        return {symbol->name, module->path(), vaddr - symbol->vaddr};
      return {"", module->path(), vaddr};
    }
    return {};
  }

private:
  std::optional<Modules> modules_;
};

std::vector<uint64_t> addresses(const std::vector<uint8_t>& value) {
  std::vector<uint64_t> result;
  for (size_t at = 0; at + 8 <= value.size(); at += 8) {
    uint64_t address;
    std::memcpy(&address, value.data() + at, 8);
    if (address == 0)
      break;
    result.push_back(address);
  }
  return result;
}

std::string text_of(uint64_t address, const Place& place) {
  std::string text = "    " + hex(address);
  if (!place.symbol.empty())
    text += " " + std::string(place.symbol) + "+" + hex(place.offset);
  if (!place.module.empty())
    text += " (" + std::string(place.module) + (place.symbol.empty() ? "+" + hex(place.offset) : "") + ")";
  return text + "\n";
}

void json_of(JsonWriter& out, uint64_t address, const Place& place) {
  out.begin_object();
  out.key("address").value(hex(address));
  if (!place.symbol.empty())
    out.key("symbol").value(place.symbol);
  if (!place.module.empty())
    out.key("module").value(place.module).key("offset").value(place.offset);
  out.end_object();
}

} // namespace

std::string print_stacks(const Image& image, const Session& session, uint32_t index,
                         const MapOutputOptions& options) {
  const std::string name(image.string(image.maps()[index].name));
  Names names(options.target);
  std::string text;
  for (const MapEntry& entry : snapshot(image, session, index)) {
    uint32_t id = 0;
    std::memcpy(&id, entry.key.data(), std::min(sizeof id, entry.key.size()));
    const std::vector<uint64_t> stack = addresses(entry.values[0]);
    if (options.json) {
      JsonWriter out;
      out.begin_object();
      out.key("type").value("stack").key("map").value(name).key("key").value(uint64_t{id});
      out.key("frames").begin_array();
      for (size_t i = 0; i < stack.size(); ++i)
        json_of(out, stack[i], names.of(stack[i], i != 0));
      out.end_array().end_object();
      text += out.take() + "\n";
      continue;
    }
    text += "@" + name + "[" + std::to_string(id) + "]:\n";
    for (size_t i = 0; i < stack.size(); ++i)
      text += text_of(stack[i], names.of(stack[i], i != 0));
  }
  return text;
}

} // namespace bpfaot::loader
