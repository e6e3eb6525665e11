// SPDX-License-Identifier: MIT
//
// Mapped binaries and the locations that attach targets name. Files are read through
// /proc/PID/map_files, which is the mapped file itself; where that is not allowed, through
// /proc/PID/root, and then device and inode must be those of the mapping.
#include "loader/modules.h"

#include "loader/debug_file.h"
#include "support/files.h"
#include "support/hex.h"
#include "targets/patch.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kMaxBinary = 2ull << 30;

// As the names in map_files are written: without 0x.
std::string bare_hex(uint64_t value) { return hex(value).substr(2); }

bool same_file(const struct stat& status, const MapsEntry& entry) {
  return status.st_ino == entry.inode && major(status.st_dev) == entry.major && minor(status.st_dev) == entry.minor;
}

std::string base_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// "libc" names libc.so.6, libc-2.31.so, and on musl the dynamic linker that is the C library.
bool bare_name_matches(const std::string& wanted, const std::string& file) {
  if (file == wanted) {
    return true;
  }
  const bool boundary = file.size() > wanted.size() && file.compare(0, wanted.size(), wanted) == 0;
  if (boundary && (file[wanted.size()] == '.' || file[wanted.size()] == '-')) {
    return file.find(".so") != std::string::npos && wanted.find(".so") == std::string::npos;
  }
  const bool wants_libc = wanted == "libc" || wanted == "libc.so" || wanted == "libc.so.6";
  return wants_libc && (file.rfind("ld-musl-", 0) == 0 || file.rfind("libc.musl-", 0) == 0);
}

// Read, not mapped: a file that shrinks would take a mapping of it away under us. The kernel fills
// the pages in one go, since nearly all of them are wanted.
Result<FileCopy> read_mapped_file(int pid, const MapsEntry& entry) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const std::string direct = proc + "/map_files/" + bare_hex(entry.start) + "-" + bare_hex(entry.end);
  UniqueFd fd(::open(direct.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    fd.reset(::open((proc + "/root" + entry.path).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    // Some file systems give maps and stat different devices; the inode must do there.
    if (fd.valid() && (fstat(fd.get(), &status) != 0 || (!same_file(status, entry) && status.st_ino != entry.inode))) {
      fd.reset();
    }
  }
  if (!fd.valid()) {
    return fail(Code::kAttachFile, "cannot open " + entry.path + " as the process has it mapped");
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || static_cast<uint64_t>(status.st_size) > kMaxBinary) {
    return fail(Code::kAttachFile, entry.path + " is too large");
  }
  FileCopy copy = TRY(make_room(static_cast<size_t>(status.st_size)));
  size_t have = 0;
  while (have < copy.bytes.size()) {
    const ssize_t got = pread(fd.get(), copy.bytes.data() + have, copy.bytes.size() - have, static_cast<off_t>(have));
    if (got <= 0) {
      break; // what is missing stays zero
    }
    have += static_cast<size_t>(got);
  }
  return copy;
}

// Code of ours in the process, which is not the process's: it has run and will not run again.
bool is_preload_library(const std::string& path) { return path.ends_with("/libbpfaot-preload.so"); }

// address = vaddr + bias, from the segment that the mapping shows.
std::optional<uint64_t> bias_of(const ElfView& elf, const MapsEntry& entry) {
  constexpr uint64_t kPage = 4096;
  for (const ElfSegment& segment : elf.segments()) {
    const uint64_t start = segment.offset & ~(kPage - 1);
    if (segment.type == PT_LOAD && entry.offset >= start && entry.offset < segment.offset + segment.file_size &&
        ((segment.flags & PF_X) != 0) == entry.executable) {
      return entry.start - (segment.vaddr - segment.offset + entry.offset);
    }
  }
  return std::nullopt;
}

} // namespace

// Those of a large file lie in large pages where the kernel has some: it takes
// longer to hand out five hundred small ones than to read the C library.
Result<FileCopy> make_room(size_t size) {
  constexpr size_t kLarge = 2u << 20;
  const size_t rounded = (size + kLarge - 1) & ~(kLarge - 1);
  void* all = size < kLarge / 2 ? MAP_FAILED
                                : mmap(nullptr, rounded + kLarge, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) {
    Mapping memory = TRY(map_zeros(size));
    const std::span<uint8_t> bytes(memory.data(), size);
    return FileCopy{std::move(memory), bytes};
  }
  auto* const start = static_cast<uint8_t*>(all);
  auto* const aligned = start + (-reinterpret_cast<uintptr_t>(start) & (kLarge - 1));
  if (aligned != start) {
    munmap(start, static_cast<size_t>(aligned - start));
  }
  munmap(aligned + rounded, static_cast<size_t>(start + kLarge - aligned));
  madvise(aligned, rounded, MADV_HUGEPAGE);
  madvise(aligned, size, MADV_POPULATE_WRITE); // otherwise on first use
  return FileCopy{Mapping(aligned, rounded), {aligned, size}};
}

Module::Module(std::string path, Mapping bytes, ElfView elf, uint64_t bias, uint64_t low, uint64_t high)
    : path_(std::move(path)), bytes_(std::move(bytes)), elf_(std::move(elf)), bias_(bias), low_(low), high_(high) {
  read_code();
}

void Module::add_debug_symbols(std::vector<uint8_t> bytes) {
  debug_bytes_ = std::move(bytes);
  if (const Result<ElfView> debug = ElfView::open(debug_bytes_)) {
    elf_.add_symbols_of(*debug);
    read_code();
  }
}

void Module::read_code() {
  code_.clear();
  code_.reserve(std::min<uint64_t>(elf_.symbol_count(), 1u << 16)); // the file's word: the rest when it is there
  elf_.for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.is_defined() && (symbol.is_function() || symbol.type == STT_NOTYPE)) {
      code_.push_back({symbol.value, elf_.at(symbol.value, symbol.size).empty() ? 0 : symbol.size, symbol.name});
    }
    return true;
  });
  std::stable_sort(code_.begin(), code_.end(), [](const CodeSymbol& a, const CodeSymbol& b) { return a.vaddr < b.vaddr; });
}

