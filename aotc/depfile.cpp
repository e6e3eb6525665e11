// SPDX-License-Identifier: MIT
#include "aotc/depfile.h"

namespace bpfaot::aotc {
namespace {

// What GNU make and Ninja both read back as the name.
std::string escape(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '#')
      out += '\\';
    else if (c == '$')
      out += '$';
    out += c;
  }
  return out;
}

} // namespace

std::string depfile_text(std::span<const std::string> targets, std::span<const std::string> files) {
  std::string text;
  for (const std::string& target : targets)
    text += (text.empty() ? "" : " ") + escape(target);
  text += ":";
  for (const std::string& file : files)
    text += " \\\n  " + escape(file);
  text += "\n";
  for (size_t i = 1; i < files.size(); ++i)
    text += "\n" + escape(files[i]) + ":\n";
  return text;
}

} // namespace bpfaot::aotc
