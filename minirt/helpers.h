/* SPDX-License-Identifier: MIT
 *
 * Prototypes of the helpers and kfuncs, by the rule at the end of abi.h, one for each row of
 * bpf/helpers.def and bpf/kfuncs.def.
 */
#pragma once

#include "bpfaot/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bpfaot_env rt_env;
typedef const struct bpfaot_map_desc rt_desc;

uint32_t __bpfaot_rt_enter(rt_env* env, uint32_t prog_flags);
void __bpfaot_rt_leave(rt_env* env, uint32_t prog_flags);

void* __bpfaot_rt_map_lookup_elem(rt_env* env, rt_desc* map, const void* key);
uint64_t __bpfaot_rt_map_update_elem(rt_env* env, rt_desc* map, const void* key, const void* value,
                                     uint64_t flags);
uint64_t __bpfaot_rt_map_delete_elem(rt_env* env, rt_desc* map, const void* key);

void* __bpfaot_rt_map_lookup_percpu_elem(rt_env* env, rt_desc* map, const void* key, uint64_t cpu);

/* Lookup in a map of maps. `maps` describes all maps of the image. */
rt_desc* __bpfaot_rt_map_lookup_map(rt_env* env, rt_desc* map, const void* key, rt_desc* maps,
                                    uint64_t count);

uint64_t __bpfaot_rt_map_push_elem(rt_env* env, rt_desc* map, const void* value, uint64_t flags);
uint64_t __bpfaot_rt_map_pop_elem(rt_env* env, rt_desc* map, void* value);
uint64_t __bpfaot_rt_map_peek_elem(rt_env* env, rt_desc* map, void* value);

