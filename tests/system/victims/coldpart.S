# SPDX-License-Identifier: MIT
# `work` jumps to its split-off part with registers and flags live that no function's entry has; the
# part uses all of them, and the exit status says whether they came through. The stack is not as at an
# entry either.
  .text
  .globl work
  .type work, @function
work:
  push %rbx
  mov $0x1111, %eax
  mov $0x2222, %r10d
  mov $0x4444, %r11d
  mov $0x8888, %ebx
  lea (%rdi,%rdi), %rcx
  movq %rcx, %xmm5
  stc
  jmp work.cold
  .size work, . - work

  .section .text.unlikely, "ax", @progbits
  .globl work.cold
  .type work.cold, @function
work.cold:
  lea (%rax,%r10), %rdx
  setc %al
  lea (%rdx,%r11), %rdx
  lea (%rdx,%rbx), %rdx
  movzbl %al, %eax
  movq %xmm5, %rcx
  add %rcx, %rdx
  add %rdx, %rax
  pop %rbx
  ret
  .size work.cold, . - work.cold

  .text
  .globl main
  .type main, @function
main:
  push %rbx
  mov $100, %ebx
1:
  mov %rbx, %rdi
  call work
  lea (%rbx,%rbx), %rcx
  sub %rcx, %rax
  # rax was overwritten in its low byte by the carry: 0x1111 + 0x2222 + 0x4444 + 0x8888, and 1 if kept
  movzwl %ax, %eax
  cmp $0x0000, %eax
  jne 2f
  dec %ebx
  jnz 1b
  xor %eax, %eax
  pop %rbx
  ret
2:
  mov $1, %eax
  pop %rbx
  ret
  .size main, . - main
  .section .note.GNU-stack, "", @progbits
