// SPDX-License-Identifier: MIT
// at: 0x4000800
  ret
  brk #0
