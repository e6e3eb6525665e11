/* SPDX-License-Identifier: MIT
 *
 * What generated code, minirt and the loader agree on. Freestanding C11 and C++20.
 *
 * An image (probe.so) exports one symbol, `bpfaot_image`: a struct bpfaot_desc in read-only memory,
 * followed at once by its tables and strings (total_size bytes in all). A PT_NOTE (name "bpfaot",
 * type 1) repeats machine and ABI version and says where the descriptor is, so that a loader can
 * refuse a file before it looks at anything else.
 *
 * Rules that keep shipped images loadable:
 *   - fixed-width fields; 64-bit fields are 8-aligned; no pointers: offsets only (addresses appear
 *     only in struct bpfaot_rt and its slots, which exist in a running process, 64 bits wide);
 *   - each struct begins with, or each table carries, its size as the writer knew it: readers
 *     accept longer entries and treat missing fields as zero;
 *   - "offset" means bytes from the start of the descriptor unless it says otherwise;
 *   - a string is an offset into the string blob (0 is the empty string), NUL-terminated inside it.
 *
 * Everything in a file is hostile until checked; see loader/image.h.
 */
#pragma once

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define BPFAOT_ASSERT(...) static_assert(__VA_ARGS__)
#else
#include <stddef.h>
#include <stdint.h>
#define BPFAOT_ASSERT(...) _Static_assert(__VA_ARGS__)
#endif

#define BPFAOT_ABI_VERSION 0u
#define BPFAOT_MAGIC "bpfaot\0" /* 8 bytes with the terminator */
#define BPFAOT_NOTE_NAME "bpfaot"
#define BPFAOT_NOTE_TYPE 1u
#define BPFAOT_DESC_SYMBOL "bpfaot_image"
#define BPFAOT_NONE 0xffffffffu

/* ------------------------------------------------------------------ the file: descriptor */

struct bpfaot_note {
  uint32_t abi_version;
  uint32_t machine; /* e_machine */
  int64_t desc_off; /* address of the descriptor minus the address of this field */
};

struct bpfaot_table {
  uint32_t off; /* of the first entry */
  uint32_t count;
  uint32_t entry_size; /* stride; at least the fields of ABI version 0 */
  uint32_t reserved;
};

struct bpfaot_blob {
  uint32_t off;
  uint32_t size;
};

/* What the programs of an image may do to the process or need from it. */
enum {
  BPFAOT_CAP_READ_MEMORY = 1u << 0,   /* probe_read family */
  BPFAOT_CAP_WRITE_USER = 1u << 1,    /* probe_write_user */
  BPFAOT_CAP_OVERRIDE = 1u << 2,      /* override_return */
  BPFAOT_CAP_SEND_SIGNAL = 1u << 3,
  BPFAOT_CAP_SYSCALLS = 1u << 4,      /* a helper may make system calls in the target */
  BPFAOT_CAP_TIME = 1u << 5,          /* needs the vDSO clock */
  BPFAOT_CAP_PRINTK = 1u << 6,
  BPFAOT_CAP_PER_CPU = 1u << 7,       /* leases a CPU slot while it runs */
  BPFAOT_CAP_VECTOR = 1u << 8,        /* uses vector registers: test-run and embedding only */
};

/* bpfaot_desc.cpu_features, per machine: all that code for the named level may use, or one
 * feature. A set that --mattr makes of a level is written as features. */
