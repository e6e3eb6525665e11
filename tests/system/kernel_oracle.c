// SPDX-License-Identifier: MIT
//
// The kernel as oracle: loads an object with libbpf and either runs one program once
// (BPF_PROG_TEST_RUN) or attaches programs as uprobes to a command that it starts, and prints what
// the maps hold at the end, in the form of bpf-aot where keys and values are integers.
//
//   kernel_oracle test-run OBJECT PROGRAM DATA_FILE         prints retval=N and the maps
//   kernel_oracle packets OBJECT PROGRAM PACKET OUT…        a line "retval=N" for each PACKET, which ends up in OUT
//   kernel_oracle verdicts OBJECT                           a line "accept NAME" or "reject NAME" for each program
//   kernel_oracle uprobe OBJECT PROG=uprobe|uretprobe:PATH:SYMBOL … [--set NAME=VALUE]… -- COMMAND…
//
// Events of ring buffers and perf arrays are printed as "event MAP HEX". Exit status 77: the kernel
// here cannot, and the reason is on stdout.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void cannot(const char *what) {
  printf("SKIP: the kernel here refuses %s: %s\n", what, strerror(errno));
  exit(77);
}

static int log_errors(enum libbpf_print_level level, const char *format, va_list args) {
  return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void print_hex(const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    printf("%02x", ((const uint8_t *)bytes)[i]);
}

static uint64_t load(const uint8_t *p, uint32_t size) {
  uint64_t v = 0;
  memcpy(&v, p, size < 8 ? size : 8);
  return v;
}

static void print_integers(const uint8_t *p, uint32_t size) {
  if (size == 1 || size == 2 || size == 4 || size == 8)
    printf("%llu", (unsigned long long)load(p, size));
  else
    for (uint32_t i = 0; i + 4 <= size; i += 4)
      printf(i ? " %llu" : "%llu", (unsigned long long)load(p + i, 4));
}

static void dump_map(const struct bpf_map *map, int cpus) {
  int fd = bpf_map__fd(map), per_cpu;
  uint32_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
  uint32_t stride = (value_size + 7) / 8 * 8;
  enum bpf_map_type type = bpf_map__type(map);
  per_cpu = type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH;
  const char *section = strchr(bpf_map__name(map), '.'); // of global data: the object's name before it is cut
  if (section && !strncmp(section, ".rodata", 7))
    return;
  if (type == BPF_MAP_TYPE_STACK_TRACE) { // @name[id]: and the addresses
    uint32_t id, *last = NULL;
    uint64_t pcs[128] = {0};
    for (; bpf_map_get_next_key(fd, last, &id) == 0; last = &id) {
      if (bpf_map_lookup_elem(fd, &id, pcs))
        continue;
      printf("@%s[%u]:\n", bpf_map__name(map), id);
      for (uint32_t i = 0; i < value_size / 8 && pcs[i]; i++)
        printf("    0x%llx\n", (unsigned long long)pcs[i]);
    }
    return;
  }
  if (!per_cpu && type != BPF_MAP_TYPE_ARRAY && type != BPF_MAP_TYPE_HASH)
    return;
  uint8_t *key = calloc(1, key_size), *value = calloc((size_t)cpus, stride);
  int more = bpf_map_get_next_key(fd, NULL, key) == 0;
  while (more) {
    if (bpf_map_lookup_elem(fd, key, value) == 0) {
      printf("@%s[", section ? section : bpf_map__name(map));
      print_integers(key, key_size);
      printf("]: ");
      if (per_cpu && value_size <= 8) {
        uint64_t sum = 0;
        for (int c = 0; c < cpus; c++)
          sum += load(value + (size_t)c * stride, value_size);
        printf("%llu", (unsigned long long)sum);
      } else {
        print_integers(value, value_size);
      }
      putchar('\n');
    }
    uint8_t *next = calloc(1, key_size);
    more = bpf_map_get_next_key(fd, key, next) == 0;
    free(key);
    key = next;
  }
  free(key);
  free(value);
}

static void dump_maps(const struct bpf_object *object) {
  const struct bpf_map *map;
  int cpus = libbpf_num_possible_cpus();
  bpf_object__for_each_map(map, object) dump_map(map, cpus);
}

static int on_ring(void *name, void *data, size_t size) {
  printf("event %s ", (const char *)name);
  print_hex(data, size);
  putchar('\n');
  return 0;
}

static void on_perf(void *name, int cpu, void *data, uint32_t size) { on_ring(name, data, size); }
static void on_lost(void *name, int cpu, unsigned long long count) { printf("lost %s %llu\n", (const char *)name, count); }

// NAME=VALUE of .rodata: the variable is found in the BTF of its section.
static void set_variable(struct bpf_object *object, const char *text) {
  const char *equals = strchr(text, '=');
  const struct btf *btf = bpf_object__btf(object);
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) {
    size_t size;
    uint8_t *data = (uint8_t *)bpf_map__initial_value(map, &size); // libbpf owns it, and lets it be filled
    const char *section = strchr(bpf_map__name(map), '.');
    int id = section ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1;
    if (id < 0 || !data)
      continue;
    const struct btf_type *type = btf__type_by_id(btf, (uint32_t)id);
    const struct btf_var_secinfo *info = btf_var_secinfos(type);
    for (int i = 0; i < btf_vlen(type); i++, info++) {
      const char *name = btf__name_by_offset(btf, btf__type_by_id(btf, info->type)->name_off);
      if (strncmp(name, text, (size_t)(equals - text)) || name[equals - text])
        continue;
      uint64_t value = strtoull(equals + 1, NULL, 0);
      memcpy(data + info->offset, &value, info->size < 8 ? info->size : 8);
      return;
    }
  }
  fprintf(stderr, "no variable for %s\n", text);
  exit(1);
}

