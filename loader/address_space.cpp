// SPDX-License-Identifier: MIT
//
// What reading and calling come down to on any address space.
#include "loader/address_space.h"

#include "loader/live_space.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {

Result<int64_t> AddressSpace::system_call(uint64_t number, std::initializer_list<uint64_t> args) {
  SystemCall call;
  call.number = number;
  std::copy(args.begin(), args.end(), call.args.begin());
  return TRY(system_calls({&call, 1})).front();
}

Result<std::string> AddressSpace::read_string(uint64_t address, size_t limit) {
  std::string out;
  while (out.size() < limit) {
    // Not across a page: the next one may be unmapped.
    uint8_t chunk[256];
    const size_t size = std::min<size_t>(sizeof chunk, 4096 - ((address + out.size()) & 4095));
    TRY(read(address + out.size(), {chunk, size}));
    const size_t length = strnlen(reinterpret_cast<const char*>(chunk), size);
    out.append(reinterpret_cast<const char*>(chunk), length);
    if (length < size)
      return out;
  }
  out.resize(limit);
  return out;
}

Result<std::vector<MapsEntry>> LiveSpace::mapped() { return read_maps(pid()); }

} // namespace bpfaot::loader