enum {
  BPFAOT_CPUFEAT_X86_64_V2 = 1u << 0, /* levels of the x86-64 psABI */
  BPFAOT_CPUFEAT_X86_64_V3 = 1u << 1,
  BPFAOT_CPUFEAT_X86_64_V4 = 1u << 2,
  BPFAOT_CPUFEAT_X86_64_CX16 = 1u << 8,
  BPFAOT_CPUFEAT_X86_64_SAHF = 1u << 9,
  BPFAOT_CPUFEAT_X86_64_POPCNT = 1u << 10,
  BPFAOT_CPUFEAT_X86_64_SSE3 = 1u << 11,
  BPFAOT_CPUFEAT_X86_64_SSSE3 = 1u << 12,
  BPFAOT_CPUFEAT_X86_64_SSE4_1 = 1u << 13,
  BPFAOT_CPUFEAT_X86_64_SSE4_2 = 1u << 14,
  BPFAOT_CPUFEAT_X86_64_MOVBE = 1u << 15,
  BPFAOT_CPUFEAT_X86_64_LZCNT = 1u << 16,
  BPFAOT_CPUFEAT_X86_64_BMI1 = 1u << 17,
  BPFAOT_CPUFEAT_X86_64_BMI2 = 1u << 18,
  BPFAOT_CPUFEAT_X86_64_AVX = 1u << 19, /* with the registers saved by the system */
  BPFAOT_CPUFEAT_X86_64_F16C = 1u << 20,
  BPFAOT_CPUFEAT_X86_64_FMA = 1u << 21,
  BPFAOT_CPUFEAT_X86_64_AVX2 = 1u << 22,
  BPFAOT_CPUFEAT_X86_64_AVX512F = 1u << 23,
  BPFAOT_CPUFEAT_X86_64_AVX512BW = 1u << 24,
  BPFAOT_CPUFEAT_X86_64_AVX512CD = 1u << 25,
  BPFAOT_CPUFEAT_X86_64_AVX512DQ = 1u << 26,
  BPFAOT_CPUFEAT_X86_64_AVX512VL = 1u << 27,
  BPFAOT_CPUFEAT_AARCH64_LSE = 1u << 0, /* atomics in one instruction */
  BPFAOT_CPUFEAT_AARCH64_RCPC = 1u << 1,
  BPFAOT_CPUFEAT_AARCH64_CSSC = 1u << 2,
  BPFAOT_CPUFEAT_AARCH64_DOTPROD = 1u << 3,
  BPFAOT_CPUFEAT_RISCV64_ZBA = 1u << 0,
  BPFAOT_CPUFEAT_RISCV64_ZBB = 1u << 1,
  BPFAOT_CPUFEAT_RISCV64_ZBS = 1u << 2,
  BPFAOT_CPUFEAT_RISCV64_ZICOND = 1u << 3,
};

struct bpfaot_desc {
  char magic[8];
  uint32_t size;       /* sizeof(struct bpfaot_desc) */
  uint32_t total_size; /* descriptor, tables and strings */
  uint32_t abi_version;
  uint32_t machine;    /* e_machine */
  uint32_t flags;      /* 0 */
  uint32_t verdict;    /* 1 = accepted by the verifier; nothing else is ever written */
  uint32_t verifier_version;
  uint32_t capabilities; /* union of the programs' */
  uint64_t cpu_features; /* required, bits of targets/ARCH (BPFAOT_CPU_*) */
  uint32_t stack_bytes;  /* worst case of any program, native bytes */
  uint32_t rt_size;      /* of struct bpfaot_rt with its slots */
  int64_t rt_off;        /* address of struct bpfaot_rt minus address of the descriptor */
  uint64_t file_size;    /* of the whole image */

  uint32_t license;     /* string: the object's licence */
  uint32_t tool;        /* string: "bpf-aotc 0.1.0" */
  uint32_t llvm;        /* string: versions of LLVM and lld */
  uint32_t triple;      /* string */
  uint32_t cpu;         /* string: --mcpu */
  uint32_t source_name; /* string: base name of the object */

  struct bpfaot_blob strings;
  struct bpfaot_blob initial; /* initial bytes of data maps */

  struct bpfaot_table programs;    /* struct bpfaot_program */
  struct bpfaot_table maps;        /* struct bpfaot_map; the index is the slot index */
  struct bpfaot_table variables;   /* struct bpfaot_variable */
  struct bpfaot_table types;       /* struct bpfaot_type; entry 0 is void */
  struct bpfaot_table members;     /* struct bpfaot_member */
  struct bpfaot_table enumerators; /* struct bpfaot_enumerator */
  struct bpfaot_table events;      /* struct bpfaot_event */
  struct bpfaot_table helpers;     /* uint32_t helper ids used by any program */
  struct bpfaot_table map_values;  /* struct bpfaot_map_value: static initial values */

  uint8_t source_digest[32]; /* SHA-256 of the input object */
  uint8_t image_digest[32];  /* SHA-256 of the file with this field and the signature zero */
  uint32_t signature_kind;   /* 0 = none */
  uint32_t signature_size;
  uint8_t signature[512];
};

