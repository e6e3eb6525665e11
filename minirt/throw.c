/* SPDX-License-Identifier: MIT
 *
 * bpf_throw. Nothing is unwound here: the function that has called this returns at once, and so does
 * each of its callers, because the word says so (aotc/lower_throw.cpp).
 */
#include "minirt/helpers.h"
#include "minirt/rt.h"

RT_HELPER void __bpfaot_rt_throw(rt_env* env, uint64_t cookie) {
  env->thrown = 1;
  env->cookie = cookie;
}
