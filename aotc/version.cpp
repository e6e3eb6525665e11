// SPDX-License-Identifier: MIT
#include "aotc/version.h"

#include "aotc/machine.h"
#include "aotc/report.h"
#include "linker/linker.h"
#include "support/json.h"
#include "targets/target.h"
#include "verifier/verifier.h"

#include <bpf/libbpf_version.h>
#include <bpfaot/abi.h>

#include <bpfaot_commit.h> // made by cmake/commit.cmake

namespace bpfaot::aotc {
namespace {

// The headers that programs are written with and whose rules the object reader follows.
const std::string kLibbpf =
    std::to_string(LIBBPF_MAJOR_VERSION) + "." + std::to_string(LIBBPF_MINOR_VERSION);

} // namespace

std::string version_text() {
  std::string targets;
  for (const targets::Target* target : targets::all())
    targets += " " + std::string(target->name);
  return "bpf-aotc " BPFAOT_VERSION " (" BPFAOT_COMMIT ")\nLLVM " + llvm_version() + ", lld " +
         linker::lld_version() + ", libbpf " + kLibbpf + "\nimage ABI " +
         std::to_string(BPFAOT_ABI_VERSION) + ", verifier " +
         std::to_string(verifier::kVerifierVersion) + "\ntargets:" + targets + "\n";
}

std::string version_json() {
  JsonWriter json;
  json.begin_object().key("tool").value("bpf-aotc").key("version").value(BPFAOT_VERSION);
  json.key("commit").value(BPFAOT_COMMIT).key("llvm").value(llvm_version());
  json.key("lld").value(linker::lld_version()).key("libbpf").value(kLibbpf);
  json.key("abi").value(uint32_t{BPFAOT_ABI_VERSION});
  json.key("verifier").value(verifier::kVerifierVersion);
  json.key("formats").begin_object();
  json.key("report").value(kReportFormat).key("diagnostic").value(kDiagnosticFormat).end_object();
  json.key("targets").begin_array();
  for (const targets::Target* target : targets::all())
    json.value(target->name);
  json.end_array().end_object();
  return json.take() + "\n";
}

} // namespace bpfaot::aotc
