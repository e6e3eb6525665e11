/* SPDX-License-Identifier: MIT
 *
 * run_image IMAGE [INPUTS SIZE]: runs every program of an image and prints what it returns, a line
 * "R0 HASH" for each run. With INPUTS, a file of blocks of SIZE bytes, each program runs once for
 * each block, which the image's first memory holds before; HASH is FNV-1a of that memory afterwards.
 * Linked statically, so that it runs under qemu-user without a system root.
 */
#include "conformance/map_image.h"

#include <stdio.h>

static uint8_t* read_whole(const char* path, size_t* length) {
  FILE* file = fopen(path, "rb");
  uint8_t* bytes = NULL;
  size_t capacity = 0, count;
  *length = 0;
  if (file == NULL)
    return NULL;
  do {
    capacity = capacity * 2 + 65536;
    uint8_t* larger = (uint8_t*)realloc(bytes, capacity);
    if (larger == NULL)
      break;
    bytes = larger;
    count = fread(bytes + *length, 1, capacity - *length, file);
    *length += count;
  } while (count != 0);
  fclose(file);
  return bytes;
}

static uint64_t hash_of(const uint8_t* bytes, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

int main(int argc, char** argv) {
  struct mapped_image image;
  size_t image_size = 0, inputs_size = 0;
  uint8_t* bytes = argc > 1 ? read_whole(argv[1], &image_size) : NULL;
  uint8_t* inputs = argc > 3 ? read_whole(argv[2], &inputs_size) : NULL;
  const size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
  if (bytes == NULL || map_image(bytes, &image) != 0 || give_data(&image) != 0 ||
      (argc > 3 && (inputs == NULL || size == 0 || image.desc->maps.count == 0 ||
                    size > image_map(&image, 0)->value_size))) {
    fprintf(stderr, "run_image: cannot run this image\n");
    return 1;
  }
  for (uint32_t i = 0; i < image.desc->programs.count; i++)
    for (size_t at = 0; at + size <= inputs_size; at += size) {
      uint8_t* memory = size != 0 ? (uint8_t*)(uintptr_t)image.rt->maps[0].data : NULL;
      if (size != 0)
        memcpy(memory, inputs + at, size);
      const uint64_t r0 = run_image(&image, i, NULL);
      printf("%llx %llx\n", (unsigned long long)r0,
             (unsigned long long)(size != 0 ? hash_of(memory, size) : 0));
      fflush(stdout);
      if (size == 0)
        break;
    }
  return 0;
}
