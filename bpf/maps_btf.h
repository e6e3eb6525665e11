// SPDX-License-Identifier: MIT
//
// Maps of an object: BTF-defined ones (`.maps`), and those behind data sections.
#pragma once

#include "bpf/object.h"

namespace bpfaot::bpf {

// Adds the maps of the `.maps` section to object.maps, object.map_at, and what is wrong with single
// definitions to object.map_faults.
Status read_map_definitions(Object& object);
// Adds a map per data section (.data*, .rodata*, .bss*) and one for the externs of .kconfig, with
// their variables.
Status read_data_maps(Object& object);

} // namespace bpfaot::bpf
