// SPDX-License-Identifier: MIT
#include "aotc/reproduce.h"

#include "aotc/command_line.h"
#include "aotc/runtime.h"
#include "support/files.h"
#include "support/response_file.h"
#include "support/tar.h"

namespace bpfaot::aotc {
namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
}

class Packer {
public:
  explicit Packer(std::string folder) : folder_(std::move(folder)) {}

  Status add(const ReplayWord& word) {
    using Role = ReplayWord::Role;
    std::string text = word.before;
    switch (word.role) {
    case Role::plain: break;
    case Role::output: text += word.path == "-" ? "-" : base_name(word.path); break;
    case Role::input: text += TRY(add_input(word.path)); break;
    case Role::resource_dir: text += TRY(add_resources(word.path)); break;
    }
    arguments_ += quote_word(text) + "\n";
    return {};
  }

  Result<std::vector<uint8_t>> finish(std::string_view version) {
    TRY(tar_.add(folder_ + "/response.txt", arguments_));
    TRY(tar_.add(folder_ + "/version.txt", version));
    return tar_.take();
  }

private:
  // Inputs keep their names, which are part of images, in folders of their own.
  Result<std::string> add_input(const std::string& path) {
    if (path == "-")
      return fail(Code::kUsage, "--reproduce cannot take an input from standard input");
    const std::string name = "inputs/" + std::to_string(inputs_++) + "/" + base_name(path);
    if (const auto bytes = read_file(path))
      TRY(tar_.add(folder_ + "/" + name, *bytes));
    return name;
  }

  // Only a runtime that is not the tool's own is part of the input.
  Result<std::string> add_resources(const std::string& path) {
    for (const targets::Target* target : targets::all())
      for (const std::string& file : Runtime::files(path, *target))
        if (const auto bytes = read_file(file))
          TRY(tar_.add(folder_ + "/resources" + file.substr(path.size()), *bytes));
    return std::string("resources");
  }

  std::string folder_, arguments_;
  TarWriter tar_;
  unsigned inputs_ = 0;
};

} // namespace

Status write_reproduction(const std::string& path, std::span<const std::string> arguments,
                          std::string_view version) {
  std::string folder = base_name(path);
  if (folder.ends_with(".tar"))
    folder.resize(folder.size() - 4);
  if (folder.empty() || folder == "-")
    folder = "reproduce";
  Packer packer(std::move(folder));
  for (const ReplayWord& word : replay_words(arguments))
    TRY(packer.add(word));
  const std::vector<uint8_t> bytes = TRY(packer.finish(version));
  return write_file_atomically(path, bytes);
}

} // namespace bpfaot::aotc