const CodeSymbol* Module::symbol_around(uint64_t vaddr) const {
  // Functions overlap only as aliases and nested entries: a few steps back find the one around.
  constexpr int kNested = 64;
  auto next = std::upper_bound(code_.begin(), code_.end(), vaddr,
                               [](uint64_t value, const CodeSymbol& symbol) { return value < symbol.vaddr; });
  for (int step = 0; step < kNested && next != code_.begin(); ++step) {
    --next;
    if (vaddr - next->vaddr < next->size) {
      return &*next;
    }
  }
  return nullptr;
}

Result<Modules> Modules::read(AddressSpace& space) {
  return of_process(space.pid());
}

Result<Modules> Modules::of_process(int pid) { return of_process(pid, TRY(read_maps(pid))); }

Modules Modules::of_process(int pid, std::vector<MapsEntry> maps) {
  return make(pid, std::move(maps), [pid](const MapsEntry& entry) { return read_mapped_file(pid, entry); });
}

Modules Modules::make(int pid, std::vector<MapsEntry> maps, ReadFile read_file) {
  Modules modules;
  modules.pid_ = pid;
  modules.read_file_ = std::move(read_file);
  modules.maps_ = std::move(maps);
  for (const MapsEntry& entry : modules.maps_) {
    if (entry.inode == 0 || !entry.executable || entry.path.empty() || entry.path[0] != '/' ||
        is_preload_library(entry.path)) {
      continue;
    }
    Candidate candidate;
    candidate.first = entry;
    candidate.inode = entry.inode;
    candidate.low = entry.start;
    candidate.high = entry.end;
    if (!modules.candidates_.empty()) {
      // A library whose text was split by mprotect: the pieces continue each other.
      Candidate& last = modules.candidates_.back();
      if (last.inode == entry.inode && last.first.path == entry.path && last.high == entry.start) {
        last.high = entry.end;
        continue;
      }
    }
    modules.candidates_.push_back(std::move(candidate));
  }
  return modules;
}

