// SPDX-License-Identifier: MIT
#pragma once

#define EVENT_OFFSET 1

struct event {
  unsigned long argument;
};
