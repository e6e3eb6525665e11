// SPDX-License-Identifier: MIT
//
// bpf-aot doctor: what this machine allows and what follows; docs/doctor.md.
#include "loader/doctor.h"
#include "loader/verb.h"
#include "support/json.h"

#include <algorithm>
#include <charconv>

namespace bpfaot::loader {
namespace {

std::string finding_json(const Finding& finding, bool is_about_process) {
  JsonWriter out;
  out.begin_object();
  out.key("about").value(is_about_process ? "process" : "machine");
  out.key("name").value(finding.name);
  out.key("health").value(health_text(finding.health));
  out.key("needed_by").begin_array();
  if ((finding.needed_by & kNeededByRun) != 0)
    out.value("run");
  if ((finding.needed_by & kNeededByAttach) != 0)
    out.value("attach");
  out.end_array();
  out.key("value").value(finding.value);
  out.key("consequence").value(finding.consequence);
  out.end_object();
  return out.take() + "\n";
}

std::string finding_text(const Finding& finding) {
  std::string line(health_text(finding.health));
  line.resize(9, ' ');
  line += finding.name;
  line.resize(std::max<size_t>(line.size() + 2, 31), ' ');
  line += finding.value + "\n";
  if (!finding.consequence.empty())
    line += std::string(31, ' ') + finding.consequence + "\n";
  return line;
}

bool works(const std::vector<Finding>& findings, NeededBy what) {
  return std::none_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.health == Health::no && (finding.needed_by & what) != 0;
  });
}

} // namespace

Result<int> run_doctor(const ParsedArguments& arguments, const Console& console) {
  if (!arguments.positional.empty())
    return fail(Code::kUsage, "doctor takes no argument, '" + arguments.positional[0] + "' is given");
  const bool json = arguments.has(kJsonOption);
  std::vector<Finding> machine = examine_machine(), process;
  const std::string_view text = arguments.value(kPidOption);
  if (!text.empty()) {
    int pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || end != text.data() + text.size() || pid <= 0)
      return fail(Code::kUsage, "'" + std::string(text) + "' is no process id");
    process = examine_process(pid);
  }
  const bool run = works(machine, kNeededByRun);
  const bool attach = works(machine, kNeededByAttach) && works(process, kNeededByAttach);
  std::string out;
  for (const Finding& finding : machine)
    out += json ? finding_json(finding, false) : finding_text(finding);
  if (!process.empty() && !json)
    out += "\nprocess " + std::string(text) + "\n";
  for (const Finding& finding : process)
    out += json ? finding_json(finding, true) : finding_text(finding);
  if (json) {
    JsonWriter summary;
    summary.begin_object();
    summary.key("about").value("summary").key("run").value(run).key("attach").value(attach).end_object();
    out += summary.take() + "\n";
  } else {
    out += std::string("\nrun ") + (run ? "works" : "does not work") + (process.empty() ? ", attach " : ", attach to this process ") +
           (attach ? "works" : "does not work") + "\n";
  }
  console.print(out);
  return run && attach ? 0 : 1;
}

} // namespace bpfaot::loader