uint64_t __bpfaot_rt_probe_read(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_probe_read_user(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_probe_read_kernel(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_probe_read_str(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_copy_from_user(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_probe_read_user_str(rt_env* env, void* to, uint64_t size, uint64_t from);
uint64_t __bpfaot_rt_probe_read_kernel_str(rt_env* env, void* to, uint64_t size, uint64_t from);

uint64_t __bpfaot_rt_ktime_get_ns(rt_env* env);
uint64_t __bpfaot_rt_ktime_get_boot_ns(rt_env* env);
uint64_t __bpfaot_rt_ktime_get_coarse_ns(rt_env* env);
uint64_t __bpfaot_rt_ktime_get_tai_ns(rt_env* env);
uint64_t __bpfaot_rt_jiffies64(rt_env* env);
uint64_t __bpfaot_rt_get_prandom_u32(rt_env* env);
uint64_t __bpfaot_rt_get_smp_processor_id(rt_env* env);
uint64_t __bpfaot_rt_get_numa_node_id(rt_env* env);
uint64_t __bpfaot_rt_get_current_pid_tgid(rt_env* env);
uint64_t __bpfaot_rt_get_ns_current_pid_tgid(rt_env* env, uint64_t device, uint64_t inode, void* ids,
                                             uint64_t size);
uint64_t __bpfaot_rt_get_current_uid_gid(rt_env* env);
uint64_t __bpfaot_rt_get_current_comm(rt_env* env, void* to, uint64_t size);
uint64_t __bpfaot_rt_get_current_task(rt_env* env);
uint64_t __bpfaot_rt_get_current_task_btf(rt_env* env);
uint64_t __bpfaot_rt_current_task_under_cgroup(rt_env* env, rt_desc* map, uint64_t index);
uint64_t __bpfaot_rt_get_func_ip(rt_env* env, void* ctx);
uint64_t __bpfaot_rt_get_attach_cookie(rt_env* env, void* ctx);

uint64_t __bpfaot_rt_get_stackid(rt_env* env, void* ctx, rt_desc* map, uint64_t flags);
uint64_t __bpfaot_rt_get_stack(rt_env* env, void* ctx, void* to, uint64_t size, uint64_t flags);

uint64_t __bpfaot_rt_trace_printk(rt_env* env, const void* format, uint64_t format_size, uint64_t a,
                                  uint64_t b, uint64_t c);
uint64_t __bpfaot_rt_trace_vprintk(rt_env* env, const void* format, uint64_t format_size,
                                   const void* args, uint64_t args_size);

/* `room`: bytes from a constant text to the end of its section. */
uint64_t __bpfaot_rt_snprintf(rt_env* env, void* to, uint64_t size, const void* format,
                              uint64_t room, const void* args, uint64_t args_size);
uint64_t __bpfaot_rt_strncmp(rt_env* env, const void* text, uint64_t size, const void* constant,
                             uint64_t room);
uint64_t __bpfaot_rt_strtol(rt_env* env, const void* text, uint64_t size, uint64_t flags, void* to);
uint64_t __bpfaot_rt_strtoul(rt_env* env, const void* text, uint64_t size, uint64_t flags, void* to);

uint64_t __bpfaot_rt_perf_event_output(rt_env* env, void* ctx, rt_desc* map, uint64_t flags,
                                       const void* from, uint64_t size);
uint64_t __bpfaot_rt_ringbuf_output(rt_env* env, rt_desc* map, const void* from, uint64_t size,
                                    uint64_t flags);
void* __bpfaot_rt_ringbuf_reserve(rt_env* env, rt_desc* map, uint64_t size, uint64_t flags);
void __bpfaot_rt_ringbuf_submit(rt_env* env, void* record, uint64_t flags);
void __bpfaot_rt_ringbuf_discard(rt_env* env, void* record, uint64_t flags);
uint64_t __bpfaot_rt_ringbuf_query(rt_env* env, rt_desc* map, uint64_t what);

/* Functions of the program that a helper calls. */
typedef uint64_t rt_callback(rt_env* env, uint64_t a, void* b, void* c, void* d);
uint64_t __bpfaot_rt_loop(rt_env* env, uint64_t count, rt_callback* callback, void* ctx,
                          uint64_t flags);
uint64_t __bpfaot_rt_for_each_map_elem(rt_env* env, rt_desc* map, rt_callback* callback, void* ctx,
                                       uint64_t flags);
uint64_t __bpfaot_rt_user_ringbuf_drain(rt_env* env, rt_desc* map, rt_callback* callback, void* ctx,
                                        uint64_t flags);

/* Objects that programs keep in their stack. */
uint64_t __bpfaot_rt_iter_num_new(rt_env* env, void* iterator, uint64_t first, uint64_t end);
void* __bpfaot_rt_iter_num_next(rt_env* env, void* iterator);
void __bpfaot_rt_iter_num_destroy(rt_env* env, void* iterator);
uint64_t __bpfaot_rt_dynptr_from_mem(rt_env* env, void* data, uint64_t size, uint64_t flags,
                                     void* dynptr);
uint64_t __bpfaot_rt_ringbuf_reserve_dynptr(rt_env* env, rt_desc* map, uint64_t size,
                                            uint64_t flags, void* dynptr);
void __bpfaot_rt_ringbuf_submit_dynptr(rt_env* env, void* dynptr, uint64_t flags);
void __bpfaot_rt_ringbuf_discard_dynptr(rt_env* env, void* dynptr, uint64_t flags);
uint64_t __bpfaot_rt_dynptr_read(rt_env* env, void* to, uint64_t size, const void* dynptr,
                                 uint64_t offset, uint64_t flags);
uint64_t __bpfaot_rt_dynptr_write(rt_env* env, const void* dynptr, uint64_t offset,
                                  const void* from, uint64_t size, uint64_t flags);
void* __bpfaot_rt_dynptr_data(rt_env* env, const void* dynptr, uint64_t offset, uint64_t size);
void* __bpfaot_rt_dynptr_slice(rt_env* env, const void* dynptr, uint64_t offset, void* buffer,
                               uint64_t size);
void* __bpfaot_rt_dynptr_slice_rdwr(rt_env* env, const void* dynptr, uint64_t offset, void* buffer,
                                    uint64_t size);
uint64_t __bpfaot_rt_dynptr_size(rt_env* env, const void* dynptr);
uint64_t __bpfaot_rt_dynptr_is_null(rt_env* env, const void* dynptr);
uint64_t __bpfaot_rt_dynptr_is_rdonly(rt_env* env, const void* dynptr);
uint64_t __bpfaot_rt_dynptr_adjust(rt_env* env, void* dynptr, uint64_t begin, uint64_t end);
uint64_t __bpfaot_rt_dynptr_clone(rt_env* env, const void* dynptr, void* clone);

/* The program ends, with the cookie or what its callback makes of it. */
void __bpfaot_rt_throw(rt_env* env, uint64_t cookie);

/* What the slot says: the number of a program plus one, to be checked by the caller; 0 = none. */
uint64_t __bpfaot_rt_tail_call(rt_env* env, void* ctx, rt_desc* map, uint64_t index);

/* Packets: ctx is a struct bpfaot_packet. */
uint64_t __bpfaot_rt_skb_load_bytes(rt_env* env, void* ctx, uint64_t offset, void* to,
                                    uint64_t size);
uint64_t __bpfaot_rt_skb_load_bytes_relative(rt_env* env, void* ctx, uint64_t offset, void* to,
                                             uint64_t size, uint64_t start);
uint64_t __bpfaot_rt_skb_store_bytes(rt_env* env, void* ctx, uint64_t offset, const void* from,
                                     uint64_t size, uint64_t flags);
uint64_t __bpfaot_rt_l3_csum_replace(rt_env* env, void* ctx, uint64_t offset, uint64_t from,
                                     uint64_t to, uint64_t flags);
uint64_t __bpfaot_rt_l4_csum_replace(rt_env* env, void* ctx, uint64_t offset, uint64_t from,
                                     uint64_t to, uint64_t flags);
uint64_t __bpfaot_rt_csum_diff(rt_env* env, const void* from, uint64_t from_size, const void* to,
                               uint64_t to_size, uint64_t seed);
uint64_t __bpfaot_rt_csum_update(rt_env* env, void* ctx, uint64_t csum);
uint64_t __bpfaot_rt_skb_change_tail(rt_env* env, void* ctx, uint64_t size, uint64_t flags);
uint64_t __bpfaot_rt_skb_pull_data(rt_env* env, void* ctx, uint64_t size);
uint64_t __bpfaot_rt_xdp_adjust_head(rt_env* env, void* ctx, uint64_t offset);
uint64_t __bpfaot_rt_xdp_adjust_meta(rt_env* env, void* ctx, uint64_t offset);
uint64_t __bpfaot_rt_xdp_adjust_tail(rt_env* env, void* ctx, uint64_t offset);
uint64_t __bpfaot_rt_xdp_get_buff_len(rt_env* env, void* ctx);
uint64_t __bpfaot_rt_xdp_load_bytes(rt_env* env, void* ctx, uint64_t offset, void* to,
                                    uint64_t size);
uint64_t __bpfaot_rt_xdp_store_bytes(rt_env* env, void* ctx, uint64_t offset, const void* from,
                                     uint64_t size);

#ifdef __cplusplus
}
#endif
