// SPDX-License-Identifier: MIT
//
// Making the two memory files of a session, and reading those of another process.
//
// Order matters: the headers and .rodata are complete in a private buffer first, are written into
// the const file and sealed there (F_SEAL_WRITE needs that no writable mapping exists), and only
// then is anything mapped. The data file stays sparse: untouched maps cost address space only.
#include "loader/session.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;
constexpr char kConstMagic[8] = "bpfcons";
constexpr char kSessionMagic[8] = "bpfsess";
// A program that is preempted keeps its CPU slot, so there must be more slots than CPUs.
constexpr uint32_t kSpareCpuSlots = 8;

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

bool lives_in_const(const bpfaot_map& map) {
  return map.section == BPFAOT_MAP_RODATA || map.section == BPFAOT_MAP_KCONFIG;
}

bool is_data(const bpfaot_map& map) {
  return map.section >= BPFAOT_MAP_RODATA && map.section <= BPFAOT_MAP_KCONFIG;
}

Failure memory_error(const char* what) {
  return fail(Code::kSessionMemory, std::string(what) + ": " + strerror(errno));
}

// Kconfig variables that the loader knows; others stay as the image has them.
std::optional<uint64_t> kconfig_value(std::string_view name) {
  if (name != "LINUX_KERNEL_VERSION")
    return name == "LINUX_HAS_BPF_COOKIE" ? std::optional<uint64_t>(1) : std::nullopt;
  utsname names;
  if (uname(&names) != 0)
    return std::nullopt;
  unsigned version[3] = {}; // "6.1.0-18-amd64": major, minor, patch when there is one
  size_t read = 0;
  std::string_view text(names.release);
  for (; read < 3; ++read) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[read]);
    if (error != std::errc())
      break;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    text.remove_prefix(text.starts_with('.') ? 1 : 0);
  }
  if (read < 2)
    return std::nullopt;
  return (uint64_t{version[0]} << 16) + (version[1] << 8) + std::min(version[2], 255u);
}

Status seal(int fd, int seals) {
  if (fcntl(fd, F_ADD_SEALS, seals) != 0)
    return memory_error("cannot seal the memory of the maps");
  return {};
}

} // namespace

uint32_t possible_cpus() {
  // "0-3" or "0,2-5": the highest number is the last one.
  const Result<std::vector<uint8_t>> bytes = read_file("/sys/devices/system/cpu/possible", 4096);
  const std::string_view text(bytes ? reinterpret_cast<const char*>(bytes->data()) : "", bytes ? bytes->size() : 0);
  const size_t last = text.find_last_of("-,");
  const char* first = text.data() + (last == std::string_view::npos ? 0 : last + 1);
  uint32_t highest = 0;
  if (std::from_chars(first, text.data() + text.size(), highest).ec == std::errc() && highest < 65536)
    return highest + 1;
  return static_cast<uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF)));
}

const bpfaot_const& Session::constants() const {
  return *reinterpret_cast<const bpfaot_const*>(memory_.data());
}

bpfaot_session& Session::shared() const {
  return *reinterpret_cast<bpfaot_session*>(memory_.data() + const_size_);
}

std::span<const bpfaot_map_header> Session::headers() const {
  return {reinterpret_cast<const bpfaot_map_header*>(memory_.data() + constants().headers_off),
          constants().map_count};
}

bpfaot_map_view Session::view(uint32_t map) const {
  const bpfaot_map_header& header = headers()[map];
  return {&header, memory_.data() + header.data_off};
}

bool Session::is_hole(const void* value, uint64_t size) const {
  const auto at = static_cast<uint64_t>(static_cast<const uint8_t*>(value) - memory_.data());
  if (at < const_size_)
    return false;
  const auto offset = static_cast<off_t>(at - const_size_);
  const off_t data = lseek(data_fd_.get(), offset, SEEK_DATA);
  return data < 0 ? errno == ENXIO : data >= offset + static_cast<off_t>(size);
}

