// SPDX-License-Identifier: MIT
//
// A tool of the build, not installed: the bitcode of all of minirt becomes the files that bpf-aotc
// reads.
// usage: bpf-aotc-split-runtime MACHINE WHOLE.bc DIRECTORY
#include "aotc/machine.h"
#include "aotc/runtime_parts.h"
#include "support/files.h"
#include "support/render.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstdio>

namespace {

using namespace bpfaot;
using namespace bpfaot::aotc;

Status run(const std::string& machine, const std::string& whole, const std::string& directory) {
  const targets::Target* target = TRY(targets::find(machine));
  const std::vector<uint8_t> bytes = TRY(read_file(whole));
  llvm::LLVMContext context;
  auto module = llvm::parseBitcodeFile(
      llvm::MemoryBufferRef({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "minirt"),
      context);
  if (!module)
    return fail(Code::kResource, llvm::toString(module.takeError()));
  const RuntimeParts parts = TRY(split_runtime(std::move(*module), *target));
  const auto write = [&](std::string_view name, const std::vector<uint8_t>& content) {
    return write_file_atomically(directory + "/" + std::string(name), content, 0644);
  };
  TRY(write(kHelperFile, parts.helpers));
  TRY(write(kAttachedFile, parts.attached));
  return write(kBufferFile, parts.buffer);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s MACHINE WHOLE.bc DIRECTORY\n", argv[0]);
    return 2;
  }
  initialise_llvm();
  const Status status = run(argv[1], argv[2], argv[3]);
  if (!status)
    std::fputs(render_human(status.error(), Colour::never).c_str(), stderr);
  return status ? 0 : 1;
}
