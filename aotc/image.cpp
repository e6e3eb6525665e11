// SPDX-License-Identifier: MIT
#include "aotc/image.h"

#include "aotc/codegen.h"
#include "aotc/context_layout.h"
#include "aotc/manifest.h"
#include "aotc/optimise.h"
#include "linker/linker.h"

#include <bpfaot/abi.h>

#include <llvm/Target/TargetMachine.h>

#include <algorithm>

namespace bpfaot::aotc {
namespace {

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

// One program that may be attached decides for all: they share minirt's functions.
RegisterUse register_use(std::span<const verifier::VerifiedProgram> programs) {
  const bool attached = std::any_of(programs.begin(), programs.end(), [](const auto& verified) {
    const uint32_t kind = image_kind(verified.program().kind);
    return has_registers(kind) || kind == BPFAOT_KIND_TRACEPOINT;
  });
  return attached ? RegisterUse::general_only : RegisterUse::all;
}

std::string resource_dir(const CompileOptions& options) {
  return options.resource_dir.empty() ? Runtime::default_directory() : options.resource_dir;
}

std::string feature_words(std::span<const targets::FeatureChoice> choices) {
  std::string words;
  for (const targets::FeatureChoice& choice : choices)
    words += (words.empty() ? "" : ",") + std::string(choice.on ? "+" : "-") + choice.name;
  return words;
}

class ImageMaker {
public:
  explicit ImageMaker(const ImageRequest& request)
      : request_(request), options_(request.options), target_(request.target),
        processor_{.cpu = options_.cpu.empty() ? std::string(target_.default_cpu) : options_.cpu,
                   .features = feature_words(options_.features)},
        use_(register_use(request.programs)),
        cpu_features_(targets::required_features(target_, processor_.cpu, options_.features,
                                                 use_ == RegisterUse::all)) {}

  Result<std::vector<uint8_t>> run() {
    context_.setDiscardValueNames(options_.emit > Emit::llvm_ir); // names of values are for readers
    machine_ = TRY(create_machine(target_, processor_, options_.opt_level));
    Runtime runtime = TRY(Runtime::read(resource_dir(options_), target_, context_));
    finished("runtime");
    const std::unique_ptr<llvm::Module> module = TRY(lower(runtime));
    TRY(check_module(*module)); // what we made; minirt was checked when it was built
    native_stacks_ = runtime.native_stacks();
    TRY(std::move(runtime).link_into(*module, target_, processor_, use_));
    finished("lower");
    if (options_.emit == Emit::llvm_ir_unopt)
      return bytes_of(print_module(*module));
    optimise(*module, *machine_, options_.opt_level, options_.optimise_size);
    finished("optimise");
    if (options_.emit == Emit::llvm_ir)
      return bytes_of(print_module(*module));
    if (options_.emit == Emit::assembly)
      return bytes_of(TRY(emit_assembly(*module, *machine_)));
    return link(*module);
  }

private:
  void finished(std::string_view stage) {
    if (request_.finished)
      request_.finished(stage);
  }

  Result<std::unique_ptr<llvm::Module>> lower(const Runtime& runtime) {
    ModuleLowering module(context_, target_, request_.object, runtime,
                          {.processor = processor_, .fetch_fence = fetch_fence(),
                           .fix_maps = options_.fix_maps, .registers = use_,
                           .debug = has_debug_info(options_)},
                          machine_->createDataLayout());
    for (uint32_t i = 0; i < request_.programs.size(); ++i)
      lowered_.push_back(TRY(lower_program(module, request_.programs[i])));
    TRY(finish_programs(module, request_.programs, lowered_));
    module.finish_debug_info();
    module.finish_runtime_block();
    Manifest manifest;
    fill_manifest({.object = request_.object,
                   .programs = request_.programs,
                   .lowered = lowered_,
                   .target = target_,
                   .cpu = processor_.cpu + (processor_.features.empty() ? "" : ",") +
                          processor_.features,
                   .cpu_features = cpu_features_,
                   .fix_maps = options_.fix_maps,
                   .has_printk_map = module.has_printk_map(),
                   .map_count = module.map_count()},
                  manifest);
    if (use_ == RegisterUse::all) {
      manifest.head.capabilities |= BPFAOT_CAP_VECTOR;
      for (bpfaot_program& program : manifest.programs)
        program.capabilities |= BPFAOT_CAP_VECTOR;
    }
    std::vector<llvm::Function*> entries;
    for (const LoweredProgram& program : lowered_) {
      entries.push_back(program.entry);
      entry_names_.push_back(program.entry->getName().str());
    }
    emit_descriptor(module.module(), manifest, entries);
    return module.take();
  }

  Result<std::vector<uint8_t>> link(llvm::Module& module) {
    const CallGraph calls(module, native_stacks_);
    NativeObject object = TRY(emit_object(module, *machine_));
    finished("codegen");
    if (options_.emit == Emit::object)
      return std::move(object.bytes);
    std::vector<uint8_t> image = TRY(linker::link_shared(
        target_, object.bytes, Runtime::native_path(resource_dir(options_), target_, use_),
        {.debug = has_debug_info(options_), .extra = options_.linker_arguments}));
    std::vector<uint32_t> stacks;
    for (const std::string& entry : entry_names_)
      stacks.push_back(calls.worst_stack(entry, object.frames));
    TRY(finish_image(image, stacks));
    finished("link");
    return image;
  }

  targets::FetchFence fetch_fence() const {
    return (cpu_features_ & target_.fenceless_features) != 0 ? targets::FetchFence::none
                                                             : target_.fetch_fence;
  }

  // A broken promise is ours, unless the user had a say in the link.
  Status finish_image(std::vector<uint8_t>& image, const std::vector<uint32_t>& stacks) {
    Status status = linker::finalise(image, stacks);
    if (status)
      status = linker::check_layout(target_, image);
    if (!status && !options_.linker_arguments.empty())
      return fail(Code::kUsage, "with -Xlinker, " + status.error().message);
    return status;
  }

  const ImageRequest& request_;
  const CompileOptions& options_;
  const targets::Target& target_;
  const Processor processor_;
  const RegisterUse use_;
  const uint64_t cpu_features_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::TargetMachine> machine_;
  std::vector<LoweredProgram> lowered_;
  std::vector<std::string> entry_names_;
  std::map<std::string, uint64_t> native_stacks_;
};

} // namespace

std::vector<std::string> link_command(const ImageRequest& request, const std::string& output) {
  return linker::link_arguments(request.target, "probe.o",
                                Runtime::native_path(resource_dir(request.options), request.target,
                                                     register_use(request.programs)),
                                output,
                                {.debug = has_debug_info(request.options),
                                 .extra = request.options.linker_arguments});
}

Result<std::vector<uint8_t>> make_image(const ImageRequest& request) {
  return ImageMaker(request).run();
}

} // namespace bpfaot::aotc
