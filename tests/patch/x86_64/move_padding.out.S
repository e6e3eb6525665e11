// SPDX-License-Identifier: MIT
// at: 0x4000800
  retq
  int3
  int3
  int3
  int3
  int3
