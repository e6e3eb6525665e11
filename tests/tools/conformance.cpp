// SPDX-License-Identifier: MIT
//
// bpf-aotc-conformance: the plugin protocol of the public bpf_conformance suite. argv[1] is the
// memory as hex (absent when there is none), standard input is one line of program hex, standard
// output is r0 in hex. The program passes the verifier, is compiled, and runs in this process.
#include "aotc/runtime.h"
#include "support/render.h"
#include "tests/tools/map_image.h"
#include "tests/tools/raw_program.h"

#include <cstdio>
#include <string>

namespace {

using namespace bpfaot;

std::string read_line(FILE* file) {
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
    text += static_cast<char>(c);
  return text;
}

int complain(const Diagnostic& diagnostic) {
  std::fputs(render_human(diagnostic, Colour::never).c_str(), stderr);
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  // The suite gives options after the memory; a first argument that is no hex is one of them.
  const bool has_memory = argc > 1 && argv[1][0] != '-';
  const auto memory = tests::parse_hex(has_memory ? argv[1] : "");
  const auto code = tests::parse_hex(read_line(stdin));
  if (!memory || !code || code->size() % 8 != 0) {
    std::fputs("bpf-aotc-conformance: the memory or the program is not hex\n", stderr);
    return 2;
  }
  const auto verified = tests::verify_raw(*code, *memory);
  if (!verified)
    return complain(verified.error());
  const auto bytes =
      tests::compile_raw(*verified, targets::host(), aotc::Runtime::default_directory());
  if (!bytes)
    return complain(bytes.error());
  mapped_image image{};
  if (map_image(bytes->data(), &image) != 0 || give_data(&image) != 0) {
    std::fputs("bpf-aotc-conformance: the image cannot be mapped\n", stderr);
    return 1;
  }
  std::printf("%llx\n", static_cast<unsigned long long>(run_image(&image, 0, nullptr)));
  unmap_image(&image);
  return 0;
}
