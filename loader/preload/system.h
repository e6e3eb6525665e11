/* SPDX-License-Identifier: MIT
 *
 * What the parts of the preload library that stand in for a C library know of each other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As the kernel answers: -errno on failure. */
long bpfaot_preload_syscall(long number, long a, long b, long c, long d, long e, long f);
long bpfaot_preload_pid(void);
void bpfaot_preload_write_error(const char* text, size_t size);
__attribute__((noreturn)) void bpfaot_preload_exit(int status);
__attribute__((noreturn)) void bpfaot_preload_die(const char* why);
/* Value of an environment variable of the program as it was started, null when absent. */
const char* bpfaot_preload_variable(const char* name);

#ifdef __cplusplus
}
#endif
