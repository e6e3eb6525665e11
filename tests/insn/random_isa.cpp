// SPDX-License-Identifier: MIT
//
// random_isa: random programs through the reference interpreter and through native code of each
// machine, until the time is over or something differs; every second round with all features of the
// processor. Prints its seed and its counts.
//
//   random_isa [--seed N] [--seconds N] [--rounds N] [--programs N] [--inputs N]
//              [--machines a,b] [--kernel yes] [--resource-dir DIR]
//
// With --kernel, programs that this machine's kernel accepts run there too. It has no callx.
//
// Exit status 0: no difference. 77: no machine can be run here. 1: a difference, with the program,
// the input and how to repeat it.
#include "aotc/runtime.h"
#include "conformance/bare_module.h"
#include "conformance/runner.h"
#include "support/hex.h"
#include "tests/insn/bare_world.h"
#include "tests/insn/kernel.h"
#include "tests/insn/random_program.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

namespace {

using namespace bpfaot;

struct Settings {
  uint64_t seed = 0, seconds = 60, rounds = UINT64_MAX;
  uint32_t programs = 60, inputs = 6;
  std::vector<const targets::Target*> machines;
  std::optional<tests::Kernel> kernel;
  std::string resources;
};

struct Counts {
  uint64_t programs = 0, refused = 0, runs = 0, in_kernel = 0;
  std::map<std::string, uint64_t> reasons;
};

constexpr uint64_t kStepLimit = 60000; // of the verifier: what takes longer says nothing new here

// What this processor has, or the emulator of another machine's, as far back as qemu 7.2.
std::vector<targets::FeatureChoice> features_of(const targets::Target& machine) {
  std::vector<targets::FeatureChoice> features;
  for (const targets::FeatureRow& row : machine.features) {
    const bool is_there = &machine == &targets::host()
                              ? (targets::host_cpu_features() & row.bit) != 0
                              : row.name != "cssc" && row.name != "zicond";
    if (is_there)
      features.push_back({std::string(row.name), true});
  }
  return features;
}

class Round {
public:
  Round(const Settings& settings, uint64_t seed, Counts& counts)
      : settings_(settings), seed_(seed), counts_(counts), module_("random"),
        memory_(module_.add_memory(std::vector<uint8_t>(tests::kRandomMemory))),
        inputs_(tests::random_inputs(seed ^ 0x5eed, settings.inputs)) {}

  bool run() {
    for (uint64_t i = 0; code_.size() < settings_.programs; ++i)
      generate(seed_ + i * 0x10001);
    if (!interpret() || (settings_.kernel && !compare_with_kernel()))
      return false;
    for (const targets::Target* machine : settings_.machines)
      if (!compare(*machine))
        return false;
    counts_.programs += code_.size();
    counts_.runs += expected_.size();
    return true;
  }

private:
  std::span<const uint8_t> input(size_t run) const {
    return std::span(inputs_).subspan(run % settings_.inputs * tests::kRandomMemory,
                                      tests::kRandomMemory);
  }

  void generate(uint64_t seed) {
    std::vector<uint8_t> code = tests::random_program(seed);
    const auto index = module_.add("p" + std::to_string(code_.size()), code, memory_, kStepLimit);
    if (index) {
      code_.push_back(std::move(code));
    } else {
      ++counts_.refused;
      ++counts_.reasons[std::string(code_text(index.error().code))];
    }
  }

  bool differs(size_t run, const std::string& what) const {
    const size_t program = run / settings_.inputs;
    std::printf("DIFFERENCE in program %zu of round seed %llu, input %s\n%s\n%s", program,
                static_cast<unsigned long long>(seed_), hex_digits(input(run)).c_str(),
                what.c_str(), tests::listing(code_[program]).c_str());
    std::printf("again: random_isa --seed %llu --rounds 1 --programs %u --inputs %u\n",
                static_cast<unsigned long long>(seed_), settings_.programs, settings_.inputs);
    return false;
  }

  bool interpret() {
    for (const verifier::VerifiedProgram& program : module_.programs())
      for (uint32_t i = 0; i < settings_.inputs; ++i) {
        tests::Memory memory;
        const auto bytes = input(i);
        tests::BareWorld world(memory, {bytes.begin(), bytes.end()});
        const tests::Outcome outcome = tests::Interpreter(program.program(), memory, world).run({});
        if (!outcome.r0)
          return differs(expected_.size(), "the interpreter: " + outcome.problem);
        expected_.push_back({*outcome.r0, conformance::memory_hash(world.bytes())});
      }
    return true;
  }

  bool compare_with_kernel() {
    for (size_t program = 0; program < code_.size(); ++program) {
      const auto results = settings_.kernel->run(code_[program], inputs_);
      if (!results)
        continue;
      ++counts_.in_kernel;
      for (size_t i = 0; i < results->size(); ++i) {
        const size_t run = program * settings_.inputs + i;
        const conformance::RunResult &want = expected_[run], &got = (*results)[i];
        if (static_cast<uint32_t>(want.r0) != got.r0 || want.memory_hash != got.memory_hash)
          return differs(run, "interpreter: r0 = " + hex(want.r0) + ", memory " +
                                  hex(want.memory_hash) + "; the kernel: r0 = " + hex(got.r0) +
                                  ", memory " + hex(got.memory_hash));
      }
    }
    return true;
  }