const Module* Modules::open(Candidate& candidate) {
  if (candidate.module || candidate.failed) {
    return candidate.module.get();
  }
  candidate.failed = true;
  Result<FileCopy> copy = read_file_(candidate.first);
  if (!copy) {
    return nullptr;
  }
  Result<ElfView> elf = ElfView::open(copy->bytes);
  if (!elf) {
    return nullptr;
  }
  const std::optional<uint64_t> bias = bias_of(*elf, candidate.first);
  if (!bias) {
    return nullptr;
  }
  candidate.failed = false;
  candidate.module = std::make_unique<Module>(candidate.first.path, std::move(copy->memory), std::move(*elf), *bias,
                                              candidate.low, candidate.high);
  return candidate.module.get();
}

bool Modules::is_mapped(const std::string& name) const {
  struct stat wanted {};
  const bool is_path = name.find('/') != std::string::npos;
  const bool exists = is_path && (stat(("/proc/" + std::to_string(pid_) + "/root" + name).c_str(), &wanted) == 0 ||
                                  stat(name.c_str(), &wanted) == 0);
  return std::any_of(candidates_.begin(), candidates_.end(), [&](const Candidate& candidate) {
    return is_path ? candidate.first.path == name || (exists && wanted.st_ino == candidate.inode && base_name(name).size() > 0 &&
                                                      same_file(wanted, candidate.first))
                   : bare_name_matches(name, base_name(candidate.first.path));
  });
}

Result<const Module*> Modules::find(const std::string& name) {
  struct stat wanted {};
  const bool is_path = name.find('/') != std::string::npos;
  const std::string rooted = "/proc/" + std::to_string(pid_) + "/root" + name;
  const bool exists = is_path && ((name[0] == '/' && stat(rooted.c_str(), &wanted) == 0) || stat(name.c_str(), &wanted) == 0);
  std::string listed;
  for (Candidate& candidate : candidates_) {
    const bool hit = is_path ? candidate.first.path == name || (exists && same_file(wanted, candidate.first))
                             : bare_name_matches(name, base_name(candidate.first.path));
    if (hit) {
      if (const Module* module = open(candidate)) {
        return module;
      }
      return fail(Code::kAttachFile, "cannot read " + candidate.first.path + " as the process has it mapped");
    }
    listed += (listed.empty() ? "" : ", ") + candidate.first.path;
  }
  for (Candidate& candidate : candidates_) { // a library may be known by its soname only
    const Module* module = is_path ? nullptr : open(candidate);
    if (module != nullptr && module->elf().soname() == name) {
      return module;
    }
  }
  return fail(Code::kAttachFile, "the process has not mapped " + name + "; mapped are " +
                                     (listed.empty() ? "no files" : listed));
}

const Module* Modules::executable() {
  char path[4096];
  const ssize_t length = readlink(("/proc/" + std::to_string(pid_) + "/exe").c_str(), path, sizeof path - 1);
  struct stat status {};
  const bool known = stat(("/proc/" + std::to_string(pid_) + "/exe").c_str(), &status) == 0;
  const std::string name = length > 0 ? std::string(path, static_cast<size_t>(length)) : "";
  for (Candidate& candidate : candidates_) {
    if (candidate.first.path == name || (known && same_file(status, candidate.first))) {
      return open(candidate);
    }
  }
  return nullptr;
}

const Module* Modules::interpreter() {
  const Module* main = executable();
  if (main == nullptr || main->elf().interpreter().empty()) {
    return nullptr;
  }
  const Result<const Module*> found = find(std::string(main->elf().interpreter()));
  return found ? *found : nullptr;
}

std::vector<const Module*> Modules::all() {
  std::vector<const Module*> list;
  for (Candidate& candidate : candidates_) {
    if (const Module* module = open(candidate)) {
      list.push_back(module);
    }
  }
  return list;
}

