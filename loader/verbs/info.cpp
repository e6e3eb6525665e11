// SPDX-License-Identifier: MIT
//
// bpf-aot info: everything that the descriptor of a probe says, for any machine.
#include "loader/image.h"
#include "loader/map_spec.h"
#include "loader/variables.h"
#include "loader/verb.h"
#include "support/hex.h"
#include "support/json.h"
#include "targets/target.h"

#include <iterator>

namespace bpfaot::loader {
namespace {

constexpr std::string_view kKinds[] = {"none",   "probe", "syscall", "raw_tracepoint", "socket",     "xdp",
                                       "tc",     "usdt",  "ksyscall", "tracepoint",    "perf_event"};
static_assert(std::size(kKinds) == BPFAOT_KIND_PERF_EVENT + 1);

struct FlagName {
  uint32_t flag;
  std::string_view name;
};

constexpr FlagName kCapabilities[] = {
    {BPFAOT_CAP_READ_MEMORY, "read_memory"}, {BPFAOT_CAP_WRITE_USER, "write_user"},
    {BPFAOT_CAP_OVERRIDE, "override"},       {BPFAOT_CAP_SEND_SIGNAL, "send_signal"},
    {BPFAOT_CAP_SYSCALLS, "syscalls"},       {BPFAOT_CAP_TIME, "time"},
    {BPFAOT_CAP_PRINTK, "printk"},           {BPFAOT_CAP_PER_CPU, "per_cpu"},
    {BPFAOT_CAP_VECTOR, "vector"}};

constexpr FlagName kProgramFlags[] = {
    {BPFAOT_PROG_RETURN, "return"},           {BPFAOT_PROG_NO_AUTOLOAD, "no_autoload"},
    {BPFAOT_PROG_SLEEPABLE, "sleepable"},     {BPFAOT_PROG_MULTI, "multi"},
    {BPFAOT_PROG_NEEDS_SITE, "needs_site"},   {BPFAOT_PROG_NEEDS_GUARD, "needs_guard"},
    {BPFAOT_PROG_NEEDS_CPU, "needs_cpu"},     {BPFAOT_PROG_CTX_ESCAPES, "ctx_escapes"},
    {BPFAOT_PROG_PRESERVES, "preserves"},     {BPFAOT_PROG_TAIL_CALLS, "tail_calls"}};

constexpr FlagName kFixed[] = {
    {BPFAOT_FIXED_TYPE, "type"},           {BPFAOT_FIXED_KEY_SIZE, "key_size"},
    {BPFAOT_FIXED_VALUE_SIZE, "value_size"}, {BPFAOT_FIXED_FLAGS, "map_flags"},
    {BPFAOT_FIXED_MAX_ENTRIES, "max_entries"}, {BPFAOT_FIXED_MIN_ENTRIES, "min_entries"}};

template <size_t N> std::string flag_text(const FlagName (&names)[N], uint32_t flags) {
  std::string text;
  for (const FlagName& one : names)
    if (flags & one.flag)
      text += (text.empty() ? "" : " ") + std::string(one.name);
  return text;
}

template <size_t N>
void flag_array(JsonWriter& out, std::string_view key, const FlagName (&names)[N], uint32_t flags) {
  out.key(key).begin_array();
  for (const FlagName& one : names)
    if (flags & one.flag)
      out.value(one.name);
  out.end_array();
}

std::string attach_text(const Image& image, const bpfaot_program& program) {
  std::string text(image.string(program.attach_path));
  const std::string_view symbol = image.string(program.attach_symbol);
  if (symbol.empty() && program.attach_offset == 0)
    return text;
  char offset[32];
  std::snprintf(offset, sizeof offset, "%#llx",
                static_cast<unsigned long long>(program.attach_offset));
  text += ":" + (symbol.empty() ? std::string(offset) : std::string(symbol));
  if (!symbol.empty() && program.attach_offset != 0)
    text += "+" + std::string(offset);
  return text;
}

// The variable's bytes at load time, zero where the image has none (.bss).
std::vector<uint8_t> default_bytes(const Image& image, const bpfaot_variable& variable) {
  const auto initial = image.initial(image.maps()[variable.map]);
  std::vector<uint8_t> bytes(variable.size);
  for (uint64_t i = 0; i < variable.size && variable.off + i < initial.size(); ++i)
    bytes[i] = initial[variable.off + i];
  return bytes;
}

const targets::Target& machine_of(const Image& image) {
  return *targets::find_machine(static_cast<uint16_t>(image.desc().machine));
}

std::string_view machine_name(const Image& image) {
  return machine_of(image).name;
}

void append(std::string& out, std::string_view label, std::string_view value) {
  std::string line(label);
  line.resize(std::max<size_t>(label.size() + 1, 15), ' ');
  out += line + std::string(value) + "\n";
}

std::string head_text(const Image& image) {
  const bpfaot_desc& d = image.desc();
  std::string out;
  append(out, "probe", image.path());
  append(out, "machine", std::string(machine_name(image)) + " (" +
                             std::string(image.string(d.triple)) + ", " +
                             std::string(image.string(d.cpu)) + ")");
  append(out, "needs", d.cpu_features == 0 ? "any processor of the machine"
                                           : targets::feature_names(machine_of(image), d.cpu_features));
  append(out, "source", std::string(image.string(d.source_name)) + " sha256 " + hex_digits(d.source_digest));
  append(out, "image", std::to_string(d.file_size) + " bytes sha256 " + hex_digits(d.image_digest));
  append(out, "licence", image.string(d.license));
  append(out, "made by", std::string(image.string(d.tool)) + ", " + std::string(image.string(d.llvm)) +
                             ", ABI " + std::to_string(d.abi_version));
  append(out, "verdict", "accepted by verifier " + std::to_string(d.verifier_version));
  append(out, "signature", d.signature_kind == 0 ? "none" : "kind " + std::to_string(d.signature_kind));
  append(out, "capabilities", flag_text(kCapabilities, d.capabilities));
  append(out, "stack", std::to_string(d.stack_bytes) + " bytes at most");
  return out;
}

std::string program_text(const Image& image) {
  std::string out = "\nprograms\n";
  for (const bpfaot_program& p : image.programs()) {
    out += "  " + std::string(image.string(p.name)) + "  SEC(\"" +
           std::string(image.string(p.section)) + "\")  " + std::string(kKinds[p.kind]);
    if (const std::string flags = flag_text(kProgramFlags, p.flags); !flags.empty())
      out += "  [" + flags + "]";
    out += "\n    " + std::to_string(p.insn_count) + " instructions, stack " +
           std::to_string(p.stack_bytes) + " bytes";
    if (const std::string where = attach_text(image, p); !where.empty())
      out += ", attaches to " + where;
    if (const std::string uses = flag_text(kCapabilities, p.capabilities); !uses.empty())
      out += ", uses " + uses;
    out += "\n";
  }
  return out;
}

// What the object puts into a map's slots.
std::string_view slot_name(const Image& image, const bpfaot_map_value& slot) {
  if (slot.target_program != BPFAOT_NONE)
    return image.string(image.programs()[slot.target_program].name);
  return slot.target_map != BPFAOT_NONE ? image.string(image.maps()[slot.target_map].name) : "nothing";
}

std::string slots_text(const Image& image, uint32_t map) {
  std::string out;
  for (const bpfaot_map_value& slot : image.map_values())
    if (slot.map == map)
      out += "    [" + std::to_string(slot.index) + "] = " + std::string(slot_name(image, slot)) + "\n";
  return out;
}

std::string data_text(const Image& image) {
  std::string out = "\nmaps\n";
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    const bpfaot_map& m = image.maps()[i];
    out += "  " + std::string(image.string(m.name)) + "  " + map_type_name(m.type);
    if (m.section != BPFAOT_MAP_ORDINARY)
      out += " (" + std::string(map_section_name(m.section)) + ")";
    out += "  key " + std::to_string(m.key_size) + "  value " + std::to_string(m.value_size) +
           "  max_entries " + std::to_string(m.max_entries) + "  flags " +
           std::to_string(m.map_flags);
    if (m.key_type != 0 || m.value_type != 0)
      out += "  " + type_text(image, m.key_type) + " -> " + type_text(image, m.value_type);
    if (const std::string fixed = flag_text(kFixed, m.fixed); !fixed.empty())
      out += "  fixed: " + fixed;
    out += "\n" + slots_text(image, i);
  }
  if (!image.variables().empty())
    out += "\nvariables (--set NAME=VALUE)\n";
  for (const bpfaot_variable& v : image.variables()) {
    out += "  " + std::string(image.string(v.name)) + "  " +
           (v.type ? type_text(image, v.type) : std::to_string(v.size) + " bytes") + "  " +
           std::string(map_section_name(image.maps()[v.map].section)) + "  = ";
    if (v.type)
      append_text(out, image.type_tables(), v.type, default_bytes(image, v));
    else
      out += hex_digits(default_bytes(image, v));
    out += "\n";
  }
  if (!image.events().empty())
    out += "\nevents\n";
  for (const bpfaot_event& e : image.events()) {
    out += "  " + std::string(image.string(image.maps()[e.map].name)) + "  " +
           type_text(image, e.type);
    if (e.size != BPFAOT_NONE)
      out += "  " + std::to_string(e.size) + " bytes";
    if (e.program != BPFAOT_NONE)
      out += "  from " + std::string(image.string(image.programs()[e.program].name));
    out += "\n";
  }
  return out;
}

void json_programs(JsonWriter& out, const Image& image) {
  out.key("programs").begin_array();
  for (const bpfaot_program& p : image.programs()) {
    out.begin_object();
    out.key("name").value(image.string(p.name));
    out.key("section").value(image.string(p.section));
    out.key("kind").value(kKinds[p.kind]);
    flag_array(out, "flags", kProgramFlags, p.flags);
    flag_array(out, "capabilities", kCapabilities, p.capabilities);
    out.key("attach_path").value(image.string(p.attach_path));
    out.key("attach_symbol").value(image.string(p.attach_symbol));
    out.key("attach_offset").value(p.attach_offset);
    out.key("instructions").value(p.insn_count);
    out.key("stack_bytes").value(p.stack_bytes);
    out.key("context_reads").value(p.ctx_reads);
    out.end_object();
  }
  out.end_array();
}

void json_maps(JsonWriter& out, const Image& image) {
  out.key("maps").begin_array();
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    const bpfaot_map& m = image.maps()[i];
    out.begin_object();
    out.key("name").value(image.string(m.name));
    out.key("type").value(map_type_name(m.type));
    out.key("section").value(map_section_name(m.section));
    out.key("key_size").value(m.key_size);
    out.key("value_size").value(m.value_size);
    out.key("max_entries").value(m.max_entries);
    out.key("map_flags").value(m.map_flags);
    if (m.key_type)
      out.key("key_type").value(type_text(image, m.key_type));
    if (m.value_type)
      out.key("value_type").value(type_text(image, m.value_type));
    flag_array(out, "fixed", kFixed, m.fixed);
    out.key("slots").begin_array();
    for (const bpfaot_map_value& slot : image.map_values())
      if (slot.map == i)
        out.begin_object().key("index").value(slot.index).key("value").value(slot_name(image, slot)).end_object();
    out.end_array();
    out.end_object();
  }
  out.end_array();
}

