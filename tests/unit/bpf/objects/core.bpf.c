// SPDX-License-Identifier: MIT
//
// One program per question that CO-RE can ask. Compiled twice: as it is, for the programs, and with
// -DOTHER for the same names in another layout, whose types the programs are relocated to.
typedef unsigned char u8;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define MOVABLE __attribute__((preserve_access_index))
#define PROGRAM(name) __attribute__((section("socket"), used)) u64 name(void* ctx)

#ifndef OTHER

enum colour { RED = 1, GREEN = 2, BLUE = 3 };
enum wide { SMALL = 1, HUGE_VALUE = 0x123456789abcULL };
enum absent_enum { NOBODY };
struct inner { s32 x, y; } MOVABLE;
struct shapes {
  u32 moved;
  u32 same;
  s32 becomes_unsigned;
  u32 shrinks; // 4 bytes here, 2 there
  u32 grows;   // 4 bytes here, 8 there
  s32 signed_grows;
  u32 gone;
  u32 pointer_there;
  u32 low : 3;
  u32 high : 5;
  s32 negative : 7;
  u32 plain_here;
  union { u32 first; u64 second; };
  struct { struct inner deep; };
  struct inner list[4];
  struct inner* link;
  u8 bytes[16];
  char tail[]; // may be indexed beyond
} MOVABLE;
struct shapes___old { u32 gone; u32 moved; } MOVABLE;
struct shapes___flavoured { u32 moved; } MOVABLE;
struct only_here { u32 value; } MOVABLE;
struct matching { u32 a; struct inner* p; } MOVABLE;
struct mismatching { u32 a; } MOVABLE;
struct many { u32 value; } MOVABLE;
struct far_away { u32 value; } MOVABLE;
struct net { u32 own; } MOVABLE; // a name that the kernel has as well
struct task_struct { u32 tgid, mm; } MOVABLE;
enum bpf_func_id { BPF_FUNC_map_lookup_elem = 1, BPF_FUNC_nobody = 99999 };
typedef u32 name_of_number;
typedef struct inner name_of_inner;
typedef int (*handler)(int);

#define FIELD(expression) __builtin_preserve_access_index(expression)
#define FIELD_INFO(expression, what) __builtin_preserve_field_info(expression, what)
#define TYPE_INFO(type, what) __builtin_preserve_type_info(*(typeof(type)*)0, what)
#define ENUM_VALUE(type, value, what) __builtin_preserve_enum_value(*(typeof(type)*)value, what)
enum { OFFSET, SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT };
static struct shapes* const s = 0;

PROGRAM(offset_moved) { return FIELD_INFO(s->moved, OFFSET); }
PROGRAM(offset_same) { return FIELD_INFO(s->same, OFFSET); }
PROGRAM(offset_in_anonymous) { return FIELD_INFO(s->second, OFFSET); }
PROGRAM(offset_deep) { return FIELD_INFO(s->deep.y, OFFSET); }
PROGRAM(offset_of_element) { return FIELD_INFO(s->list[2].y, OFFSET); }
PROGRAM(offset_of_byte) { return FIELD_INFO(s->bytes[9], OFFSET); }
PROGRAM(offset_of_tail) { return FIELD_INFO(s->tail[5], OFFSET); }
PROGRAM(offset_of_second_struct) { return FIELD_INFO(s[2].moved, OFFSET); }
PROGRAM(offset_flavoured) { return FIELD_INFO(((struct shapes___flavoured*)0)->moved, OFFSET); }
PROGRAM(offset_of_bit_field) { return FIELD_INFO(s->high, OFFSET); }
PROGRAM(offset_of_many) { return FIELD_INFO(((struct many*)0)->value, OFFSET); }
PROGRAM(size_shrinks) { return FIELD_INFO(s->shrinks, SIZE); }
PROGRAM(size_grows) { return FIELD_INFO(s->grows, SIZE); }
PROGRAM(size_of_bytes) { return FIELD_INFO(s->bytes, SIZE); }
PROGRAM(exists) { return FIELD_INFO(s->moved, EXISTS); }
PROGRAM(exists_not) { return FIELD_INFO(s->gone, EXISTS); }
PROGRAM(exists_not_in_flavour) { return FIELD_INFO(((struct shapes___old*)0)->gone, EXISTS); }
PROGRAM(exists_not_that_kind) { return FIELD_INFO(s->pointer_there, EXISTS); }
PROGRAM(exists_not_that_far) { return FIELD_INFO(s->list[3], EXISTS); }
PROGRAM(exists_not_type) { return FIELD_INFO(((struct only_here*)0)->value, EXISTS); }
PROGRAM(sign_kept) { return FIELD_INFO(s->signed_grows, SIGNED); }
PROGRAM(sign_lost) { return FIELD_INFO(s->becomes_unsigned, SIGNED); }
PROGRAM(lshift) { return FIELD_INFO(s->high, LSHIFT); }
PROGRAM(rshift) { return FIELD_INFO(s->high, RSHIFT); }
PROGRAM(lshift_negative) { return FIELD_INFO(s->negative, LSHIFT); }
PROGRAM(rshift_negative) { return FIELD_INFO(s->negative, RSHIFT); }
PROGRAM(lshift_becomes_bits) { return FIELD_INFO(s->plain_here, LSHIFT); }
PROGRAM(rshift_becomes_bits) { return FIELD_INFO(s->plain_here, RSHIFT); }
PROGRAM(id_local) { return __builtin_btf_type_id(*(struct inner*)0, 0); }
PROGRAM(id_target) { return __builtin_btf_type_id(*(struct inner*)0, 1); }
PROGRAM(type_exists) { return TYPE_INFO(struct inner, 0); }
PROGRAM(type_exists_not) { return TYPE_INFO(struct only_here, 0); }
PROGRAM(type_exists_typedef) { return TYPE_INFO(name_of_number, 0); }
PROGRAM(type_exists_not_that_kind) { return TYPE_INFO(name_of_inner, 0); }
PROGRAM(type_exists_function) { return TYPE_INFO(handler, 0); }
PROGRAM(type_size) { return TYPE_INFO(struct inner, 1); }
PROGRAM(type_size_not) { return TYPE_INFO(struct only_here, 1); }
PROGRAM(type_matches) { return TYPE_INFO(struct matching, 2); }
PROGRAM(type_matches_not) { return TYPE_INFO(struct mismatching, 2); }
PROGRAM(value) { return ENUM_VALUE(enum colour, GREEN, 1); }
PROGRAM(value_wide) { return ENUM_VALUE(enum wide, HUGE_VALUE, 1); }
PROGRAM(value_exists) { return ENUM_VALUE(enum colour, BLUE, 0); }
PROGRAM(value_exists_not) { return ENUM_VALUE(enum colour, RED, 0); }
PROGRAM(value_exists_not_type) { return ENUM_VALUE(enum absent_enum, NOBODY, 0); }

