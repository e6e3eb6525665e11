// SPDX-License-Identifier: MIT
//
// bpf-aot list: the live sessions of this user.
#include "loader/registry.h"
#include "loader/verb.h"
#include "support/json.h"

namespace bpfaot::loader {
namespace {

std::string row_json(const SessionRecord& record) {
  JsonWriter out;
  out.begin_object();
  out.key("id").value(record.id);
  out.key("pid").value(record.target.pid);
  out.key("loader_pid").value(record.loader.pid);
  out.key("loader_alive").value(is_alive(record.loader));
  out.key("guards_only").value(record.holds_guards_only());
  out.key("probe").value(record.image);
  out.key("patches").value(static_cast<uint64_t>(record.patches.size()));
  out.key("map_bytes").value(record.data_size);
  out.end_object();
  return out.take() + "\n";
}

} // namespace

Result<int> run_list(const ParsedArguments& arguments, const Console& console) {
  if (!arguments.positional.empty())
    return fail(Code::kUsage, "list takes no argument, '" + arguments.positional[0] + "' is given");
  Registry registry = TRY(Registry::open());
  const std::vector<SessionRecord> records = registry.list();
  if (!arguments.has(kJsonOption) && !records.empty())
    console.print("ID      PID      LOADER   SITES  PROBE\n");
  for (const SessionRecord& record : records) {
    if (arguments.has(kJsonOption)) {
      console.print(row_json(record));
      continue;
    }
    char head[80];
    std::snprintf(head, sizeof head, "%-7u %-8d %-8s %-6zu ", record.id, record.target.pid,
                  record.holds_guards_only()  ? "guards"
                  : is_alive(record.loader) ? std::to_string(record.loader.pid).c_str()
                                            : "gone",
                  record.patches.size());
    console.print(head + record.image + "\n");
  }
  return 0;
}

} // namespace bpfaot::loader