  bool compare(const targets::Target& machine) {
    aotc::CompileOptions options;
    options.resource_dir = settings_.resources;
    options.opt_level = static_cast<int>(seed_ % 4);
    if (seed_ / 4 % 2 != 0)
      options.features = features_of(machine);
    const auto image = module_.compile(machine, options);
    auto name = std::string(machine.name) + " at -O" + std::to_string(options.opt_level);
    for (const targets::FeatureChoice& feature : options.features)
      name += "+" + feature.name;
    if (!image) {
      std::printf("DIFFERENCE: round seed %llu does not compile for %s: %s\n",
                  static_cast<unsigned long long>(seed_), name.c_str(),
                  image.error().message.c_str());
      return false;
    }
    const auto results =
        conformance::run_image(machine, settings_.resources, *image, inputs_, tests::kRandomMemory);
    if (!results) {
      std::printf("%s\n", results.error().message.c_str());
      return false;
    }
    for (size_t run = 0; run < expected_.size(); ++run) {
      if (run >= results->size())
        return differs(run, name + " does not come back");
      const conformance::RunResult &want = expected_[run], &got = (*results)[run];
      if (want.r0 != got.r0 || want.memory_hash != got.memory_hash)
        return differs(run, "interpreter: r0 = " + hex(want.r0) + ", memory " +
                                hex(want.memory_hash) + "; " + name + ": r0 = " + hex(got.r0) +
                                ", memory " + hex(got.memory_hash));
    }
    return true;
  }

  const Settings& settings_;
  const uint64_t seed_;
  Counts& counts_;
  conformance::BareModule module_;
  const bpf::MapId memory_;
  const std::vector<uint8_t> inputs_;
  std::vector<std::vector<uint8_t>> code_;
  std::vector<conformance::RunResult> expected_; // by program, then input
};

bool parse(int argc, char** argv, Settings& settings) {
  std::string machines = "x86_64,aarch64,riscv64";
  settings.seed = std::random_device()();
  settings.resources = aotc::Runtime::default_directory();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 0);
    if (option == "--seed")
      settings.seed = value;
    else if (option == "--seconds")
      settings.seconds = value;
    else if (option == "--rounds")
      settings.rounds = value;
    else if (option == "--programs")
      settings.programs = static_cast<uint32_t>(value);
    else if (option == "--inputs")
      settings.inputs = static_cast<uint32_t>(value);
    else if (option == "--machines")
      machines = argv[i + 1];
    else if (option == "--kernel") {
      if (auto kernel = tests::Kernel::create(tests::kRandomMemory))
        settings.kernel = std::move(*kernel);
      else
        std::printf("%s\n", kernel.error().message.c_str());
    } else if (option == "--resource-dir")
      settings.resources = argv[i + 1];
    else
      return false;
  }
  std::istringstream names(machines);
  for (std::string name; std::getline(names, name, ',');) {
    const auto machine = targets::find(name);
    if (!machine)
      return false;
    if (const Status runner = conformance::check_runner(**machine, settings.resources); runner)
      settings.machines.push_back(*machine);
    else
      std::printf("without %s: %s\n", name.c_str(), runner.error().message.c_str());
  }
  return argc % 2 == 1 && settings.programs != 0 && settings.inputs != 0;
}

} // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Settings settings;
  if (!parse(argc, argv, settings)) {
    std::fprintf(stderr, "usage: random_isa [--seed N] [--seconds N] [--rounds N] [--programs N] "
                         "[--inputs N] [--machines a,b] [--kernel yes] [--resource-dir DIR]\n");
    return 2;
  }
  if (settings.machines.empty() && !settings.kernel) {
    std::printf("nothing to compare with\n");
    return 77;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(settings.seed));
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(settings.seconds);
  auto next_report = Clock::now();
  Counts counts;
  uint64_t round = 0;
  const auto report = [&] {
    std::printf(
        "%llu rounds: %llu programs, %llu runs on each of %zu machines and in the interpreter, "
        "%llu programs in the kernel too; %llu more refused by the verifier",
        static_cast<unsigned long long>(round), static_cast<unsigned long long>(counts.programs),
        static_cast<unsigned long long>(counts.runs), settings.machines.size(),
        static_cast<unsigned long long>(counts.in_kernel),
        static_cast<unsigned long long>(counts.refused));
    for (const auto& [code, count] : counts.reasons)
      std::printf(" %s=%llu", code.c_str(), static_cast<unsigned long long>(count));
    std::printf("\n");
  };
  for (; round < settings.rounds && (round == 0 || Clock::now() < end); ++round) {
    // Round 0 is the seed itself, so that a difference is repeated with it.
    if (!Round(settings, settings.seed + round * 0x9e3779b97f4a7c15, counts).run())
      return 1;
    if (Clock::now() >= next_report) {
      next_report = Clock::now() + std::chrono::minutes(5);
      ++round, report(), --round;
    }
  }
  report();
  std::printf("no difference\n");
  return 0;
}