const Module* Modules::defining(std::string_view symbol) {
  for (Candidate& candidate : candidates_) {
    const Module* module = open(candidate);
    if (module != nullptr && module->elf().find_symbol(symbol)) {
      return module;
    }
  }
  return nullptr;
}

Location Modules::at(const Module& module, uint64_t vaddr) const {
  Location location;
  location.module = &module;
  location.vaddr = vaddr;
  if (const CodeSymbol* symbol = module.symbol_around(vaddr)) {
    location.function = {symbol->vaddr, symbol->size};
    location.symbol = symbol->name;
  } else if (const std::optional<FunctionExtent> extent = unwind_extent(module.elf(), vaddr);
             extent && !module.elf().at(extent->vaddr, extent->size).empty()) {
    location.function = *extent;
  }
  const uint64_t start = location.function.size != 0 ? location.function.vaddr : vaddr;
  const uint64_t behind = std::max(start + 1, start + location.function.size);
  const auto next = std::lower_bound(module.code().begin(), module.code().end(), behind,
                                     [](const CodeSymbol& symbol, uint64_t value) { return symbol.vaddr < value; });
  if (next != module.code().end()) {
    location.room = next->vaddr - start;
  }
  return location;
}

bool Modules::load_debug_symbols(const Module& module) {
  for (Candidate& candidate : candidates_) {
    if (candidate.module.get() != &module || candidate.has_looked_for_debug_file || module.elf().has_symtab()) {
      continue;
    }
    candidate.has_looked_for_debug_file = true;
    std::optional<std::vector<uint8_t>> bytes =
        find_debug_file(module.elf(), module.path(), {"", "/proc/" + std::to_string(pid_) + "/root"});
    if (bytes) {
      candidate.module->add_debug_symbols(std::move(*bytes));
      return true;
    }
  }
  return false;
}

// Debug files are large: they are read when a symbol is not found without them.
Result<ElfSymbol> Modules::find_function(const Module& module, const std::string& name) {
  Result<ElfSymbol> found = module.elf().find_function(name);
  if (!found && load_debug_symbols(module)) {
    found = module.elf().find_function(name);
  }
  if (!found && !module.elf().has_symtab()) {
    Failure failure = std::move(found).take_error();
    failure.diagnostic().notes.push_back(module.path() + " is stripped" +
                                         (module.elf().build_id().empty() ? "" : ", its build-id is " + module.elf().build_id()) +
                                         "; static functions are found when its debug file is installed");
    return failure;
  }
  return found;
}

Result<Location> Modules::locate(AddressSpace& space, const AttachSpec& spec) {
  const Module* module = TRY(find(spec.path));
  uint64_t vaddr = 0;
  if (spec.symbol.empty()) {
    const std::optional<uint64_t> found = module->elf().vaddr_of_offset(spec.offset);
    if (!found || !module->elf().is_code(*found)) {
      return fail(Code::kAttachDecode, "file offset " + hex(spec.offset) + " of " + module->path() + " is not code");
    }
    vaddr = *found;
  } else {
    const ElfSymbol symbol = TRY(find_function(*module, spec.symbol));
    vaddr = symbol.value;
    if (symbol.is_ifunc()) {
      vaddr = TRY(resolve_ifunc(space, *module, symbol));
    }
    if (spec.offset > (1u << 30) || !module->elf().is_code(vaddr + spec.offset)) {
      return fail(Code::kAttachDecode, spec.symbol + "+" + hex(spec.offset) + " is not code of " + module->path());
    }
    vaddr += spec.offset;
  }
  Location location = at(*module, vaddr);
  if (!spec.symbol.empty() && (spec.offset == 0 || location.symbol.empty())) {
    location.symbol = spec.symbol;
  }
  return location;
}