/* How a program is called and what its context is. */
enum bpfaot_kind {
  BPFAOT_KIND_NONE = 0,
  BPFAOT_KIND_PROBE = 1,   /* kprobe, kretprobe, uprobe, uretprobe: ctx is pt_regs of the target */
  BPFAOT_KIND_SYSCALL = 2, /* SEC("syscall"): ctx is a writable buffer */
  BPFAOT_KIND_RAW_TP = 3,  /* ctx is an array of u64 */
  BPFAOT_KIND_SOCKET = 4,  /* buffer kinds */
  BPFAOT_KIND_XDP = 5,
  BPFAOT_KIND_TC = 6,
  BPFAOT_KIND_USDT = 7,       /* ctx as for PROBE; from here on: nothing attaches them yet */
  BPFAOT_KIND_KSYSCALL = 8,   /* ctx as for PROBE */
  BPFAOT_KIND_TRACEPOINT = 9, /* ctx is the record of a system-call tracepoint, 8 common bytes first */
  BPFAOT_KIND_PERF_EVENT = 10, /* ctx is pt_regs of the target, then u64 sample_period, addr */
};

enum { /* bpfaot_program.flags */
  BPFAOT_PROG_RETURN = 1u << 0,       /* by its section name: run at return */
  BPFAOT_PROG_NO_AUTOLOAD = 1u << 1,  /* SEC("?…") */
  BPFAOT_PROG_SLEEPABLE = 1u << 2,
  BPFAOT_PROG_MULTI = 1u << 3,
  BPFAOT_PROG_NEEDS_SITE = 1u << 4,   /* reads ctx[-1]: cookie, func_ip */
  BPFAOT_PROG_NEEDS_GUARD = 1u << 5,  /* not re-entrant: a nested hit is counted as missed */
  BPFAOT_PROG_NEEDS_CPU = 1u << 6,    /* leases a CPU slot */
  BPFAOT_PROG_CTX_ESCAPES = 1u << 7,  /* ctx is handed to a helper: fill all of pt_regs */
  BPFAOT_PROG_PRESERVES = 1u << 8,    /* entry keeps all registers but those in `clobbers` */
  /* May run others of its kind in its place: flags, context, capabilities and stack are of all. */
  BPFAOT_PROG_TAIL_CALLS = 1u << 9,
};
#define BPFAOT_MAX_TAIL_CALLS 33u /* of one run */

struct bpfaot_program {
  uint32_t name;          /* string: function name */
  uint32_t section;       /* string: as written in SEC() */
  uint32_t kind;          /* enum bpfaot_kind */
  uint32_t flags;
  int64_t entry_off;      /* address of `uint64_t entry(void *ctx)` minus address of descriptor */
  uint32_t attach_path;   /* string: binary from the section name, "" when none */
  uint32_t attach_symbol; /* string */
  uint64_t attach_offset; /* bytes after the symbol, or file offset when the symbol is "" */
  uint64_t ctx_reads;     /* bit i: 8-byte slot i of the target's pt_regs is read */
  uint64_t ctx_writes;
  uint64_t clobbers;      /* registers that entry may change, in the target's DWARF numbering */
  uint32_t capabilities;
  uint32_t stack_bytes;   /* worst case, native, with everything it calls */
  uint32_t insn_count;    /* eBPF slots, with subprograms */
  uint32_t source_digest_low; /* reserved, 0 */
};

enum { /* bpfaot_map.section */
  BPFAOT_MAP_ORDINARY = 0,
  BPFAOT_MAP_RODATA = 1,
  BPFAOT_MAP_DATA = 2,
  BPFAOT_MAP_BSS = 3,
  BPFAOT_MAP_KCONFIG = 4,
  BPFAOT_MAP_PRINTK = 5, /* hidden ring buffer of trace_printk, added by the compiler */
};

enum { /* bpfaot_map.fixed: what the code has folded; the loader must not change it */
  BPFAOT_FIXED_TYPE = 1u << 0,
  BPFAOT_FIXED_KEY_SIZE = 1u << 1,
  BPFAOT_FIXED_VALUE_SIZE = 1u << 2,
  BPFAOT_FIXED_FLAGS = 1u << 3,
  BPFAOT_FIXED_MAX_ENTRIES = 1u << 4,     /* --fix-maps */
  BPFAOT_FIXED_MIN_ENTRIES = 1u << 5,     /* an index was proven against max_entries: may only grow */
};

struct bpfaot_map {
  uint32_t name; /* string */
  uint32_t type; /* enum bpf_map_type of the kernel */
  uint32_t key_size, value_size, max_entries, map_flags; /* 0 = left open by the object */
  uint32_t pinning;
  uint32_t section;   /* BPFAOT_MAP_* */
  uint32_t fixed;     /* BPFAOT_FIXED_* */
  uint32_t key_type;  /* index into types, 0 = unknown */
  uint32_t value_type;
  uint32_t inner;     /* index of the map that describes inner maps, or BPFAOT_NONE */
  struct bpfaot_blob initial; /* into desc.initial */
  uint64_t map_extra;
};

