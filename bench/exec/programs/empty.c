// SPDX-License-Identifier: MIT
// Nothing: what calling a program costs.
#include "program.h"

PROGRAM {
  return (int)in->words[0];
}
