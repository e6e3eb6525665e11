// SPDX-License-Identifier: MIT
//
// Reads like a table of contents: read the object, ask for a verdict on each program, make an image
// for each machine, write it.
#include "aotc/driver.h"

#include "aotc/analysis.h"
#include "aotc/image.h"
#include "aotc/listing.h"
#include "aotc/machine.h"
#include "linker/linker.h"
#include "support/files.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace bpfaot::aotc {
namespace {

class Driver {
public:
  Driver(const CompileOptions& options, DiagSink& sink) : options_(options), sink_(sink) {}

  Outcome run() {
    initialise_llvm();
    if (const Status status = act(); !status) {
      sink_.add(status.error());
      outcome_.failed = true;
    }
    return std::move(outcome_);
  }

private:
  Status act() {
    object_ = std::make_shared<const bpf::Object>(TRY(bpf::read_object_file(options_.input)));
    if (!options_.btf.empty())
      types_ = TRY(bpf::CoreTypes::read_file(options_.btf));
    finished("read");
    switch (options_.action) {
    case Action::list:
      outcome_.report = options_.json ? list_as_json(*object_) : list_as_text(*object_);
      return {};
    case Action::verify: return report_verdicts();
    case Action::compile: break;
    default: return fail(Code::kInternal, "this action has no input");
    }
    const std::vector<verifier::VerifiedProgram> programs = TRY(accepted_programs());
    for (const targets::Target* target : options_.targets)
      TRY(compile_for(*target, programs));
    return {};
  }

  // What is wrong with the file as a whole, whichever program is looked at.
  void report_map_faults() {
    for (const auto& [map, fault] : object_->map_faults) {
      sink_.add(fault);
      outcome_.failed = true;
    }
  }

  Status report_verdicts() {
    const std::vector<ProgramVerdict> verdicts = analyse(object_, options_, types_);
    finished("verify");
    for (const ProgramVerdict& verdict : verdicts) {
      outcome_.failed |= !verdict.verified;
      if (verdict.fault && !options_.json)
        sink_.add(*verdict.fault);
    }
    if (!options_.json)
      report_map_faults();
    else
      outcome_.failed |= !object_->map_faults.empty();
    outcome_.report = options_.json ? verdicts_as_json(verdicts) : verdicts_as_text(verdicts);
    return {};
  }

  // Programs of kinds that cannot run in a process are left out by name; any other that is not
  // accepted fails the file.
  Result<std::vector<verifier::VerifiedProgram>> accepted_programs() {
    report_map_faults();
    std::vector<verifier::VerifiedProgram> programs;
    for (ProgramVerdict& verdict : analyse(object_, options_, types_)) {
      if (verdict.verified) {
        programs.push_back(std::move(*verdict.verified));
        continue;
      }
      // A packet program that is right but reads what is not supported must not take the probes
      // beside it along; one that is wrong does.
      const bool leave_out =
          verdict.is_buffer_kind
              ? code_verdict(verdict.fault->code) == Verdict::unsupported
              : !verdict.is_supported_kind && verdict.fault->code == Code::kProgramKind;
      if (leave_out) {
        verdict.fault->level = Level::warning;
        verdict.fault->message += ": left out";
        outcome_.failed |= options_.warnings_are_errors;
      } else {
        outcome_.failed = true;
      }
      sink_.add(std::move(*verdict.fault));
    }
    finished("verify");
    if (programs.empty() && !outcome_.failed)
      return Failure(make_error(Code::kNoProgram, "no program of this object can run in a process")
                         .about(options_.input));
    return outcome_.failed ? std::vector<verifier::VerifiedProgram>{} : std::move(programs);
  }

  Status compile_for(const targets::Target& target,
                     const std::vector<verifier::VerifiedProgram>& programs) {
    if (outcome_.failed)
      return {};
    const std::string output = TRY(output_for(options_, target));
    const ImageRequest request{.options = options_,
                               .target = target,
                               .object = *object_,
                               .programs = programs,
                               .finished = [this](std::string_view stage) { finished(stage); }};
    if (options_.print_link) {
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
    TRY(write_file_atomically(output, bytes, options_.emit == Emit::shared_object ? 0755 : 0644));
    if (options_.verbose)
      outcome_.progress += std::string(target.name) + ": " + std::to_string(programs.size()) +
                           " programs, " + std::to_string(bytes.size()) + " bytes, " + output +
                           "\n";
    return {};
  }

  void finished(std::string_view stage) {
    const auto now = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    if (options_.time_report) {
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
  std::shared_ptr<const bpf::CoreTypes> types_; // --btf
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::clock_t last_cpu_ = std::clock();
};

} // namespace

Outcome run_compiler(const CompileOptions& options, DiagSink& sink) {
  return Driver(options, sink).run();
}

} // namespace bpfaot::aotc
