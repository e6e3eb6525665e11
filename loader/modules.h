// SPDX-License-Identifier: MIT
//
// The binaries that a process has mapped: found in its maps, read from the very files that are
// mapped (also when they were replaced or live in another mount namespace), with what attaching
// asks of them: which one a path or bare library name means, where a symbol is, how far a function
// goes.
#pragma once

#include "loader/address_space.h"
#include "loader/attach_spec.h"
#include "loader/elf.h"
#include "loader/proc_maps.h"
#include "support/files.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct CodeSymbol {
  uint64_t vaddr = 0, size = 0; // 0 also when the symbol's size leads out of its segment
  std::string_view name;
};

struct FileCopy {
  Mapping memory;           // may be larger than the file
  std::span<uint8_t> bytes; // of the file, in it
};
Result<FileCopy> make_room(size_t size); // all zeros

class Module {
public:
  Module(std::string path, Mapping bytes, ElfView elf, uint64_t bias, uint64_t low, uint64_t high);

  const std::string& path() const { return path_; }
  const ElfView& elf() const { return elf_; }
  uint64_t bias() const { return bias_; } // address = vaddr + bias
  uint64_t low() const { return low_; }   // of the mapped range
  uint64_t high() const { return high_; }
  // Defined functions and untyped symbols, by address: one walk over the tables for all questions.
  const std::vector<CodeSymbol>& code() const { return code_; }
  // The symbol whose bytes hold the address; null when none says so.
  const CodeSymbol* symbol_around(uint64_t vaddr) const;
  // The symbols of the separate debug file that `bytes` is; find_debug_file() has found it.
  void add_debug_symbols(std::vector<uint8_t> bytes);

private:
  void read_code();

  std::string path_;
  Mapping bytes_;
  std::vector<uint8_t> debug_bytes_;
  ElfView elf_; // a view of bytes_, whose memory does not move with the Module
  uint64_t bias_, low_, high_;
  std::vector<CodeSymbol> code_;
};

struct FunctionExtent {
  uint64_t vaddr = 0;
  uint64_t size = 0;
};

// A code address that an attach target names.
struct Location {
  const Module* module = nullptr;
  uint64_t vaddr = 0;
  FunctionExtent function; // size 0: not known
  uint64_t room = 0;       // bytes from the function's start to the next symbol, 0 = not known
  std::string symbol;      // for people, "" when there is none
};

class Modules {
public:
  // The bytes of the file that a mapping shows.
  using ReadFile = std::function<Result<FileCopy>(const MapsEntry&)>;

  // Reads the list; the files are read when they are asked for.
  static Result<Modules> read(AddressSpace& space);
  static Result<Modules> of_process(int pid);
  static Modules of_process(int pid, std::vector<MapsEntry> maps);
  // The same from a list and files that are had otherwise.
  static Modules make(int pid, std::vector<MapsEntry> maps, ReadFile read_file);

  // By path (also through symbolic links), soname, or bare name: "libc" finds libc.so.6 and musl.
  // [attach-file] lists what is mapped.
  Result<const Module*> find(const std::string& name);
  bool is_mapped(const std::string& name) const;
  // The one with the entry point, and the dynamic linker; null when it is gone or not there.
  const Module* executable();
  const Module* interpreter();
  // First module that defines the symbol.
  const Module* defining(std::string_view symbol);
  std::vector<const Module*> all();
  const std::vector<MapsEntry>& maps() const { return maps_; }

  // [symbol-not-found] [attach-ifunc] [attach-decode]
  Result<Location> locate(AddressSpace& space, const AttachSpec& spec);
  Location at(const Module& module, uint64_t vaddr) const;

private:
  struct Candidate {
    MapsEntry first; // the mapping that was chosen to tell the files apart
    uint64_t low = 0, high = 0;
    uint64_t inode = 0;
    std::unique_ptr<Module> module;
    bool failed = false;
    bool has_looked_for_debug_file = false;
  };

  const Module* open(Candidate& candidate);
  // False when the file has all its symbols or there is no debug file.
  bool load_debug_symbols(const Module& module);
  Result<ElfSymbol> find_function(const Module& module, const std::string& name);
  Result<uint64_t> resolve_ifunc(AddressSpace& space, const Module& module, const ElfSymbol& symbol);

  int pid_ = 0;
  ReadFile read_file_;
  std::vector<MapsEntry> maps_;
  std::vector<Candidate> candidates_;
};

// From .eh_frame_hdr's table; nothing when there is no entry for the address.
std::optional<FunctionExtent> unwind_extent(const ElfView& elf, uint64_t vaddr);

} // namespace bpfaot::loader