/* A slot of a map of maps is a uint32_t: the index of a map plus one, 0 when there is none. As that of
 * a program array it is checked at each use: a map of another shape counts as none.
 * A slot of a program array in shared memory is a uint32_t: the number of a program plus one, 0 when
 * it is empty. What it says is checked each time it is read: a number that is of no program, or of
 * one that is not of the caller's kind, counts as empty. */
struct bpfaot_map_value { /* outer_map[index] = map or program */
  uint32_t map, index, target_map, target_program;
};

struct bpfaot_variable {
  uint32_t name; /* string */
  uint32_t map;
  uint32_t off, size;
  uint32_t type;
  uint32_t flags; /* BPFAOT_VARIABLE_* */
};
#define BPFAOT_VARIABLE_FIXED 1u /* the code was compiled for the initial value */

enum bpfaot_type_kind {
  BPFAOT_TYPE_VOID = 0,
  BPFAOT_TYPE_INT = 1,     /* encoding: BPFAOT_INT_* */
  BPFAOT_TYPE_FLOAT = 2,
  BPFAOT_TYPE_POINTER = 3, /* target */
  BPFAOT_TYPE_ARRAY = 4,   /* target, count */
  BPFAOT_TYPE_STRUCT = 5,  /* first, count: members */
  BPFAOT_TYPE_UNION = 6,
  BPFAOT_TYPE_ENUM = 7,    /* first, count: enumerators; encoding BPFAOT_INT_SIGNED or 0 */
};
enum { BPFAOT_INT_SIGNED = 1, BPFAOT_INT_CHAR = 2, BPFAOT_INT_BOOL = 4 };

struct bpfaot_type { /* typedefs and qualifiers are stripped; the name is the outermost one */
  uint32_t kind;
  uint32_t name; /* string */
  uint32_t size; /* bytes */
  uint32_t encoding;
  uint32_t target;
  uint32_t first, count;
};

struct bpfaot_member {
  uint32_t name; /* string, "" for anonymous */
  uint32_t type;
  uint32_t bit_off;
  uint32_t bit_size; /* 0 = not a bit field */
};

struct bpfaot_enumerator {
  int64_t value;
  uint32_t name; /* string */
  uint32_t reserved;
};

struct bpfaot_event { /* records of this size in this map have this type */
  uint32_t map;
  uint32_t size; /* bytes; BPFAOT_NONE = any size from the type's own size up */
  uint32_t type;
  uint32_t program; /* index, or BPFAOT_NONE when several submit it */
};

/* ------------------------------------------------------- the process: runtime block and slots */

struct bpfaot_map_slot {
  uint64_t header; /* address of struct bpfaot_map_header */
  uint64_t data;   /* address of the map's data */
};

/* One per mapped image, in its writable segment; the loader fills it before any program runs and
 * makes it read-only. Generated code and minirt know it as the hidden symbol __bpfaot_rt. */
struct bpfaot_rt {
  uint32_t size;
  uint32_t abi_version;
  uint64_t clock_gettime; /* vDSO function, C calling convention; 0 = use the system call */
  uint64_t threads;       /* struct bpfaot_thread_table, private to the process */
  uint64_t process;       /* struct bpfaot_process, private to the process */
  uint64_t session;       /* struct bpfaot_session, shared */
  uint64_t fork_page;     /* private page, MADV_WIPEONFORK: a child sees zeros */
  uint32_t cpu_method;    /* enum bpfaot_cpu_method */
  int32_t rseq_off;       /* from the thread pointer to struct rseq */
  uint32_t page_size;
  uint32_t map_count;
  uint32_t printk_map;    /* index of the BPFAOT_MAP_PRINTK map; BPFAOT_NONE = no printing */
  uint32_t thread_method; /* enum bpfaot_thread_method */
  uint32_t cpu_count;     /* CPU slots, as in struct bpfaot_const: the session's copy is writable */
  uint32_t reserved32;
  uint64_t reserved[4];
  struct bpfaot_map_slot maps[]; /* by map index */
};

enum bpfaot_cpu_method {
  BPFAOT_CPU_SYSCALL = 0, /* getcpu */
  BPFAOT_CPU_RDPID = 1,   /* x86_64 */
  BPFAOT_CPU_RSEQ = 2,    /* cpu_id at rseq_off */
};

/* How a thread finds its thread pointer, the key of its slot. A thread pointer of 0 (before libc
 * has set one up) counts as 1, since 0 marks a free slot. */
