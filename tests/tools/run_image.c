/* SPDX-License-Identifier: MIT
 *
 * run_image IMAGE…: runs the first program of each image and prints what it returns, one hex number
 * a line. Linked statically, so that it runs under qemu-user without a system root.
 */
#include "map_image.h"

#include <stdio.h>

static uint8_t* read_whole(const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL)
    return NULL;
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  rewind(file);
  uint8_t* bytes = (uint8_t*)malloc((size_t)size);
  if (bytes != NULL && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
    free(bytes);
    bytes = NULL;
  }
  fclose(file);
  return bytes;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    uint8_t* bytes = read_whole(argv[i]);
    struct mapped_image image;
    if (bytes == NULL || map_image(bytes, &image) != 0 || give_data(&image) != 0) {
      fprintf(stderr, "run_image: cannot run %s\n", argv[i]);
      return 1;
    }
    printf("%llx\n", (unsigned long long)run_image(&image, 0, NULL));
    unmap_image(&image);
    free(bytes);
  }
  return 0;
}
