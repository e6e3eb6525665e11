// SPDX-License-Identifier: MIT
//
// carve_bpf PROGRAM OUT.bpf.o: writes the eBPF object embedded in a libbpf tool and says where it
// was. With several objects inside, the first goes to OUT and the others to OUT.1, OUT.2, …
#include "support/files.h"
#include "tests/tools/carve.h"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: carve_bpf PROGRAM OUT.bpf.o\n");
    return 2;
  }
  const auto file = bpfaot::read_file(argv[1]);
  if (!file) {
    std::fprintf(stderr, "%s: %s\n", argv[1], file.error().message.c_str());
    return 1;
  }
  const auto found = bpfaot::tests::carve(*file);
  if (found.empty()) {
    std::fprintf(stderr, "%s: no eBPF object inside\n", argv[1]);
    return 1;
  }
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string out = i == 0 ? argv[2] : std::string(argv[2]) + "." + std::to_string(i);
    if (const auto status = bpfaot::write_file_atomically(out, found[i].bytes); !status) {
      std::fprintf(stderr, "%s: %s\n", out.c_str(), status.error().message.c_str());
      return 1;
    }
    std::printf("%s: %zu bytes at offset 0x%llx of %s\n", out.c_str(), found[i].bytes.size(),
                static_cast<unsigned long long>(found[i].offset), argv[1]);
  }
  return 0;
}
