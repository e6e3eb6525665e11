// SPDX-License-Identifier: MIT
//
// The same object in the kernel: loaded and attached by libbpf. Every function says why it cannot
// when it cannot; the figures beside ours are then absent, and the report says so.
#pragma once

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static inline int say_nothing(enum libbpf_print_level level, const char *format, va_list args) {
  (void)level, (void)format, (void)args;
  return 0;
}

static inline struct bpf_object *load_into_kernel(const char *path) {
  libbpf_set_print(say_nothing);
  struct bpf_object *object = bpf_object__open_file(path, NULL);
  if (!object)
    return NULL;
  if (bpf_object__load(object) != 0) {
    const int error = errno;
    bpf_object__close(object);
    errno = error;
    return NULL;
  }
  return object;
}
