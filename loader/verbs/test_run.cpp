// SPDX-License-Identifier: MIT
//
// bpf-aot test-run: one program on the data of a file.
#include "loader/foreign.h"
#include "loader/image.h"
#include "loader/session.h"
#include "loader/test_run.h"
#include "loader/verb.h"
#include "support/files.h"
#include "support/json.h"

#include <cerrno>

namespace bpfaot::loader {
namespace {

// The same command line for another machine's bpf-aot.
std::vector<std::string> command_line(const ParsedArguments& arguments) {
  std::vector<std::string> words = {"test-run"};
  for (const ParsedOption& option : arguments.options)
    switch (option.id) {
    case kJsonOption: words.push_back("--json"); break;
    case kSetOption: words.push_back("--set=" + option.value); break;
    case kMapSpecOption: words.push_back("--map=" + option.value); break;
    case kProgramOption: words.push_back("--program=" + option.value); break;
    case kPushOption: words.push_back("--push=" + option.value); break;
    case kDataInOption: words.push_back("--data-in=" + option.value); break;
    case kDataOutOption: words.push_back("--data-out=" + option.value); break;
    case kRepeatOption: words.push_back("--repeat=" + option.value); break;
    case kColourOption: words.push_back("--color=" + option.value); break;
    case kErrorFormatOption: words.push_back("--error-format=" + option.value); break;
    default: break;
    }
  words.insert(words.end(), arguments.positional.begin(), arguments.positional.end());
  return words;
}

// --push NAME=FILE: the contents of FILE as one record.
Status push_record(const Image& image, const Session& session, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(Code::kUsage, "--push " + text + ": the form is --push NAME=FILE");
  const std::string name = text.substr(0, equals);
  const bpfaot_map_view view = session.view(TRY(image.find_map(name)));
  const std::vector<uint8_t> record = TRY(read_file(text.substr(equals + 1), kMaxTestData));
  switch (bpfaot_user_ring_push(&view, record.data(), record.size())) {
  case 0: return {};
  case -E2BIG:
  case -ENOSPC:
    return fail(Code::kMapSpec, "map " + name + " has no room for a record of " +
                                    std::to_string(record.size()) + " bytes");
  default: return fail(Code::kMapSpec, "map " + name + " is no user ring buffer");
  }
}

std::string result_text(const TestResult& result, bool as_json) {
  if (as_json) {
    JsonWriter out;
    out.begin_object();
    out.key("retval").value(result.retval);
    out.key("ns_per_run").value(result.ns_per_run);
    out.key("repeat").value(result.repeat);
    out.end_object();
    return out.take() + "\n";
  }
  char text[160];
  std::snprintf(text, sizeof text, "retval %u (%#x), %.1f ns per run, %llu run%s\n", result.retval,
                result.retval, result.ns_per_run, static_cast<unsigned long long>(result.repeat),
                result.repeat == 1 ? "" : "s");
  return text;
}

} // namespace

Result<int> run_test_run(const ParsedArguments& arguments, const Console& console) {
  const std::string path = TRY(only_positional(arguments, "probe"));
  if (!arguments.has(kProgramOption))
    return fail(Code::kUsage, "test-run needs --program NAME");
  const uint64_t repeat = TRY(parse_count_option(arguments, kRepeatOption, "repeat", 1));
  if (repeat == 0)
    return fail(Code::kUsage, "--repeat 0: at least 1");
  Image image = TRY(open_image(path, ImageUse::inspect));
  if (image.is_foreign())
    return exec_foreign(*targets::find_machine(static_cast<uint16_t>(image.desc().machine)),
                        command_line(arguments));
  image = TRY(open_image(path, ImageUse::run));
  const uint32_t program = TRY(image.find_program(arguments.value(kProgramOption)));
  std::vector<uint8_t> data;
  if (arguments.has(kDataInOption))
    data = TRY(read_file(std::string(arguments.value(kDataInOption)), kMaxTestData));
  SessionOptions options;
  for (const std::string& text : option_values(arguments, kMapSpecOption))
    options.maps.push_back(TRY(parse_map_override(text)));
  for (const std::string& text : option_values(arguments, kSetOption))
    options.settings.push_back(TRY(parse_setting(text)));
  const Session session = TRY(Session::create(image, options));
  for (const std::string& text : option_values(arguments, kPushOption))
    TRY(push_record(image, session, text));
  const TestResult result = TRY(run_on_buffer(image, session, program, data, repeat));
  if (arguments.has(kDataOutOption))
    TRY(write_file_atomically(std::string(arguments.value(kDataOutOption)), result.data));
  if (result.missed != 0)
    console.report(make_warning(Code::kTestRun, std::to_string(result.missed) +
                                                    " runs were missed: the program was busy"));
  console.print(result_text(result, arguments.has(kJsonOption)));
  return 0;
}

} // namespace bpfaot::loader
