// SPDX-License-Identifier: MIT
//
// Diagnostics as people and machines read them. The only place that knows colours and carets.
#pragma once

#include "support/diagnostic.h"

#include <string>

namespace bpfaot {

enum class Colour : uint8_t { never, always };

// file:line:column: error: message [code], source line, caret, instruction, found/needed, notes.
std::string render_human(const Diagnostic& diagnostic, Colour colour);
// One JSON object, no newline: level, code, verdict, message, subject, file, line, column, insn, …
std::string render_json(const Diagnostic& diagnostic);

} // namespace bpfaot