Status Session::layout(const Image& image, const SessionOptions& options) {
  for (const MapOverride& wanted : options.maps)
    TRY(image.find_map(wanted.map));
  const auto count = static_cast<uint32_t>(image.maps().size());
  std::memcpy(const_.magic, kConstMagic, sizeof const_.magic);
  const_.size = sizeof const_;
  const_.abi_version = BPFAOT_ABI_VERSION;
  const_.map_count = count;
  const_.possible_cpus = possible_cpus();
  const_.cpus = const_.possible_cpus + kSpareCpuSlots;
  const_.page_size = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
  std::memcpy(const_.image_digest, image.desc().image_digest, sizeof const_.image_digest);
  const_.headers_off = round_up(sizeof const_, 64);
  for (uint32_t i = 0; i < count; ++i) {
    const bpfaot_map map = TRY(resolve_map(image, i, options.maps));
    const std::string name(image.string(map.name));
    bpfaot_map_header header{};
    header.size = sizeof header;
    header.type = map.type;
    header.key_size = map.key_size;
    header.value_size = map.value_size;
    header.max_entries = map.max_entries;
    header.map_flags = map.map_flags;
    header.cpus = const_.cpus;
    std::strncpy(header.name, name.c_str(), sizeof header.name - 1);
    if (const int error = bpfaot_map_layout(&header); error != 0)
      return Failure(make_error(Code::kMapSpec, "map '" + name + "' (" + map_type_name(map.type) +
                                                    ", key " + std::to_string(map.key_size) +
                                                    ", value " + std::to_string(map.value_size) +
                                                    ", " + std::to_string(map.max_entries) +
                                                    " entries) cannot be created: " +
                                                    strerror(-error))
                         .about(image.path()));
    new_headers_.push_back(header);
  }
  // Regions meet at a border that every page size of the machines divides.
  const uint64_t unit = std::max<uint64_t>(const_.page_size, kPage);
  uint64_t end = round_up(const_.headers_off + count * sizeof(bpfaot_map_header), kPage);
  for (const bool constant : {true, false}) {
    if (!constant) {
      const_size_ = round_up(end, unit);
      end = const_size_ +
            round_up(sizeof(bpfaot_session) + const_.cpus * sizeof(bpfaot_cpu_slot), kPage);
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (lives_in_const(image.maps()[i]) != constant)
        continue;
      new_headers_[i].data_off = end;
      end = round_up(end + new_headers_[i].data_size, kPage);
      if (new_headers_[i].data_size > kMaxSessionSize || end > kMaxSessionSize)
        return fail(Code::kSessionMemory, "the maps need more than " +
                                              std::to_string(kMaxSessionSize >> 30) + " GiB");
    }
  }
  data_size_ = round_up(end, unit) - const_size_;
  const_.const_size = const_size_;
  const_.data_size = data_size_;
  return {};
}

// Sets the variables of the const region (`constant`) or of the data region; values[map] is where
// the map's only element lies.
Status Session::set_variables(const Image& image, const SessionOptions& options, bool constant,
                              const std::vector<uint8_t*>& values) const {
  for (const bpfaot_variable& variable : image.variables()) {
    if ((variable.flags & BPFAOT_VARIABLE_FIXED) != 0)
      continue;
    const auto value = image.maps()[variable.map].section == BPFAOT_MAP_KCONFIG && constant
                           ? kconfig_value(image.string(variable.name))
                           : std::nullopt;
    if (value && values[variable.map])
      std::memcpy(values[variable.map] + variable.off, &*value,
                  std::min<size_t>(variable.size, sizeof *value));
  }
  for (const Setting& setting : options.settings) {
    const bpfaot_variable& variable =
        image.variables()[TRY(find_variable(image, setting.name))];
    if ((variable.flags & BPFAOT_VARIABLE_FIXED) != 0)
      return Failure(
          make_error(Code::kVariableFixed,
                     "the code of the probe was compiled for its value of '" + setting.name + "'")
              .about(image.path())
              .hint("compile it again with bpf-aotc --set " + setting.name + "=" + setting.value));
    const std::vector<uint8_t> bytes = TRY(encode_setting(image, variable, setting.value));
    if (lives_in_const(image.maps()[variable.map]) == constant && values[variable.map])
      std::memcpy(values[variable.map] + variable.off, bytes.data(),
                  std::min<size_t>(bytes.size(), variable.size));
  }
  return {};
}