enum bpfaot_thread_method {
  BPFAOT_THREAD_REGISTER = 0, /* x86_64: rdfsbase, which AT_HWCAP2 bit 1 announces */
  BPFAOT_THREAD_SYSCALL = 1,  /* x86_64 without it: arch_prctl */
};

/* Private per process (counts are added up by the loader, which reads this memory). */
struct bpfaot_process {
  uint64_t size;
  uint64_t missed;      /* hits not run: nested, no thread slot, no CPU slot */
  uint64_t missed_returns; /* return probes not run: shadow stack full or lost */
  uint64_t generation;  /* counts forks seen; see fork_page */
  uint64_t tgid;
  uint64_t random;       /* state of get_prandom_u32; the loader puts entropy here */
  int64_t tid_off;       /* where libc keeps the tid, from the thread pointer; see minirt/entry.c */
  uint64_t tid_proofs;   /* threads on which tid_off was found right; from 2 on it is used */
  uint32_t tid_witness;  /* the first of them */
  uint32_t tid_searches; /* in vain; bounded */
  uint64_t reserved[7];
};

/* Per-thread state, found by thread pointer: open addressing, linear probing, hash =
 * (key >> 6) * 0x9e3779b97f4a7c15 >> (64 - log2(capacity)). Slot i is at base + i * stride.
 * A slot is claimed by compare-and-swap of key from 0; keys are never removed while a process
 * lives unless the owner thread is known to be dead. */
struct bpfaot_frame { /* shadow stack of return probes */
  uint64_t return_address;
  uint64_t sp; /* at the function's entry, where the return address was */
};

#define BPFAOT_FRAMES 1020u
struct bpfaot_thread {
  uint64_t key; /* thread pointer; 0 = free */
  uint32_t depth; /* live frames; bumped before a frame is filled */
  uint32_t guard; /* non-zero while a guarded program runs */
  uint32_t tid, tgid;
  uint64_t generation; /* tid and tgid are valid while this equals the fork page's word */
  uint64_t guard_frame; /* address of the guard holder's frame */
  uint64_t reserved[3];
  struct bpfaot_frame frames[BPFAOT_FRAMES];
};
BPFAOT_ASSERT(sizeof(struct bpfaot_thread) == 16384, "a thread slot is four pages");

struct bpfaot_thread_table {
  uint32_t size;
  uint32_t capacity_log2;
  uint64_t stride;
  uint64_t base; /* address of slot 0 */
  uint64_t used;
  uint64_t reserved[4];
};

/* The context of programs of the packet kinds. The packet is [data, data_end), its metadata
 * [data_meta, data); helpers may move these within [head, tail). Whoever fills it keeps
 * head <= data_meta <= data <= data_end <= tail. */
struct bpfaot_packet {
  uint32_t size; /* of this struct */
  uint32_t flags; /* 0 */
  uint64_t data, data_end, data_meta;
  uint64_t head, tail;
  uint64_t mac;     /* address of the link-layer header; 0 = there is none */
  uint64_t network; /* address of the network header */
  uint64_t reserved[3];
  /* struct __sk_buff or struct xdp_md (linux/bpf.h) as programs know it. The fields data, data_end
   * and data_meta in it are not used. */
  uint8_t view[192];
};
#define BPFAOT_PACKET_MAX 0xffffu /* bytes from data to data_end, at most */

/* One per attached program and address, in the trampoline arena. Its address is at ctx[-1]. */
struct bpfaot_site {
  uint64_t func_ip; /* address of the function entry or instruction, in this process */
  uint64_t cookie;
  uint64_t ranges;  /* address of struct bpfaot_code_ranges; 0 = not known */
  uint32_t flags;   /* BPFAOT_SITE_* */
  uint32_t program;
};

enum { /* bpfaot_site.flags */
  BPFAOT_SITE_ARMED = 1u << 0,
  /* A run begins at the function's entry: the return address is where a call has put it, and the
   * frame pointer is the caller's. */
  BPFAOT_SITE_ENTRY = 1u << 1,
};

/* Where trampolines are: an address in here that stands for a return address is the return point of
 * a probe, and the true one is on the thread's shadow stack. */
struct bpfaot_code_ranges {
  uint64_t count;
  struct {
    uint64_t low, high;
  } range[];
};

/* ------------------------------------------------------------- shared memory of a session
 *
 * Two memory files, mapped one after the other so that one base address serves both:
 *   const region: struct bpfaot_const, map headers, .rodata maps; sealed once filled;
 *   data region:  struct bpfaot_session, then the data of each map.
 */

