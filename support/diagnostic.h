// SPDX-License-Identifier: MIT
//
// What the tools tell people: a level, a stable code, a sentence, and where. Codes come from
// diagnostics.def; tests match code and location, never prose. Printing lives in render.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bpfaot {

// What a code says about the input it was raised for.
//   reject       a rule is broken: the input is wrong
//   unsupported  the input may be right, this tool does not handle it
//   refuse       the target process or machine does not allow the operation, or it would be unsafe
//   usage        the command line is wrong (exit 2)
//   warn         never an error by itself
//   internal     an invariant of ours is broken (exit 70)
enum class Verdict : uint8_t { reject, unsupported, refuse, usage, warn, internal };

enum class Code : uint16_t {
#define BPFAOT_CODE(name, text, verdict, summary) name,
#include "support/diagnostics.def"
#undef BPFAOT_CODE
};

std::string_view code_text(Code code);      // "stack-oob"
std::string_view code_summary(Code code);   // one line, from the table
Verdict code_verdict(Code code);
std::optional<Code> parse_code(std::string_view text);
std::string_view verdict_text(Verdict verdict); // "reject", "unsupported", …

enum class Level : uint8_t { note, warning, error, internal };

// A place in the user's source, as BTF line information gives it. `text` is the source line itself.
struct SourceLocation {
  std::string file;
  uint32_t line = 0;   // 1-based, 0 = unknown
  uint32_t column = 0; // 1-based, 0 = unknown
  std::string text;
  bool operator==(const SourceLocation&) const = default;
};

struct Diagnostic {
  Level level = Level::error;
  Code code{};
  std::string message;                    // lower case, no full stop
  std::string subject;                    // the file, program or process it is about
  std::optional<SourceLocation> location; // source of the program, when known
  std::optional<uint32_t> slot;           // instruction slot within the program
  std::string insn;                       // that instruction in the kernel's text form
  std::string found;                      // the value found
  std::string needed;                     // the value needed
  std::vector<std::string> notes;
  std::vector<std::string> hints;

  Diagnostic&& about(std::string what) && { subject = std::move(what); return std::move(*this); }
  Diagnostic&& note(std::string text) && { notes.push_back(std::move(text)); return std::move(*this); }
  Diagnostic&& hint(std::string text) && { hints.push_back(std::move(text)); return std::move(*this); }
  Diagnostic&& values(std::string has, std::string wants) && {
    found = std::move(has);
    needed = std::move(wants);
    return std::move(*this);
  }
};

Diagnostic make_error(Code code, std::string message);
Diagnostic make_warning(Code code, std::string message);

// Collects the diagnostics of a stage that can find many; errors beyond `limit` are counted only.
class DiagSink {
public:
  explicit DiagSink(size_t error_limit = 20) : limit_(error_limit) {}
  void add(Diagnostic diagnostic);
  const std::vector<Diagnostic>& all() const { return all_; }
  std::vector<Diagnostic> take() { return std::exchange(all_, {}); }
  size_t errors() const { return errors_; }
  size_t suppressed() const { return suppressed_; }

private:
  std::vector<Diagnostic> all_;
  size_t limit_; // 0 = no limit
  size_t errors_ = 0;
  size_t suppressed_ = 0;
};

} // namespace bpfaot