Status Session::write_const(const Image& image, const SessionOptions& options) {
  std::vector<uint8_t> buffer(const_size_ + 64);
  // Map code expects 64-aligned data.
  uint8_t* base = reinterpret_cast<uint8_t*>(round_up(reinterpret_cast<uintptr_t>(buffer.data()), 64));
  std::memcpy(base, &const_, sizeof const_);
  if (!new_headers_.empty()) // a probe may have no maps
    std::memcpy(base + const_.headers_off, new_headers_.data(), new_headers_.size() * sizeof(bpfaot_map_header));
  std::vector<uint8_t*> values(image.maps().size());
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    const bpfaot_map& map = image.maps()[i];
    if (!lives_in_const(map))
      continue;
    const bpfaot_map_view view = {&new_headers_[i], base + new_headers_[i].data_off};
    bpfaot_map_init(&view);
    const uint32_t key = 0;
    values[i] = static_cast<uint8_t*>(bpfaot_map_lookup(&view, &key, 0));
    if (values[i] && map.initial.size != 0)
      std::memcpy(values[i], image.initial(map).data(), map.initial.size);
  }
  TRY(set_variables(image, options, true, values));
  const_fd_.reset(memfd_create("bpfaot-const", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!const_fd_.valid() || ftruncate(const_fd_.get(), static_cast<off_t>(const_size_)) != 0)
    return memory_error("cannot create the memory of the map headers");
  for (uint64_t done = 0; done < const_size_;) {
    const ssize_t n = pwrite(const_fd_.get(), base + done, const_size_ - done, static_cast<off_t>(done));
    if (n <= 0)
      return memory_error("cannot write the map headers");
    done += static_cast<uint64_t>(n);
  }
  return seal(const_fd_.get(), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

Status Session::map_memory() {
  void* area = mmap(nullptr, const_size_ + data_size_, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED)
    return memory_error("no address space for the maps");
  memory_ = Mapping(area, const_size_ + data_size_);
  if (mmap(memory_.data(), const_size_, PROT_READ, MAP_SHARED | MAP_FIXED, const_fd_.get(), 0) ==
          MAP_FAILED ||
      mmap(memory_.data() + const_size_, data_size_, PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_FIXED | MAP_NORESERVE, data_fd_.get(), 0) == MAP_FAILED)
    return memory_error("cannot map the memory of the maps");
  return {};
}

Status Session::init_data(const Image& image, const SessionOptions& options) {
  bpfaot_session& session = shared();
  std::memcpy(session.magic, kSessionMagic, sizeof session.magic);
  session.size = static_cast<uint32_t>(sizeof session + cpus() * sizeof(bpfaot_cpu_slot));
  session.cpu_count = cpus();
  session.loader_pid = static_cast<uint32_t>(getpid());
  std::vector<uint8_t*> values(image.maps().size());
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    const bpfaot_map& map = image.maps()[i];
    if (lives_in_const(map))
      continue;
    const bpfaot_map_view map_view = view(i);
    bpfaot_map_init(&map_view);
    if (!is_data(map))
      continue;
    const uint32_t key = 0;
    values[i] = static_cast<uint8_t*>(bpfaot_map_lookup(&map_view, &key, 0));
    if (values[i] && map.initial.size != 0)
      std::memcpy(values[i], image.initial(map).data(), map.initial.size);
  }
  TRY(set_variables(image, options, false, values));
  initial_.resize(image.maps().size());
  for (uint32_t i = 0; i < image.maps().size(); ++i)
    if (values[i])
      initial_[i].assign(values[i], values[i] + header(i).value_size);
  return {};
}

// Slots that the object itself fills.
Status Session::init_slots(const Image& image) {
  for (const bpfaot_map_value& slot : image.map_values()) {
    const bool is_map = is_of_maps(header(slot.map).type);
    const uint32_t target = is_map ? slot.target_map : slot.target_program;
    if (target == BPFAOT_NONE)
      continue;
    const bpfaot_map_view map = view(slot.map);
    const uint32_t value = target + 1;
    if (map.header->key_size != sizeof slot.index)
      return fail(Code::kMapSpec, "a map with initial values has keys of another size than 4 bytes");
    if (const int error = bpfaot_map_update(&map, &slot.index, &value, 0, 0); error != 0)
      return Failure(make_error(Code::kMapSpec,
                                "map '" + std::string(image.string(image.maps()[slot.map].name)) +
                                    "' has no slot " + std::to_string(slot.index) + ": " +
                                    strerror(-error))
                         .about(image.path()));
  }
  return {};
}

Result<Session> Session::create(const Image& image, const SessionOptions& options) {
  Session session;
  TRY(session.layout(image, options));
  TRY(session.write_const(image, options));
  session.data_fd_.reset(memfd_create("bpfaot-data", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!session.data_fd_.valid() ||
      ftruncate(session.data_fd_.get(), static_cast<off_t>(session.data_size_)) != 0)
    return memory_error("cannot create the memory of the maps");
  // Nobody may pull the pages away under a process that runs a probe.
  TRY(seal(session.data_fd_.get(), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
  TRY(session.map_memory());
  TRY(session.init_data(image, options));
  TRY(session.init_slots(image));
  return session;
}

Status Session::check_adopted(const Image& image) {
  const bpfaot_const& c = constants();
  const auto bad = [](const char* what) {
    return fail(Code::kSessionMemory, std::string("the session's memory is not sound: ") + what);
  };
  if (std::memcmp(c.magic, kConstMagic, sizeof c.magic) != 0 || c.size < sizeof c)
    return bad("no session header");
  if (std::memcmp(c.image_digest, image.desc().image_digest, sizeof c.image_digest) != 0)
    return bad("it belongs to another probe");
  if (c.const_size != const_size_ || c.data_size != data_size_ ||
      c.map_count != image.maps().size() || c.headers_off % 8 != 0 || c.headers_off > const_size_ ||
      (const_size_ - c.headers_off) / sizeof(bpfaot_map_header) < c.map_count)
    return bad("sizes differ");
  for (const bpfaot_map_header& header : headers()) {
    bpfaot_map_header again = header;
    if (bpfaot_map_layout(&again) != 0 || again.data_size != header.data_size ||
        std::memcmp(again.aux, header.aux, sizeof again.aux) != 0 || header.data_off % 64 != 0 ||
        header.data_off > size() || size() - header.data_off < header.data_size)
      return bad("a map lies outside it");
  }
  return {};
}

Result<Session> Session::adopt(const Image& image, UniqueFd const_fd, UniqueFd data_fd) {
  Session session;
  struct stat const_stat, data_stat;
  if (fstat(const_fd.get(), &const_stat) != 0 || fstat(data_fd.get(), &data_stat) != 0)
    return memory_error("cannot open the session's memory");
  session.const_size_ = static_cast<uint64_t>(const_stat.st_size);
  session.data_size_ = static_cast<uint64_t>(data_stat.st_size);
  if (session.const_size_ < sizeof(bpfaot_const) || session.data_size_ < sizeof(bpfaot_session) ||
      session.const_size_ % kPage != 0 || session.data_size_ % kPage != 0)
    return fail(Code::kSessionMemory, "the session's memory is too small");
  // Without the seal another process could change a size after it was checked.
  const int seals = fcntl(const_fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & (F_SEAL_WRITE | F_SEAL_SHRINK)) != (F_SEAL_WRITE | F_SEAL_SHRINK))
    return fail(Code::kSessionMemory, "the session's header memory is not sealed");
  session.const_fd_ = std::move(const_fd);
  session.data_fd_ = std::move(data_fd);
  TRY(session.map_memory());
  TRY(session.check_adopted(image));
  session.initial_.resize(image.maps().size());
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    if (!is_data(image.maps()[i]))
      continue;
    const auto bytes = image.initial(image.maps()[i]);
    session.initial_[i].assign(bytes.begin(), bytes.end());
    session.initial_[i].resize(session.header(i).value_size);
  }
  return session;
}

std::vector<uint8_t> Session::fill_rt(const Image& image, const RuntimeAddresses& addresses) const {
  std::vector<uint8_t> bytes(image.desc().rt_size);
  bpfaot_rt rt{};
  rt.size = image.desc().rt_size;
  rt.abi_version = BPFAOT_ABI_VERSION;
  rt.clock_gettime = addresses.clock_gettime;
  rt.threads = addresses.threads;
  rt.process = addresses.process;
  rt.session = addresses.base + const_size_;
  rt.fork_page = addresses.fork_page;
  rt.cpu_method = addresses.cpu_method;
  rt.rseq_off = addresses.rseq_off;
  rt.page_size = addresses.page_size;
  rt.map_count = constants().map_count;
  rt.printk_map = BPFAOT_NONE;
  rt.thread_method = addresses.thread_method;
  rt.cpu_count = constants().cpus;
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    if (image.maps()[i].section == BPFAOT_MAP_PRINTK)
      rt.printk_map = i;
    const bpfaot_map_slot slot = {
        addresses.base + constants().headers_off + i * sizeof(bpfaot_map_header),
        addresses.base + header(i).data_off};
    // check_entries() has proven that rt_size has room for all slots.
    std::memcpy(bytes.data() + sizeof rt + i * sizeof slot, &slot, sizeof slot);
  }
  std::memcpy(bytes.data(), &rt, sizeof rt);
  return bytes;
}

std::span<const uint8_t> Session::variable_bytes(const bpfaot_variable& variable) const {
  const bpfaot_map_view map = view(variable.map);
  const uint32_t key = 0;
  const auto* value = static_cast<const uint8_t*>(bpfaot_map_lookup(&map, &key, 0));
  if (!value || uint64_t{variable.off} + variable.size > map.header->value_size)
    return {};
  return {value + variable.off, variable.size};
}

std::span<const uint8_t> Session::initial_bytes(uint32_t map) const { return initial_[map]; }

} // namespace bpfaot::loader