struct bpfaot_map_header { /* in the const region: what generated code reads of an open spec */
  uint32_t size;
  uint32_t type;
  uint32_t key_size, value_size, max_entries, map_flags;
  uint32_t elem_size; /* stride of one value: value_size rounded up to 8 */
  uint32_t cpus;      /* CPU slots of per-CPU values */
  uint64_t data_off;  /* from the base of the const region */
  uint64_t data_size; /* bytes */
  uint64_t aux[6];    /* layout inside the data, per type; written by minirt's map layout code */
  char name[64];
};

struct bpfaot_const {
  char magic[8];
  uint32_t size;
  uint32_t abi_version;
  uint64_t const_size, data_size; /* bytes, page multiples */
  uint32_t map_count;
  uint32_t cpus; /* CPU slots: possible CPUs plus spare ones */
  uint32_t possible_cpus;
  uint32_t page_size;
  uint8_t image_digest[32];
  uint64_t headers_off; /* struct bpfaot_map_header[map_count] */
  uint64_t reserved[8];
};

/* A CPU slot is leased for the duration of one program run: per-CPU values are then exclusively
 * the program's, as they are in the kernel, whatever it does with them. docs/abi.md states it. */
struct bpfaot_cpu_slot {
  uint32_t owner; /* tid of the holder, 0 = free */
  uint32_t reserved[15]; /* one cache line */
};

/* A record of the printk ring. */
struct bpfaot_printk_record {
  uint64_t time_ns; /* CLOCK_MONOTONIC, 0 when the clock is out of reach */
  uint32_t tgid, tid;
  uint32_t cpu;
  uint32_t text_size; /* bytes of text without the terminating NUL */
  char comm[16];
  char text[];
};

enum { /* bpfaot_session.flags */
  /* Some participants live in different PID namespaces, so a tid says nothing about who is dead:
   * nothing is taken back from dead owners. Set it before such a process gets the session. */
  BPFAOT_SESSION_MIXED_PIDS = 1u << 0,
};

struct bpfaot_session {
  char magic[8];
  uint32_t size;
  uint32_t loader_pid;
  uint64_t disarm;    /* non-zero: programs return at once */
  uint64_t flags;     /* BPFAOT_SESSION_* */
  uint32_t cpu_count; /* entries of cpus, as in struct bpfaot_const */
  uint32_t reserved32;
  uint64_t reserved[11];
  struct bpfaot_cpu_slot cpus[]; /* bpfaot_const.cpus of them */
};

/* ------------------------------------------------- generated code calling minirt
 *
 * Each NAME of bpf/helpers.def and bpf/kfuncs.def is a function
 *     R __bpfaot_rt_NAME(struct bpfaot_env *env, A1, … A5)
 * with as many arguments as the helper takes; an argument is `uint64_t`, or a pointer when the
 * table says it is one; a map argument is `const struct bpfaot_map_desc *`; R is uint64_t or, for
 * helpers that return memory, a pointer. minirt is linked into the image as bitcode.
 */

struct bpfaot_map_desc { /* constant in the image; 0 = left open, read the map header */
  uint32_t type, key_size, value_size, max_entries, map_flags;
  uint32_t slot; /* index of the map */
  uint32_t min_entries; /* arrays: max_entries in the header is at least this; 0 = nothing known.
                           An index below it needs no look at the header */
  uint32_t shape; /* of a map of maps: that its inner maps must have; else its own. 0 = none */
};

struct bpfaot_env { /* one per program run, on the stack; usually optimised away */
  void *ctx;
  const struct bpfaot_site *site; /* null unless BPFAOT_PROG_NEEDS_SITE */
  struct bpfaot_thread *thread;   /* null unless guarded */
  uint32_t cpu;                   /* leased CPU slot, valid with BPFAOT_PROG_NEEDS_CPU */
  uint32_t program;               /* whose entry was called */
  uint32_t tail_calls;            /* so far, with BPFAOT_PROG_TAIL_CALLS */
  uint32_t tail_target;           /* number of the program to run next plus one; 0 = none */
  uint64_t thrown; /* programs that may throw: whether one has, and with which cookie */
  uint64_t cookie;
};

/* uint32_t __bpfaot_rt_enter(struct bpfaot_env *, uint32_t prog_flags): 1 = run, 0 = missed.
 * void __bpfaot_rt_leave(struct bpfaot_env *, uint32_t prog_flags). */
