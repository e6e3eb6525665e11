// SPDX-License-Identifier: MIT
//
// Reads like a table of contents: read the object, ask for a verdict on each program, make an image
// for each machine, write it.
#include "aotc/driver.h"

#include "aotc/analysis.h"
#include "aotc/depfile.h"
#include "aotc/image.h"
#include "aotc/listing.h"
#include "aotc/machine.h"
#include "aotc/report.h"
#include "aotc/runtime.h"
#include "aotc/settings.h"
#include "bpf/link_objects.h"
#include "linker/linker.h"
#include "support/files.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <set>
#include <unistd.h>

namespace bpfaot::aotc {
namespace {

class Driver {
public:
  Driver(const CompileOptions& options, DiagSink& sink) : options_(options), sink_(sink) {}

  Outcome run() {
    initialise_llvm();
    if (const Status status = act(); !status)
      report(status.error());
    return std::move(outcome_);
  }

private:
  // The one way to tell the user: what -W and -Werror make of warnings is decided here.
  void report(Diagnostic diagnostic) {
    if (diagnostic.level == Level::warning)
      switch (options_.warnings.action(diagnostic.code)) {
      case WarningPolicy::Action::drop: return;
      case WarningPolicy::Action::print: break;
      case WarningPolicy::Action::raise: diagnostic.level = Level::error; break;
      }
    outcome_.failed |= diagnostic.level >= Level::error;
    sink_.add(std::move(diagnostic));
  }

  Status act() {
    TRY(apply_llvm_arguments(options_.llvm_arguments));
    bpf::Object object = TRY(read_input());
    TRY(apply_settings(object, options_.settings));
    TRY(apply_configuration(object, options_.configuration));
    object_ = std::make_shared<const bpf::Object>(std::move(object));
    world_.process = TRY(bpf::CoreTypes::of_a_process());
    if (!options_.btf.empty())
      world_.given = TRY(bpf::CoreTypes::read_file(options_.btf));
    finished("read");
    TRY(check_selection(*object_, options_));
    switch (options_.action) {
    case Action::list:
      outcome_.report = options_.json ? list_as_json(*object_) : list_as_text(*object_);
      return {};
    case Action::verify: return report_verdicts();
    case Action::compile: break;
    default: return fail(Code::kInternal, "this action has no input");
    }
    const std::vector<verifier::VerifiedProgram> programs = TRY(accepted_programs());
    if (outcome_.failed)
      return {};
    for (const targets::Target* target : options_.targets)
      TRY(compile_for(*target, programs));
    return write_outputs();
  }

  Result<bpf::Object> read_input() const {
    if (options_.inputs.size() <= 1)
      return bpf::read_object_file(options_.input);
    return bpf::read_object(TRY(bpf::link_objects(options_.inputs)), options_.input);
  }

  // What is wrong with the file as a whole, whichever program is looked at.
  void report_map_faults() {
    for (const auto& [map, fault] : object_->map_faults)
      report(fault);
  }

  void warn(const std::vector<Diagnostic>& warnings) {
    for (const Diagnostic& warning : warnings) {
      std::string what = warning.message;
      if (warning.code == Code::kSyscallNumber && warning.location) // each line has to be looked at
        what += warning.location->file + ":" + std::to_string(warning.location->line);
      if (warned_.insert(what).second)
        report(warning);
    }
  }

  Status report_verdicts() {
    const std::vector<ProgramVerdict> verdicts = analyse(object_, options_, world_);
    finished("verify");
    for (const ProgramVerdict& verdict : verdicts) {
      warn(verdict.warnings);
      outcome_.failed |= !verdict.verified;
      if (verdict.fault && !options_.json)
        report(*verdict.fault);
    }
    if (!options_.json)
      report_map_faults();
    else
      outcome_.failed |= !object_->map_faults.empty();
    outcome_.report =
        options_.json ? verdicts_as_json(verdicts, options_.stats) : verdicts_as_text(verdicts);
    if (options_.stats && !options_.json)
      outcome_.report += stats_as_text(verdicts);
    return {};
  }

  // Programs of kinds that cannot run in a process are left out by name; any other that is not
  // accepted fails the file.
  Result<std::vector<verifier::VerifiedProgram>> accepted_programs() {
    report_map_faults();
    std::vector<verifier::VerifiedProgram> programs;
    verdicts_ = analyse(object_, options_, world_);
    for (const ProgramVerdict& verdict : verdicts_) {
      warn(verdict.warnings);
      if (verdict.verified) {
        programs.push_back(*verdict.verified);
        continue;
      }
      // A packet program that is right but reads what is not supported must not take the probes
      // beside it along; one that is wrong does.
      const bool leave_out =
          verdict.is_buffer_kind
              ? code_verdict(verdict.fault->code) == Verdict::unsupported
              : !verdict.is_supported_kind && verdict.fault->code == Code::kProgramKind;
      Diagnostic fault = *verdict.fault;
      if (leave_out) {
        fault.level = Level::warning;
        fault.message += ": left out";
      }
      report(std::move(fault));
    }
    finished("verify");
    if (options_.stats && !options_.json)
      outcome_.progress += stats_as_text(verdicts_);
    if (programs.empty() && !outcome_.failed)
      return Failure(make_error(Code::kNoProgram, "no program of this object can run in a process")
                         .about(options_.input));
    return outcome_.failed ? std::vector<verifier::VerifiedProgram>{} : std::move(programs);
  }

