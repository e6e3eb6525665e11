/* SPDX-License-Identifier: MIT
 *
 * Maps an image into this process the simplest way there is, for tests: no sessions, no maps but
 * one data map whose initial bytes the image carries. C, so that it also builds for machines that
 * are only emulated here.
 */
#pragma once

#include <bpfaot/abi.h>

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct mapped_image {
  uint8_t* base;
  size_t size;
  const struct bpfaot_desc* desc;
  struct bpfaot_rt* rt;
};

static inline const void* image_entry(const struct mapped_image* image, uint32_t index) {
  const uint8_t* row = (const uint8_t*)image->desc + image->desc->programs.off +
                       (uint64_t)index * image->desc->programs.entry_size;
  return (const uint8_t*)image->desc + ((const struct bpfaot_program*)row)->entry_off;
}

static inline const struct bpfaot_map* image_map(const struct mapped_image* image, uint32_t index) {
  return (const struct bpfaot_map*)((const uint8_t*)image->desc + image->desc->maps.off +
                                    (uint64_t)index * image->desc->maps.entry_size);
}

static inline int segment_protection(const Elf64_Phdr* segment) {
  return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
         (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* 0 on success. `bytes` is a whole file. */
static inline int map_image(const uint8_t* bytes, struct mapped_image* image) {
  const uint64_t page = 65536;
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)bytes;
  const Elf64_Phdr* segments = (const Elf64_Phdr*)(bytes + header->e_phoff);
  uint64_t end = 0, note = 0;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr + segments[i].p_memsz > end)
      end = segments[i].p_vaddr + segments[i].p_memsz;
    if (segments[i].p_type == PT_NOTE)
      note = segments[i].p_vaddr;
  }
  image->size = (end + page - 1) / page * page;
  image->base =
      (uint8_t*)mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (image->base == (uint8_t*)MAP_FAILED)
    return -1;
  for (int i = 0; i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD)
      memcpy(image->base + segments[i].p_vaddr, bytes + segments[i].p_offset, segments[i].p_filesz);
  for (int i = 0; i < header->e_phnum; i++) {
    const uint64_t from = segments[i].p_vaddr & ~(uint64_t)4095;
    const uint64_t to = (segments[i].p_vaddr + segments[i].p_memsz + 4095) & ~(uint64_t)4095;
    if (segments[i].p_type == PT_LOAD &&
        mprotect(image->base + from, to - from, segment_protection(&segments[i])) != 0)
      return -1;
  }
  __builtin___clear_cache((char*)image->base, (char*)image->base + image->size);
  const uint8_t* field = image->base + note + 12 + 8 + offsetof(struct bpfaot_note, desc_off);
  int64_t distance;
  memcpy(&distance, field, sizeof(distance));
  image->desc = (const struct bpfaot_desc*)(field + distance);
  image->rt = (struct bpfaot_rt*)((uint8_t*)image->desc + image->desc->rt_off);
  return 0;
}

/* Gives each data map its initial bytes in fresh memory; other maps stay without memory. */
static inline int give_data(const struct mapped_image* image) {
  for (uint32_t i = 0; i < image->desc->maps.count; i++) {
    const struct bpfaot_map* map = image_map(image, i);
    if (map->section == BPFAOT_MAP_ORDINARY || map->section == BPFAOT_MAP_PRINTK)
      continue;
    uint8_t* data = (uint8_t*)aligned_alloc(64, (map->value_size + 127) / 64 * 64);
    if (data == NULL)
      return -1;
    memset(data, 0, map->value_size);
    memcpy(data, (const uint8_t*)image->desc + image->desc->initial.off + map->initial.off,
           map->initial.size);
    image->rt->maps[i].data = (uint64_t)(uintptr_t)data;
  }
  return 0;
}

static inline void unmap_image(struct mapped_image* image) {
  for (uint32_t i = 0; i < image->desc->maps.count; i++)
    free((void*)(uintptr_t)image->rt->maps[i].data);
  munmap(image->base, image->size);
}

/* Runs a program that is no probe: those are called like C functions. */
static inline uint64_t run_image(const struct mapped_image* image, uint32_t index, void* ctx) {
  uint64_t (*entry)(void*) = (uint64_t (*)(void*))(uintptr_t)image_entry(image, index);
  return entry(ctx);
}
