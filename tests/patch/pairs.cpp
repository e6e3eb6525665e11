// SPDX-License-Identifier: MIT
//
// Makes the trampoline of a site in an assembled function (NAME.in.S) and compares it, byte by byte,
// with the expected one (NAME.out.S). Parameters are symbols of the input: `function`, `site` (where the
// probe is; default the function's start), `function_end`, and absolute ones: `entry_programs`,
// `return_programs`, `ctx_reads`, `armed`, `signs_returns`, `sweeps`. The first address of .text of the
// expected file is where the trampoline is. Exit status 1 and the trampoline in FILE when they differ.
#include "targets/patch.h"

#include <elf.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>

using namespace bpfaot;
using namespace bpfaot::targets;

namespace {

struct Object {
  std::vector<uint8_t> file;
  uint16_t machine = 0;
  uint64_t text = 0;
  std::span<const uint8_t> code;
  std::map<std::string, uint64_t> symbols;
  uint64_t value(const std::string& name, uint64_t otherwise) const {
    const auto found = symbols.find(name);
    return found != symbols.end() ? found->second : otherwise;
  }
};

Object read_object(const char* path) {
  Object object;
  if (FILE* file = std::fopen(path, "rb")) {
    uint8_t buffer[65536];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
      object.file.insert(object.file.end(), buffer, buffer + got);
    }
    std::fclose(file);
  }
  Elf64_Ehdr header;
  if (object.file.size() < sizeof header) {
    return object;
  }
  std::memcpy(&header, object.file.data(), sizeof header);
  object.machine = header.e_machine;
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), &object.file[header.e_shoff], sections.size() * sizeof sections[0]);
  const char* names = reinterpret_cast<const char*>(&object.file[sections[header.e_shstrndx].sh_offset]);
  for (const Elf64_Shdr& section : sections) {
    if (std::strcmp(names + section.sh_name, ".text") == 0) {
      object.text = section.sh_addr;
      object.code = std::span(object.file).subspan(section.sh_offset, section.sh_size);
    }
    for (uint64_t at = 0; section.sh_type == SHT_SYMTAB && at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, &object.file[section.sh_offset + at], sizeof symbol);
      object.symbols[reinterpret_cast<const char*>(&object.file[sections[section.sh_link].sh_offset]) + symbol.st_name] =
          symbol.st_value;
    }
  }
  return object;
}

Result<std::vector<uint8_t>> make(const Object& in, uint64_t pc) {
  const Patcher* patcher = find_patcher(in.machine);
  if (patcher == nullptr) {
    return fail(Code::kAttachMachine, "no patcher");
  }
  const uint64_t function = in.value("function", in.text);
  const uint64_t end = in.value("function_end", in.text + in.code.size());
  const SiteRequest request{in.code.subspan(function - in.text), function, end - function, 0, in.value("site", function)};
  TrampolineRequest wanted;
  wanted.pc = pc;
  wanted.probe_pc = request.at;
  wanted.cover = TRY(patcher->cover(request));
  wanted.original = in.code.subspan(wanted.cover.patch_pc - in.text, wanted.cover.size);
  const ProbeCall call{in.value("program", 0), in.value("site_data", 0), in.value("ctx_reads", 0),
                       in.value("clobbers", ~uint64_t{0}), in.symbols.contains("site_data")};
  wanted.at_entry.assign(in.value("entry_programs", 0), call);
  wanted.at_return.assign(in.value("return_programs", 0), call);
  wanted.sweeps = in.value("sweeps", 0) != 0;
  wanted.thread_base = in.value("threads", 0);
  wanted.thread_capacity_log2 = 12;
  wanted.support = {in.value("push_slow", 0), in.value("pop_slow", 0), in.value("sweep", 0)};
  wanted.has_fast_thread_pointer = true;
  wanted.signs_returns = in.value("signs_returns", 0) != 0;
  wanted.armed = in.value("armed", 0);
  return TRY(patcher->make_trampoline(wanted)).bytes;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: patch_pairs IN OUT FILE\n");
    return 2;
  }
  const Object in = read_object(argv[1]), out = read_object(argv[2]);
  if (in.code.empty() || out.code.empty()) {
    std::printf("no code\n");
    return 2;
  }
  const Result<std::vector<uint8_t>> made = make(in, out.text);
  if (!made) {
    std::printf("declined: %s\n", made.error().message.c_str());
    return 2;
  }
  if (made->size() == out.code.size() && std::memcmp(made->data(), out.code.data(), made->size()) == 0) {
    return 0;
  }
  if (FILE* file = std::fopen(argv[3], "wb")) {
    std::fwrite(made->data(), 1, made->size(), file);
    std::fclose(file);
  }
  std::printf("%zu bytes, not the %zu that are expected\n", made->size(), out.code.size());
  return 1;
}