static struct bpf_object *open_object(const char *path) {
  struct bpf_object *object = bpf_object__open_file(path, NULL);
  if (!object)
    cannot("the object");
  return object;
}

// The program to run, and all others as well where one may call another.
static void choose_programs(struct bpf_object *object, const char *name) {
  struct bpf_program *program;
  struct bpf_map *map;
  bool all = false;
  bpf_object__for_each_map(map, object) all |= bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY;
  bpf_object__for_each_program(program, object)
    bpf_program__set_autoload(program, all || !strcmp(bpf_program__name(program), name));
}

static int test_run(const char *path, const char *program_name, const char *data_path) {
  struct bpf_object *object = open_object(path);
  struct bpf_program *program;
  choose_programs(object, program_name);
  if (bpf_object__load(object))
    cannot("to load the object");
  program = bpf_object__find_program_by_name(object, program_name);
  if (!program)
    return fprintf(stderr, "no program %s\n", program_name), 1;
  static uint8_t data[65536];
  FILE *file = fopen(data_path, "rb");
  size_t size = file ? fread(data, 1, sizeof data, file) : 0;
  LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = size ? data : NULL, .ctx_size_in = (uint32_t)size);
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
    cannot("to run the program");
  printf("retval=%u\n", opts.retval);
  dump_maps(object);
  return 0;
}

// Only programs of packet kinds: the packet is data, not context.
static int packets(const char *path, const char *program_name, int count, char **files) {
  struct bpf_object *object = open_object(path);
  struct bpf_program *program;
  choose_programs(object, program_name);
  if (bpf_object__load(object))
    cannot("to load the object");
  program = bpf_object__find_program_by_name(object, program_name);
  if (!program)
    return fprintf(stderr, "no program %s\n", program_name), 1;
  for (int i = 0; i + 1 < count; i += 2) {
    static uint8_t in[65536], out[65536];
    FILE *file = fopen(files[i], "rb");
    size_t size = file ? fread(in, 1, sizeof in, file) : 0;
    if (file)
      fclose(file);
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = (uint32_t)size, .data_out = out,
                .data_size_out = sizeof out);
    int status = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
    if (status)
      printf("refused %d\n", status);
    else
      printf("retval=%u\n", opts.retval);
    file = fopen(files[i + 1], "wb");
    if (!file || fwrite(out, 1, status ? 0 : opts.data_size_out, file) != (status ? 0 : opts.data_size_out))
      return 1;
    fclose(file);
  }
  return 0;
}

// Each program alone. The first must be one that the kernel accepts: if it does not, it loads nothing.
static int verdicts(const char *path) {
  struct bpf_object *all = open_object(path);
  struct bpf_program *each, *program;
  int accepted = 0;
  bpf_object__for_each_program(each, all) {
    struct bpf_object *object = open_object(path);
    bpf_object__for_each_program(program, object)
      bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), bpf_program__name(each)));
    int refused = bpf_object__load(object);
    if (refused && !accepted)
      cannot("to load a program");
    accepted += !refused;
    printf("%s %s\n", refused ? "reject" : "accept", bpf_program__name(each));
    bpf_object__close(object);
  }
  return 0;
}

