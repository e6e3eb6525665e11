// SPDX-License-Identifier: MIT
//
// The preload library's own heap.
#pragma once

namespace bpfaot::loader {

// Unmaps the heap. Every object that lives in it is gone, without its destructor having run.
void release_memory();

} // namespace bpfaot::loader