  Status compile_for(const targets::Target& target,
                     const std::vector<verifier::VerifiedProgram>& programs) {
    const std::string output = TRY(output_for(options_, target));
    const ImageRequest request{.options = options_,
                               .target = target,
                               .object = *object_,
                               .programs = programs,
                               .finished = [this](std::string_view stage) { finished(stage); }};
    if (options_.print_link || options_.verbosity > 1) {
      for (const std::string& word : link_command(request, output))
        outcome_.progress += word + " ";
      outcome_.progress.back() = '\n';
    }
    std::vector<uint8_t> bytes;
    if (options_.emit <= Emit::facts) {
      const std::string text = print_stage(options_.emit, programs);
      bytes.assign(text.begin(), text.end());
    } else {
      bytes = TRY(make_image(request));
    }
    if (options_.verbosity > 0)
      outcome_.progress += std::string(target.name) + ": " + std::to_string(programs.size()) +
                           " programs, " + std::to_string(bytes.size()) + " bytes, " + output +
                           "\n";
    const bool same_everywhere = options_.emit <= Emit::facts;
    outputs_.push_back({same_everywhere ? "" : std::string(target.name), output,
                        stage_name(options_.emit), std::move(bytes)});
    return {};
  }

  // Nothing is written before everything is made, and nothing stays when a file cannot be written.
  Status write_outputs() {
    const int mode = options_.emit == Emit::shared_object ? 0755 : 0644;
    std::vector<std::string> written;
    Status status;
    for (size_t i = 0; i < outputs_.size() && status; ++i) {
      status = write_file_atomically(outputs_[i].path, outputs_[i].bytes, mode);
      if (status)
        written.push_back(outputs_[i].path);
    }
    if (status && options_.depfile)
      status = write_depfile();
    if (!status) {
      for (const std::string& path : written)
        if (path != "-")
          unlink(path.c_str());
      return status;
    }
    if (options_.json)
      outcome_.report = compilation_as_json(verdicts_, outputs_, options_.stats);
    return {};
  }

  Status write_depfile() {
    std::vector<std::string> targets = options_.depfile_targets;
    if (targets.empty())
      for (const Output& output : outputs_)
        targets.push_back(output.path);
    std::vector<std::string> files = options_.inputs;
    if (files.empty())
      files.push_back(options_.input);
    if (!options_.btf.empty())
      files.push_back(options_.btf);
    const std::string resources =
        options_.resource_dir.empty() ? Runtime::default_directory() : options_.resource_dir;
    if (options_.emit > Emit::facts)
      for (const targets::Target* target : options_.targets)
        for (std::string& file : Runtime::files(resources, *target))
          files.push_back(std::move(file));
    std::string path = options_.depfile_path;
    if (path.empty()) {
      path = outputs_[0].path;
      const size_t dot = path.rfind('.');
      if (dot != std::string::npos && path.find('/', dot) == std::string::npos && dot != 0)
        path.resize(dot);
      path += ".d";
    }
    const std::string text = depfile_text(targets, files);
    return write_file_atomically(
        path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  }

  void finished(std::string_view stage) {
    const auto now = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    if (options_.time_report || options_.verbosity > 1) {
      // On a busy machine only the processor's time says what a stage costs.
      const double used = static_cast<double>(cpu - last_cpu_) * 1e3 / CLOCKS_PER_SEC;
      char line[64];
      std::snprintf(line, sizeof(line), "%-10.*s %8.2f ms %8.2f ms cpu\n",
                    static_cast<int>(stage.size()), stage.data(),
                    std::chrono::duration<double, std::milli>(now - last_).count(), used);
      outcome_.progress += line;
    }
    last_ = now;
    last_cpu_ = cpu;
  }

  const CompileOptions& options_;
  DiagSink& sink_;
  Outcome outcome_;
  std::shared_ptr<const bpf::Object> object_;
  CoreWorld world_;
  std::vector<ProgramVerdict> verdicts_;
  std::vector<Output> outputs_;
  std::set<std::string> warned_; // each thing once, however many programs do it
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::clock_t last_cpu_ = std::clock();
};

} // namespace

Outcome run_compiler(const CompileOptions& options, DiagSink& sink) {
  return Driver(options, sink).run();
}

} // namespace bpfaot::aotc