static int uprobe(int argc, char **argv) {
  struct bpf_object *object = open_object(argv[0]);
  struct bpf_program *program;
  struct bpf_map *map;
  int i, command = argc;
  for (i = 1; i < argc; i++)
    if (!strcmp(argv[i], "--")) {
      command = i + 1;
      break;
    }
  if (command >= argc)
    return fprintf(stderr, "no command\n"), 2;
  bpf_object__for_each_program(program, object) bpf_program__set_autoload(program, false);
  for (i = 1; i < command - 1; i++) {
    if (!strcmp(argv[i], "--set")) {
      set_variable(object, argv[++i]);
      continue;
    }
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i], "="), argv[i]);
    program = bpf_object__find_program_by_name(object, name);
    if (!program)
      return fprintf(stderr, "no program %s\n", name), 1;
    bpf_program__set_autoload(program, true);
    // A section name with a kernel function as target would be attached there otherwise.
    bpf_program__set_type(program, BPF_PROG_TYPE_KPROBE);
  }
  bpf_object__for_each_map(map, object) if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
    bpf_map__set_max_entries(map, (uint32_t)libbpf_num_possible_cpus());
  if (bpf_object__load(object))
    cannot("to load the object");

  // The command waits before its exec until the probes of its process are in place.
  int gate[2];
  if (pipe(gate))
    return 1;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1)
      _exit(126);
    close(gate[0]);
    dup2(2, 1); // what is observed owns stdout
    execvp(argv[command], argv + command);
    _exit(127);
  }
  close(gate[0]);
  for (i = 1; i < command - 1; i++) {
    if (!strcmp(argv[i], "--set")) {
      i++;
      continue;
    }
    char name[128], kind[32], file[512], symbol[256];
    if (sscanf(argv[i], "%127[^=]=%31[^:]:%511[^:]:%255s", name, kind, file, symbol) != 4)
      return fprintf(stderr, "cannot parse %s\n", argv[i]), 2;
    program = bpf_object__find_program_by_name(object, name);
    LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = symbol, .retprobe = !strcmp(kind, "uretprobe"));
    if (!bpf_program__attach_uprobe_opts(program, child, file, 0, &opts)) {
      kill(child, SIGKILL);
      cannot("a uprobe");
    }
  }
  struct ring_buffer *ring = NULL;
  struct perf_buffer *perf[16];
  int perfs = 0;
  bpf_object__for_each_map(map, object) {
    int fd = bpf_map__fd(map);
    if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF) {
      if (!ring)
        ring = ring_buffer__new(fd, on_ring, (void *)bpf_map__name(map), NULL);
      else
        ring_buffer__add(ring, fd, on_ring, (void *)bpf_map__name(map));
    } else if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY && perfs < 16) {
      perf[perfs] = perf_buffer__new(fd, 256, on_perf, on_lost, (void *)bpf_map__name(map), NULL);
      if (!perf[perfs++])
        cannot("a perf buffer");
    } else if (bpf_map__type(map) == BPF_MAP_TYPE_CGROUP_ARRAY) {
      continue;
    }
  }
  if (write(gate[1], "x", 1) != 1)
    return 1;
  int status = 0;
  do {
    if (ring)
      ring_buffer__poll(ring, 10);
    for (i = 0; i < perfs; i++)
      perf_buffer__poll(perf[i], 10);
    if (!ring && !perfs)
      usleep(10000);
  } while (waitpid(child, &status, WNOHANG) == 0);
  if (ring)
    ring_buffer__consume(ring);
  for (i = 0; i < perfs; i++)
    perf_buffer__consume(perf[i]);
  dump_maps(object);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  libbpf_set_print(log_errors);
  if (argc == 5 && !strcmp(argv[1], "test-run"))
    return test_run(argv[2], argv[3], argv[4]);
  if (argc == 3 && !strcmp(argv[1], "verdicts"))
    return verdicts(argv[2]);
  if (argc > 5 && !strcmp(argv[1], "packets"))
    return packets(argv[2], argv[3], argc - 4, argv + 4);
  if (argc > 4 && !strcmp(argv[1], "uprobe"))
    return uprobe(argc - 2, argv + 2);
  fprintf(stderr, "usage: kernel_oracle test-run OBJECT PROGRAM DATA_FILE\n"
                  "       kernel_oracle verdicts OBJECT\n"
                  "       kernel_oracle packets OBJECT PROGRAM PACKET OUT…\n"
                  "       kernel_oracle uprobe OBJECT PROG=KIND:PATH:SYMBOL… [--set N=V]… -- COMMAND…\n");
  return 2;
}
