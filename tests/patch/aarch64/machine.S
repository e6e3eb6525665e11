// SPDX-License-Identifier: MIT
// For tests/patch/execution.cpp: a program that changes all it may, a call with a pattern in every
// register, and functions whose first or middle instructions have to be moved.

  .macro function name
  .text
  .p2align 4
  .globl \name
  .type \name, %function
\name:
  .endm
  .macro end name
  .globl \name\()_end
\name\()_end:
  .size \name, . - \name
  .endm

// What programs are: no vector register changes, every other scratch register does.
function program_entry
  sub sp, sp, #544
  stp x29, x30, [sp]
  mov x29, sp
  stp q0, q1, [sp, #32]
  stp q2, q3, [sp, #64]
  stp q4, q5, [sp, #96]
  stp q6, q7, [sp, #128]
  stp q16, q17, [sp, #160]
  stp q18, q19, [sp, #192]
  stp q20, q21, [sp, #224]
  stp q22, q23, [sp, #256]
  stp q24, q25, [sp, #288]
  stp q26, q27, [sp, #320]
  stp q28, q29, [sp, #352]
  stp q30, q31, [sp, #384]
  stp q8, q9, [sp, #416]
  stp q10, q11, [sp, #448]
  stp q12, q13, [sp, #480]
  stp q14, q15, [sp, #512]
  bl record_entry
  ldp q0, q1, [sp, #32]
  ldp q2, q3, [sp, #64]
  ldp q4, q5, [sp, #96]
  ldp q6, q7, [sp, #128]
  ldp q16, q17, [sp, #160]
  ldp q18, q19, [sp, #192]
  ldp q20, q21, [sp, #224]
  ldp q22, q23, [sp, #256]
  ldp q24, q25, [sp, #288]
  ldp q26, q27, [sp, #320]
  ldp q28, q29, [sp, #352]
  ldp q30, q31, [sp, #384]
  ldp q8, q9, [sp, #416]
  ldp q10, q11, [sp, #448]
  ldp q12, q13, [sp, #480]
  ldp q14, q15, [sp, #512]
  ldp x29, x30, [sp]
  add sp, sp, #544
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
  mov x\n, #0xdead
  .endr
  cmp x0, #0xdea, lsl #12
  ret
end program_entry

// call_with(code, values, results): x0 to x29, nzcv and v0 to v31 from values; after it all of
// them to results.
function call_with
  stp x29, x30, [sp, #-192]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp x0, x2, [sp, #96]
  stp d8, d9, [sp, #112]
  stp d10, d11, [sp, #128]
  stp d12, d13, [sp, #144]
  stp d14, d15, [sp, #160]
  mov x30, x1
  ldr x0, [x30, #248]
  msr nzcv, x0
  add x0, x30, #256
  ldp q0, q1, [x0]
  ldp q2, q3, [x0, #32]
  ldp q4, q5, [x0, #64]
  ldp q6, q7, [x0, #96]
  ldp q8, q9, [x0, #128]
  ldp q10, q11, [x0, #160]
  ldp q12, q13, [x0, #192]
  ldp q14, q15, [x0, #224]
  ldp q16, q17, [x0, #256]
  ldp q18, q19, [x0, #288]
  ldp q20, q21, [x0, #320]
  ldp q22, q23, [x0, #352]
  ldp q24, q25, [x0, #384]
  ldp q26, q27, [x0, #416]
  ldp q28, q29, [x0, #448]
  ldp q30, q31, [x0, #480]
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
  ldr x\n, [x30, #(8 * \n)]
  .endr
  ldr x30, [sp, #96]
  blr x30
  str x30, [sp, #176]
  ldr x30, [sp, #104]
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
  str x\n, [x30, #(8 * \n)]
  .endr
  mrs x0, nzcv
  str x0, [x30, #248]
  ldr x0, [sp, #176]
  str x0, [x30, #240]
  add x0, x30, #256
  stp q0, q1, [x0]
  stp q2, q3, [x0, #32]
  stp q4, q5, [x0, #64]
  stp q6, q7, [x0, #96]
  stp q8, q9, [x0, #128]
  stp q10, q11, [x0, #160]
  stp q12, q13, [x0, #192]
  stp q14, q15, [x0, #224]
  stp q16, q17, [x0, #256]
  stp q18, q19, [x0, #288]
  stp q20, q21, [x0, #320]
  stp q22, q23, [x0, #352]
  stp q24, q25, [x0, #384]
  stp q26, q27, [x0, #416]
  stp q28, q29, [x0, #448]
  stp q30, q31, [x0, #480]
  ldp d8, d9, [sp, #112]
  ldp d10, d11, [sp, #128]
  ldp d12, d13, [sp, #144]
  ldp d14, d15, [sp, #160]
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #192
  ret
end call_with

function victim_nothing
  nop
  ret
end victim_nothing

function victim_ret
  ret
end victim_ret

function victim_tail
  add x0, x0, #1
  b victim_second
end victim_tail

function victim_second
  add x0, x0, #1
  ret
end victim_second

// A site in the middle, with live flags and values below the stack pointer put there by nobody.
function victim_middle
  subs x9, x9, x10
  .globl victim_middle_site
victim_middle_site:
  cset x11, hi
  adc x12, x12, x13
  ret
end victim_middle

function victim_keeps_link
  mov x9, x30
  .globl victim_keeps_link_site
victim_keeps_link_site:
  bl victim_reports_link
  mov x30, x9
  ret
end victim_keeps_link

function victim_reports_link
  mov x10, x30
  ret
end victim_reports_link

function victim_adrp
  adrp x9, victim_data
  ldr x10, [x9, #:lo12:victim_data]
  ret
end victim_adrp

function victim_adr
  adr x9, victim_adr_end
  ret
end victim_adr

function victim_literal
  ldr x9, victim_pool
  ret
end victim_literal

function victim_vector_literal
  ldr q9, victim_pool
  ret
end victim_vector_literal

function victim_signed_literal
  ldrsw x9, victim_pool
  ret
end victim_signed_literal

function victim_condition
  b.ne 1f
  mov x9, #1
1:
  ret
end victim_condition

function victim_compare
  cbz x0, 1f
  mov x9, #1
1:
  ret
end victim_compare

function victim_test
  tbnz x0, #37, 1f
  mov x9, #1
1:
  ret
end victim_test

function victim_call_register
  mov x11, x30
  adr x9, victim_reports_link
  .globl victim_call_register_site
victim_call_register_site:
  blr x9
  mov x30, x11
  ret
end victim_call_register

// Signs its return address in front of the site.
function victim_signed
  hint #25 // paciasp
  stp x29, x30, [sp, #-16]!
  mov x9, x30
  hint #7 // xpaclri
  bl victim_ret
  ldp x29, x30, [sp], #16
  hint #29 // autiasp
  mov x9, xzr
  ret
end victim_signed

function victim_signed_b
  hint #27 // pacibsp
  stp x29, x30, [sp, #-16]!
  bl victim_ret
  ldp x29, x30, [sp], #16
  hint #31 // autibsp
  ret
end victim_signed_b

  .p2align 4
victim_pool:
  .xword 0x8123456789abcdef, 0x0fedcba987654321

  .data
  .p2align 4
victim_data:
  .xword 0x1122334455667788

  .section .note.GNU-stack, "", %progbits
