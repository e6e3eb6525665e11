// SPDX-License-Identifier: MIT
//
// The command-line parser. A word is, in this order: a positional ("-" and everything without a
// dash), the separator "--", a long option ("--name", or "-name" when the whole word is a name, as
// compilers spell -MF), or short options run together ("-vv", "-O2", "-tARCH").
#include "support/options.h"

#include <algorithm>
#include <numeric>

namespace bpfaot {
namespace {

constexpr size_t kHelpColumn = 30;
constexpr size_t kHelpWidth = 80;

Failure usage(std::string message) { return fail(Code::kUsage, std::move(message)); }

class Parser {
public:
  Parser(std::span<const OptionRow> table, std::span<const std::string> words)
      : table_(table), words_(words) {}

  Result<ParsedArguments> run() {
    while (next_ < words_.size()) {
      const std::string_view word = words_[next_++];
      if (word == "--") {
        parsed_.has_separator = true;
        parsed_.rest.assign(words_.begin() + static_cast<ptrdiff_t>(next_), words_.end());
        break;
      }
      if (word.size() < 2 || word[0] != '-')
        parsed_.positional.emplace_back(word);
      else if (word.starts_with("--"))
        TRY(long_option(word, word.substr(2)));
      else if (find_long(name_part(word.substr(1))) != nullptr)
        TRY(long_option(word, word.substr(1)));
      else
        TRY(short_options(word));
    }
    return std::move(parsed_);
  }

private:
  static std::string_view name_part(std::string_view text) { return text.substr(0, text.find('=')); }

  const OptionRow* find_long(std::string_view name) const {
    for (const OptionRow& row : table_)
      if (!row.long_name.empty() && row.long_name == name)
        return &row;
    return nullptr;
  }

  const OptionRow* find_short(char name) const {
    for (const OptionRow& row : table_)
      if (row.short_name != 0 && row.short_name == name)
        return &row;
    return nullptr;
  }

  Failure unknown(std::string_view word, std::string_view name) const {
    std::vector<std::string_view> names;
    for (const OptionRow& row : table_)
      if (!row.long_name.empty() && !row.group.empty())
        names.push_back(row.long_name);
    Diagnostic error = make_error(Code::kUsage, "unknown option '" + std::string(word) + "'");
    if (const std::string near = nearest(name, names); !near.empty())
      error.hints.push_back("did you mean '--" + near + "'?");
    return Failure(std::move(error));
  }

  Result<std::string> next_word(std::string_view word, const OptionRow& row) {
    // "--" ends the options of the tool, so it is never the value of one.
    if (next_ == words_.size() || words_[next_] == "--")
      return usage("option '" + std::string(word) + "' needs a value: " + std::string(row.arg_name));
    return words_[next_++];
  }

  Status long_option(std::string_view word, std::string_view text) {
    const std::string_view name = name_part(text);
    const OptionRow* row = find_long(name);
    if (row == nullptr)
      return unknown(word.substr(0, word.find('=')), name);
    if (name.size() < text.size()) {
      if (row->arg == OptionArg::none)
        return usage("option '--" + std::string(name) + "' takes no value");
      parsed_.options.push_back({row->id, std::string(text.substr(name.size() + 1))});
    } else if (row->arg == OptionArg::required) {
      parsed_.options.push_back({row->id, TRY(next_word(word, *row))});
    } else {
      parsed_.options.push_back({row->id, {}});
    }
    return {};
  }

  Status short_options(std::string_view word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const OptionRow* row = find_short(word[i]);
      if (row == nullptr)
        return unknown(i == 1 ? word : "-" + std::string(1, word[i]), name_part(word.substr(1)));
      if (row->arg == OptionArg::none) {
        parsed_.options.push_back({row->id, {}});
        continue;
      }
      std::string value(word.substr(i + 1));
      if (value.empty() && row->arg == OptionArg::required)
        value = TRY(next_word(word, *row));
      parsed_.options.push_back({row->id, std::move(value)});
      break;
    }
    return {};
  }

  std::span<const OptionRow> table_;
  std::span<const std::string> words_;
  size_t next_ = 0;
  ParsedArguments parsed_;
};

// "-o, --output=FILE". Names that start with a capital or a sign are spelled with one dash, as -MF is.
std::string spelling(const OptionRow& row) {
  std::string text = row.short_name != 0 ? "  -" + std::string(1, row.short_name) : "    ";
  if (row.long_name.empty()) {
    if (row.arg == OptionArg::required)
      text += std::string(row.arg_name);
    else if (row.arg == OptionArg::optional)
      text += "[" + std::string(row.arg_name) + "]";
    return text;
  }
  const bool one_dash = row.long_name[0] < 'a' || row.long_name[0] > 'z';
  text += row.short_name != 0 ? ", " : "  ";
  text += (one_dash ? "-" : "--") + std::string(row.long_name);
  if (row.arg == OptionArg::required)
    text += (one_dash ? " " : "=") + std::string(row.arg_name);
  else if (row.arg == OptionArg::optional)
    text += "[=" + std::string(row.arg_name) + "]";
  return text;
}

void append_wrapped(std::string& out, size_t column, std::string_view text) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column + 1 + word.size() > kHelpWidth && column > kHelpColumn) {
      out += "\n" + std::string(kHelpColumn, ' ');
      column = kHelpColumn;
    }
    if (column > kHelpColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

void append_row(std::string& out, const OptionRow& row) {
  const std::string left = spelling(row);
  out += left;
  if (left.size() + 2 > kHelpColumn)
    out += "\n" + std::string(kHelpColumn, ' ');
  else
    out += std::string(kHelpColumn - left.size(), ' ');
  append_wrapped(out, kHelpColumn, row.help);
}

// Letters inserted, removed, replaced, or swapped with their neighbour, the most frequent slip of all.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j - 1] + (a[i - 1] != b[j - 1]), last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

} // namespace

bool ParsedArguments::has(int id) const {
  return std::any_of(options.begin(), options.end(), [&](const auto& o) { return o.id == id; });
}

std::string_view ParsedArguments::value(int id, std::string_view fallback) const {
  for (auto option = options.rbegin(); option != options.rend(); ++option)
    if (option->id == id)
      return option->value;
  return fallback;
}

Result<ParsedArguments> parse_arguments(std::span<const OptionRow> table,
                                        std::span<const std::string> arguments) {
  return Parser(table, arguments).run();
}

std::string format_options(std::span<const OptionRow> table) {
  std::vector<std::string_view> groups;
  for (const OptionRow& row : table)
    if (!row.group.empty() && std::find(groups.begin(), groups.end(), row.group) == groups.end())
      groups.push_back(row.group);
  std::string out;
  for (const std::string_view group : groups) {
    if (!out.empty())
      out += '\n';
    out += std::string(group) + ":\n";
    for (const OptionRow& row : table)
      if (row.group == group)
        append_row(out, row);
  }
  return out;
}

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  // A third of the word may differ; more than that is another word.
  size_t best = std::max<size_t>(word.size() / 3, 1) + 1;
  std::string_view result;
  for (const std::string_view candidate : candidates) {
    const size_t longer = std::max(candidate.size(), word.size());
    const size_t shorter = std::min(candidate.size(), word.size());
    if (longer - shorter >= best)
      continue;
    if (const size_t distance = edit_distance(word, candidate); distance < best) {
      best = distance;
      result = candidate;
    }
  }
  return std::string(result);
}

} // namespace bpfaot
