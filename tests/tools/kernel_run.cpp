// SPDX-License-Identifier: MIT
//
// The kernel as oracle: loads an object into the running kernel, attaches its programs as probes,
// says "ready", and on end of input prints what they left: one JSON object per line, bytes in hex.
//
//   kernel_run OBJECT [PROGRAM=uprobe|uretprobe:PATH:SYMBOL]…
//
// Without attachments the section names say where programs go. Exit status 77: this kernel does not
// load programs (no rights, no BPF); the reason is on stderr.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

constexpr int kSkip = 77;

std::string hex(const void* data, size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t byte = static_cast<const uint8_t*>(data)[i];
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

int on_record(void* name, void* data, size_t size) {
  std::printf("{\"event\":\"%s\",\"data\":\"%s\"}\n", static_cast<const char*>(name),
              hex(data, size).c_str());
  return 0;
}

void on_sample(void* name, int, void* data, uint32_t size) { on_record(name, data, size); }
void on_lost(void* name, int, unsigned long long count) {
  std::printf("{\"lost\":\"%s\",\"count\":%llu}\n", static_cast<const char*>(name), count);
}

bool attach(bpf_object* object, std::string_view spec) {
  const size_t equals = spec.find('='), first = spec.find(':'), last = spec.rfind(':');
  if (equals == spec.npos || first == spec.npos || first == last) {
    std::fprintf(stderr, "malformed: %s\n", std::string(spec).c_str());
    return false;
  }
  const std::string program_name(spec.substr(0, equals));
  const std::string kind(spec.substr(equals + 1, first - equals - 1));
  const std::string path(spec.substr(first + 1, last - first - 1));
  const std::string symbol(spec.substr(last + 1));
  bpf_program* program = bpf_object__find_program_by_name(object, program_name.c_str());
  if (program == nullptr) {
    std::fprintf(stderr, "no program %s\n", program_name.c_str());
    return false;
  }
  LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = kind == "uretprobe",
              .func_name = symbol.c_str());
  return bpf_program__attach_uprobe_opts(program, -1, path.c_str(), 0, &options) != nullptr;
}

// Perf arrays are opened before programs run, so that no record is missed.
struct Readers {
  ring_buffer* ring = nullptr;
  std::vector<perf_buffer*> perf;
};

Readers open_readers(bpf_object* object) {
  Readers readers;
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    void* name = const_cast<char*>(bpf_map__name(map));
    const int fd = bpf_map__fd(map);
    if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF) {
      if (readers.ring == nullptr)
        readers.ring = ring_buffer__new(fd, on_record, name, nullptr);
      else
        ring_buffer__add(readers.ring, fd, on_record, name);
    } else if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY) {
      readers.perf.push_back(perf_buffer__new(fd, 256, on_sample, on_lost, name, nullptr));
    }
  }
  return readers;
}

void dump_map(const bpf_map* map) {
  const bool per_cpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY ||
                       bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_HASH;
  const bool plain =
      bpf_map__type(map) == BPF_MAP_TYPE_HASH || bpf_map__type(map) == BPF_MAP_TYPE_ARRAY;
  if (!plain && !per_cpu)
    return;
  const size_t value_size =
      per_cpu ? (bpf_map__value_size(map) + 7) / 8 * 8 * static_cast<size_t>(libbpf_num_possible_cpus())
              : bpf_map__value_size(map);
  std::vector<uint8_t> key(bpf_map__key_size(map)), next(key.size()), value(value_size);
  const void* previous = nullptr;
  while (bpf_map_get_next_key(bpf_map__fd(map), previous, next.data()) == 0) {
    if (bpf_map_lookup_elem(bpf_map__fd(map), next.data(), value.data()) == 0)
      std::printf("{\"map\":\"%s\",\"key\":\"%s\",\"value\":\"%s\"}\n", bpf_map__name(map),
                  hex(next.data(), next.size()).c_str(), hex(value.data(), value.size()).c_str());
    key = next;
    previous = key.data();
  }
}

void drain(const Readers& readers) {
  if (readers.ring != nullptr)
    ring_buffer__consume(readers.ring);
  for (perf_buffer* perf : readers.perf)
    perf_buffer__consume(perf);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  bpf_object* object = bpf_object__open_file(argv[1], nullptr);
  if (object == nullptr) {
    std::fprintf(stderr, "libbpf cannot open %s\n", argv[1]);
    return 1;
  }
  if (const int error = bpf_object__load(object); error != 0) {
    std::fprintf(stderr, "the kernel does not load it: %s\n", std::strerror(-error));
    return kSkip;
  }
  const Readers readers = open_readers(object);
  bpf_program* program;
  if (argc == 2) {
    bpf_object__for_each_program(program, object) {
      if (bpf_program__attach(program) == nullptr) {
        std::fprintf(stderr, "cannot attach %s: %s\n", bpf_program__name(program), std::strerror(errno));
        return kSkip;
      }
    }
  }
  for (int i = 2; i < argc; ++i) {
    if (!attach(object, argv[i])) {
      std::fprintf(stderr, "cannot attach %s: %s\n", argv[i], std::strerror(errno));
      return kSkip;
    }
  }
  std::printf("ready\n");
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  drain(readers);
  bpf_map* map;
  bpf_object__for_each_map(map, object) dump_map(map);
  // The kernel takes everything back when the descriptors close.
  return 0;
}
