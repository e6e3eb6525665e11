/* SPDX-License-Identifier: MIT
 *
 * The types that programs are relocated to where a process has what the kernel's type of that name
 * describes. Compiled for eBPF; the type information of the object is part of the compiler
 * (kernel_types.cpp).
 */
#include "bpfaot/task.h"

#define KEEP(type, name) extern type bpfaot_keep_##name; type bpfaot_keep_##name;

KEEP(struct bpfaot_task_area, area)

/* Records of system calls. Two generations of names, one layout. */
struct trace_entry {
  unsigned short type;
  unsigned char flags;
  unsigned char preempt_count;
  int pid;
};
struct trace_event_raw_sys_enter {
  struct trace_entry ent;
  long id;
  unsigned long args[6];
  char __data[];
};
struct trace_event_raw_sys_exit {
  struct trace_entry ent;
  long id;
  long ret;
  char __data[];
};
struct syscall_trace_enter {
  struct trace_entry ent;
  int nr;
  unsigned long args[6];
};
struct syscall_trace_exit {
  struct trace_entry ent;
  int nr;
  long ret;
};
struct bpf_raw_tracepoint_args {
  uint64_t args[12];
};
KEEP(struct trace_event_raw_sys_enter, enter)
KEEP(struct trace_event_raw_sys_exit, exit)
KEEP(struct syscall_trace_enter, syscall_enter)
KEEP(struct syscall_trace_exit, syscall_exit)
KEEP(struct bpf_raw_tracepoint_args, raw_arguments)

/* What a program asks when it wants to know whether there are ring buffers. */
struct bpf_ringbuf {
  uint64_t mask;
};
KEEP(struct bpf_ringbuf, ringbuf)

#define BPFAOT_HELPER(id, name, ret, a1, a2, a3, a4, a5, maps, flags) BPF_FUNC_##name = id,
enum bpf_func_id {
  BPF_FUNC_unspec = 0,
#include "bpf/helpers.def"
};
#undef BPFAOT_HELPER
KEEP(enum bpf_func_id, helpers)

/* Part of the interface of system calls: the same in every process and on every machine of ours. */
struct in_addr {
  unsigned int s_addr;
};
struct in6_addr {
  union {
    unsigned char u6_addr8[16];
    unsigned short u6_addr16[8];
    unsigned int u6_addr32[4];
  } in6_u;
};
struct sockaddr {
  unsigned short sa_family;
  union {
    char sa_data_min[14];
    char sa_data[14];
  };
};
struct sockaddr_in {
  unsigned short sin_family;
  unsigned short sin_port;
  struct in_addr sin_addr;
  unsigned char __pad[8];
};
struct sockaddr_in6 {
  unsigned short sin6_family;
  unsigned short sin6_port;
  unsigned int sin6_flowinfo;
  struct in6_addr sin6_addr;
  unsigned int sin6_scope_id;
};
struct sockaddr_un {
  unsigned short sun_family;
  char sun_path[108];
};
struct iovec {
  void* iov_base;
  unsigned long iov_len;
};
struct user_msghdr {
  void* msg_name;
  int msg_namelen;
  struct iovec* msg_iov;
  unsigned long msg_iovlen;
  void* msg_control;
  unsigned long msg_controllen;
  unsigned int msg_flags;
};
struct mmsghdr {
  struct user_msghdr msg_hdr;
  unsigned int msg_len;
};
struct __kernel_timespec {
  long long tv_sec;
  long long tv_nsec;
};
KEEP(struct sockaddr, address)
KEEP(struct sockaddr_in, address_4)
KEEP(struct sockaddr_in6, address_6)
KEEP(struct sockaddr_un, address_unix)
KEEP(struct mmsghdr, messages)
KEEP(struct __kernel_timespec, time)
