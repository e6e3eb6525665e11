// SPDX-License-Identifier: MIT
//
// Diagnostics as text and as JSON. Names and source lines come from files that may be hostile, so
// nothing reaches the terminal that could be an escape sequence.
#include "support/render.h"

#include "support/json.h"

#include <algorithm>

namespace bpfaot {
namespace {

// Control characters (C0, DEL and, in their UTF-8 form, C1) become \xNN; tabs stay.
std::string printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  const auto escape = [&](uint8_t byte) {
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
      escape(byte);
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      escape(byte);
      escape(next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

class Painter {
public:
  explicit Painter(Colour colour) : on_(colour == Colour::always) {}
  std::string operator()(const char* sgr, std::string_view text) const {
    return on_ ? "\x1b[" + std::string(sgr) + "m" + std::string(text) + "\x1b[0m" : std::string(text);
  }

private:
  bool on_;
};

constexpr char kBold[] = "1";
constexpr char kGreen[] = "1;32";

struct LevelStyle {
  std::string_view word;
  const char* sgr;
};

LevelStyle style_of(Level level) {
  switch (level) {
  case Level::note: return {"note", "1;36"};
  case Level::warning: return {"warning", "1;35"};
  case Level::error: return {"error", "1;31"};
  case Level::internal: return {"internal error", "1;31"};
  }
  return {"internal error", "1;31"};
}

// Where it happened: the source place when known, else the file, program or process.
std::string place_of(const Diagnostic& diagnostic) {
  if (!diagnostic.location || diagnostic.location->file.empty())
    return printable(diagnostic.subject);
  std::string place = printable(diagnostic.location->file);
  if (diagnostic.location->line != 0) {
    place += ":" + std::to_string(diagnostic.location->line);
    if (diagnostic.location->column != 0)
      place += ":" + std::to_string(diagnostic.location->column);
  }
  return place;
}

void append_source(std::string& out, const SourceLocation& location, const Painter& paint) {
  if (location.text.empty())
    return;
  const std::string number = location.line != 0 ? std::to_string(location.line) : "";
  const size_t width = std::max<size_t>(number.size() + 1, 5);
  out += std::string(width - number.size(), ' ') + number + " | " + printable(location.text) + "\n";
  if (location.column == 0 || location.column > location.text.size() + 1)
    return;
  // The caret is aligned by copying tabs: they are as wide below the line as in it.
  const std::string before =
      printable(std::string_view(location.text).substr(0, location.column - 1));
  std::string indent;
  for (const char c : before)
    if ((static_cast<uint8_t>(c) & 0xc0) != 0x80)
      indent += c == '\t' ? '\t' : ' ';
  out += std::string(width, ' ') + " | " + indent + paint(kGreen, "^") + "\n";
}

void append_line(std::string& out, std::string_view label, std::string_view text) {
  if (!text.empty())
    out += "  " + std::string(label) + ": " + printable(text) + "\n";
}

void optional_field(JsonWriter& json, std::string_view key, std::string_view text) {
  if (!text.empty())
    json.key(key).value(text);
}

void string_list(JsonWriter& json, std::string_view key, const std::vector<std::string>& items) {
  if (items.empty())
    return;
  json.key(key).begin_array();
  for (const std::string& item : items)
    json.value(item);
  json.end_array();
}

} // namespace

std::string render_human(const Diagnostic& diagnostic, Colour colour) {
  const Painter paint(colour);
  const LevelStyle style = style_of(diagnostic.level);
  const std::string place = place_of(diagnostic);
  std::string out;
  if (!place.empty())
    out += paint(kBold, place + ":") + " ";
  out += paint(style.sgr, std::string(style.word) + ":") + " ";
  out += paint(kBold, printable(diagnostic.message));
  out += " [" + std::string(code_text(diagnostic.code)) + "]\n";
  if (diagnostic.location)
    append_source(out, *diagnostic.location, paint);
  if (place != printable(diagnostic.subject))
    append_line(out, "in", diagnostic.subject);
  if (diagnostic.slot) {
    const std::string insn = diagnostic.insn.empty() ? "(no text)" : diagnostic.insn;
    append_line(out, "insn " + std::to_string(*diagnostic.slot), insn);
  } else {
    append_line(out, "insn", diagnostic.insn);
  }
  append_line(out, "found", diagnostic.found);
  append_line(out, "needed", diagnostic.needed);
  for (const std::string& note : diagnostic.notes)
    append_line(out, "note", note);
  for (const std::string& hint : diagnostic.hints)
    append_line(out, "hint", hint);
  return out;
}

std::string render_json(const Diagnostic& diagnostic) {
  JsonWriter json;
  json.begin_object();
  json.key("level").value(diagnostic.level == Level::internal ? "internal"
                                                              : style_of(diagnostic.level).word);
  json.key("code").value(code_text(diagnostic.code));
  json.key("verdict").value(verdict_text(code_verdict(diagnostic.code)));
  json.key("message").value(diagnostic.message);
  optional_field(json, "subject", diagnostic.subject);
  if (diagnostic.location) {
    optional_field(json, "file", diagnostic.location->file);
    if (diagnostic.location->line != 0)
      json.key("line").value(diagnostic.location->line);
    if (diagnostic.location->column != 0)
      json.key("column").value(diagnostic.location->column);
    optional_field(json, "source", diagnostic.location->text);
  }
  if (diagnostic.slot)
    json.key("slot").value(*diagnostic.slot);
  optional_field(json, "insn", diagnostic.insn);
  optional_field(json, "found", diagnostic.found);
  optional_field(json, "needed", diagnostic.needed);
  string_list(json, "notes", diagnostic.notes);
  string_list(json, "hints", diagnostic.hints);
  json.end_object();
  return json.take();
}

} // namespace bpfaot