namespace {

// The relocations of a file: those behind the dynamic tags, or for static programs the sections.
template <class Visit> void for_each_relocation(const ElfView& elf, Visit visit) {
  const auto walk = [&](uint64_t vaddr, uint64_t size) {
    const std::span<const uint8_t> bytes = elf.at(vaddr, size);
    for (size_t i = 0; i + sizeof(Elf64_Rela) <= bytes.size(); i += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      std::memcpy(&relocation, &bytes[i], sizeof relocation);
      visit(relocation);
    }
  };
  if (elf.dynamic().empty()) {
    for (const ElfSection& section : elf.sections()) {
      if (section.type == SHT_RELA && (section.flags & SHF_ALLOC) != 0) {
        walk(section.address, section.size);
      }
    }
    return;
  }
  walk(elf.dynamic_value(DT_RELA).value_or(0), elf.dynamic_value(DT_RELASZ).value_or(0));
  walk(elf.dynamic_value(DT_JMPREL).value_or(0), elf.dynamic_value(DT_PLTRELSZ).value_or(0));
}

} // namespace

// The library itself keeps the choice where it calls the function through a table: the word that the
// relocation with this resolver fills. Before the dynamic linker has done that, it is not code.
Result<uint64_t> Modules::resolve_ifunc(AddressSpace& space, const Module& module, const ElfSymbol& symbol) {
  std::optional<uint64_t> choice;
  const targets::Patcher& patcher = targets::host_patcher();
  for_each_relocation(module.elf(), [&](const Elf64_Rela& relocation) {
    if (choice || module.elf().machine() != patcher.e_machine || ELF64_R_TYPE(relocation.r_info) != patcher.irelative_relocation ||
        static_cast<uint64_t>(relocation.r_addend) != symbol.value) {
      return;
    }
    const Result<uint64_t> word = space.read_object<uint64_t>(relocation.r_offset + module.bias());
    if (word && module.elf().is_code(*word - module.bias()) && *word - module.bias() != symbol.value &&
        unwind_extent(module.elf(), *word - module.bias()).value_or(FunctionExtent{}).vaddr == *word - module.bias()) {
      choice = *word - module.bias();
    }
  });
  if (!choice) {
    return fail(Code::kAttachIfunc, std::string(symbol.name) + " of " + module.path() +
                                        " picks an implementation at start, and which one is not known here");
  }
  return *choice;
}

std::optional<FunctionExtent> unwind_extent(const ElfView& elf, uint64_t vaddr) {
  // .eh_frame_hdr: version 1, pointer encodings, then a table of (first address, entry) pairs as
  // 32-bit offsets from the header, sorted by address (LSB core, chapter 10.6).
  uint64_t header = 0, header_size = 0;
  for (const ElfSegment& segment : elf.segments()) {
    if (segment.type == PT_GNU_EH_FRAME) {
      header = segment.vaddr;
      header_size = segment.file_size;
    }
  }
  const std::span<const uint8_t> bytes = elf.at(header, header_size);
  if (bytes.size() < 12 || bytes[0] != 1 || bytes[2] != 0x03 || bytes[3] != 0x3b || (bytes[1] & 0x0f) != 0x0b) {
    return std::nullopt;
  }
  uint32_t count = 0;
  std::memcpy(&count, &bytes[8], 4);
  const auto pair = [&](uint32_t index, size_t which) {
    int32_t value = 0;
    std::memcpy(&value, &bytes[12 + size_t{index} * 8 + which * 4], 4);
    return header + static_cast<uint64_t>(int64_t{value});
  };
  if (count == 0 || bytes.size() < 12 + uint64_t{count} * 8 || vaddr < pair(0, 0)) {
    return std::nullopt;
  }
  uint32_t low = 0, high = count;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (pair(middle, 0) <= vaddr ? low : high) = middle;
  }
  // The entry: length, distance to its CIE, first address (32 bits from itself), size.
  const std::span<const uint8_t> entry = elf.at(pair(low, 1), 16);
  if (entry.size() < 16) {
    return std::nullopt;
  }
  uint32_t length = 0, size = 0;
  std::memcpy(&length, &entry[0], 4);
  std::memcpy(&size, &entry[12], 4);
  const uint64_t start = pair(low, 0);
  if (length == 0 || length == UINT32_MAX || vaddr - start >= size) {
    return std::nullopt;
  }
  return FunctionExtent{start, size};
}

} // namespace bpfaot::loader