void json_variables(JsonWriter& out, const Image& image) {
  out.key("variables").begin_array();
  for (const bpfaot_variable& v : image.variables()) {
    out.begin_object();
    out.key("name").value(image.string(v.name));
    out.key("section").value(map_section_name(image.maps()[v.map].section));
    out.key("size").value(v.size);
    out.key("type").value(type_text(image, v.type));
    out.key("default");
    if (v.type)
      append_json(out, image.type_tables(), v.type, default_bytes(image, v));
    else
      out.value(hex_digits(default_bytes(image, v)));
    out.end_object();
  }
  out.end_array();
  out.key("events").begin_array();
  for (const bpfaot_event& e : image.events()) {
    out.begin_object();
    out.key("map").value(image.string(image.maps()[e.map].name));
    out.key("type").value(type_text(image, e.type));
    out.key("size");
    e.size == BPFAOT_NONE ? out.null() : out.value(e.size);
    out.key("program");
    e.program == BPFAOT_NONE ? out.null() : out.value(image.string(image.programs()[e.program].name));
    out.end_object();
  }
  out.end_array();
}

std::string info_json(const Image& image) {
  const bpfaot_desc& d = image.desc();
  JsonWriter out;
  out.begin_object();
  out.key("path").value(image.path());
  out.key("machine").value(machine_name(image));
  out.key("triple").value(image.string(d.triple));
  out.key("cpu").value(image.string(d.cpu));
  out.key("abi_version").value(d.abi_version);
  out.key("source").value(image.string(d.source_name));
  out.key("source_sha256").value(hex_digits(d.source_digest));
  out.key("image_sha256").value(hex_digits(d.image_digest));
  out.key("image_bytes").value(d.file_size);
  out.key("license").value(image.string(d.license));
  out.key("tool").value(image.string(d.tool));
  out.key("llvm").value(image.string(d.llvm));
  out.key("verdict").value("accept");
  out.key("verifier_version").value(d.verifier_version);
  out.key("signature_kind").value(d.signature_kind);
  out.key("cpu_features").value(d.cpu_features);
  out.key("needs").value(targets::feature_names(machine_of(image), d.cpu_features));
  out.key("stack_bytes").value(d.stack_bytes);
  flag_array(out, "capabilities", kCapabilities, d.capabilities);
  json_programs(out, image);
  json_maps(out, image);
  json_variables(out, image);
  out.key("helpers").begin_array();
  for (const uint32_t helper : image.helpers())
    out.value(helper);
  out.end_array();
  out.end_object();
  return out.take() + "\n";
}

} // namespace

Result<int> run_info(const ParsedArguments& arguments, const Console& console) {
  const std::string path = TRY(only_positional(arguments, "probe"));
  const Image image = TRY(open_image(path, ImageUse::inspect));
  console.print(arguments.has(kJsonOption)
                    ? info_json(image)
                    : head_text(image) + program_text(image) + data_text(image));
  return 0;
}

} // namespace bpfaot::loader
