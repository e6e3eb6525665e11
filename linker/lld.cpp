// SPDX-License-Identifier: MIT
//
// lld, called in this process. The only file that knows it.
//
// The layout: one segment each for read-only data (headers, note, descriptor, dynamic symbols),
// code, and the little that is written (the dynamic table, which glibc relocates in place, and the
// runtime block, which is zero in the file and stands on pages of its own so that the loader can
// make it read-only). Segments follow each other without padding in the file; their addresses are
// laid out for the largest page size of the machine.
#include "linker/linker.h"

#include "support/files.h"

#include <lld/Common/Driver.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/Support/raw_ostream.h>

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace bpfaot::linker {
namespace {

// lld reads and writes paths, so it gets a directory that nobody else can enter and that is gone
// when the link is over.
class PrivateDirectory {
public:
  PrivateDirectory() {
    const char* parent = std::getenv("TMPDIR");
    path_ =
        std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") + "/bpf-aotc-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr)
      path_.clear();
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory() {
    if (path_.empty())
      return;
    for (const std::string& file : {object(), output()})
      unlink(file.c_str());
    rmdir(path_.c_str());
  }
  bool valid() const { return !path_.empty(); }
  std::string object() const { return path_ + "/probe.o"; }
  std::string output() const { return path_ + "/probe.so"; }

private:
  std::string path_;
};

} // namespace

std::vector<std::string> link_arguments(const targets::Target& target, const std::string& object,
                                        const std::string& library, const std::string& output,
                                        const LinkOptions& options) {
  const std::string page = std::to_string(target.page_size);
  std::vector<std::string> words = {
          "ld.lld",
          "-m",
          std::string(target.lld_emulation),
          "-shared",
          "-Bsymbolic",
          "-z",
          "now",
          "-z",
          "defs",
          "-z",
          "text",
          "-z",
          "noexecstack",
          "-z",
          "norelro",
          "-z",
          "max-page-size=" + page,
          "-z",
          "common-page-size=" + page,
          "--hash-style=gnu",
          "--gc-sections",
          options.debug ? "--discard-locals" : "--strip-all",
          "--compress-debug-sections=zlib",
          "--build-id=sha1",
          "--fatal-warnings",
          "--color-diagnostics=never",
          "--threads=1",
          "-o",
          output,
          object};
  if (!library.empty())
    words.push_back(library);
  words.insert(words.end(), options.extra.begin(), options.extra.end());
  return words;
}

// Both come from one source release; lld's own version header is not installed.
std::string lld_version() {
  return LLVM_VERSION_STRING;
}

Result<std::vector<uint8_t>> link_shared(const targets::Target& target,
                                         std::span<const uint8_t> object,
                                         const std::string& library,
                                         const LinkOptions& options) {
  const PrivateDirectory directory;
  if (!directory.valid())
    return fail(Code::kIo, "cannot make a directory for the linker");
  TRY(write_file_atomically(directory.object(), object, 0600));
  const std::vector<std::string> arguments =
      link_arguments(target, directory.object(), library, directory.output(), options);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(argument.c_str());

  std::string messages;
  llvm::raw_string_ostream stream(messages);
  const lld::DriverDef drivers[] = {{lld::Gnu, &lld::elf::link}};
  const lld::Result result = lld::lldMain(pointers, stream, stream, drivers);
  if (result.retCode != 0)
    return options.extra.empty() ? fail(Code::kLink, "lld failed: " + messages)
                         : fail(Code::kUsage, "lld does not link with -Xlinker: " + messages);
  return read_file(directory.output());
}

} // namespace bpfaot::linker