PROGRAM(task_offset) { return FIELD_INFO(((struct task_struct*)0)->tgid, OFFSET); }
PROGRAM(task_absent) { return FIELD_INFO(((struct task_struct*)0)->mm, OFFSET); }
PROGRAM(task_absent_size) { return FIELD_INFO(((struct task_struct*)0)->mm, SIZE); }
PROGRAM(task_absent_exists) { return FIELD_INFO(((struct task_struct*)0)->mm, EXISTS); }
PROGRAM(helper_exists) { return ENUM_VALUE(enum bpf_func_id, BPF_FUNC_map_lookup_elem, 0); }
PROGRAM(helper_exists_not) { return ENUM_VALUE(enum bpf_func_id, BPF_FUNC_nobody, 0); }
PROGRAM(offset_of_own) { return FIELD_INFO(((struct net*)0)->own, OFFSET); }

PROGRAM(poison) { return FIELD_INFO(s->gone, OFFSET); }
PROGRAM(poison_value) { return ENUM_VALUE(enum colour, RED, 1); }
PROGRAM(poison_behind_guard) { return FIELD_INFO(s->gone, EXISTS) ? FIELD_INFO(s->gone, OFFSET) : 77; }

// Loads take the offset into the instruction, and the size where the value stays the same.
static volatile long anywhere;
#define BUFFER u8 memory[256] __attribute__((aligned(8))) = {}; struct shapes* p = (void*)memory; asm volatile("" : "+r"(p) :: "memory")
PROGRAM(load_moved) { BUFFER; return p->moved; }
PROGRAM(load_shrinks) { BUFFER; return p->shrinks; }
PROGRAM(load_grows) { BUFFER; return p->grows; }
PROGRAM(load_link) { BUFFER; return (u64)p->link; }
PROGRAM(load_signed_grows) { BUFFER; return p->signed_grows; }
PROGRAM(store_moved) { BUFFER; p->moved = 7; return 0; }
PROGRAM(store_shrinks) { BUFFER; p->shrinks = 7; return 0; }
PROGRAM(load_far) { BUFFER; return ((struct far_away*)p)->value; }

#else

enum colour { GREEN = 20, BLUE = 30 };
enum wide { SMALL = 1, HUGE_VALUE = 0x4321cba987ULL << 8 };
struct inner { u64 before; s32 y; s32 x; };
struct shapes {
  u64 before;
  u32 same_not;
  u32 moved;
  u32 becomes_unsigned;
  unsigned short shrinks;
  u64 grows;
  s64 signed_grows;
  void* pointer_there;
  u32 same;
  u32 filler : 9;
  u32 high : 5;
  s32 negative : 11;
  u32 plain_here : 6;
  u32 low : 1;
  union { struct { u64 other; union { u64 second; }; }; };
  union { u32 first; };
  struct { struct { struct inner deep; }; };
  struct inner list[3];
  struct inner* link;
  u8 bytes[12];
  char tail[];
};
struct matching { u64 more; struct inner* p; u32 a; };
struct mismatching { s64 a; };
struct many { u32 value; };
struct many___again { u32 first; u32 value; };
struct far_away { char gap[40000]; u32 value; };
struct net { u64 before; u32 own; };
typedef u32 name_of_number;
typedef int (*handler)(int);
struct name_of_inner { u32 x; };

enum colour colour;
enum wide wide;
struct shapes shapes;
struct matching matching;
struct mismatching mismatching;
struct many many;
struct many___again many_again;
struct far_away far_away;
struct net net;
name_of_number number;
handler function;
struct name_of_inner other_kind;

#endif
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
