// SPDX-License-Identifier: MIT
//
// How fast compiled programs run. Of each NAME, DIR holds NAME.so (our image), NAME.native.so (the
// same C, compiled natively over the same minirt) and NAME.bpf.o (for the kernel).
//
//   bench_exec flags DIR NAME          what the entry glue does, for the native side
//   bench_exec check DIR NAME…         runs each side a few times: the same numbers everywhere
//   bench_exec time DIR ROUNDS NAME…   prints NAME KIND OURS NATIVE KERNEL, nanoseconds a run
//   bench_exec count DIR NAME…         under callgrind: a dump for each side and number of runs
//
// Times are the least of many short rounds, in which the sides take turns. The kernel's are those
// of one test run less those of the empty program's.
#include "bench/exec/sides.h"

#include <time.h>
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

namespace bpfaot::bench {
namespace {

constexpr uint32_t kChecks = 20;     // runs that are compared
constexpr double kRoundNs = 60'000;  // of one side
constexpr uint32_t kKernelRuns = 40; // in one round
constexpr uint32_t kCounted = 20;    // runs under callgrind

const char kHttp[] =
    "GET /static/pages/index.html?lang=en HTTP/1.1\r\nHost: example.org\r\n"
    "User-Agent: something/1.0\r\nAccept: text/html\r\nAccept-Language: en\r\n"
    "Connection: keep-alive\r\nCookie: id=0123456789abcdef\r\nReferer: http://a/\r\n"
    "Cache-Control: no-cache\r\n\r\n";
const char kNumbers[] =
    "17 -4 99812 0 -33 1024,4096,-65536 3.14159 1e9 [12;40H 2024-11-05 10:11:12 "
    "200 5120 7ms 401 0 12us 200 77881 95ms 500 13 1042us -1 -22 -110 32768 65535 "
    "4294967295 18446744073709551615 -9223372036854775808 0x7f 1 2 3 4 5 6 7 8 9 10";

// A ClientHello with five extensions, the third of which names the server.
void write_hello(uint8_t* to) {
  const uint8_t head[] = {22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
  std::memcpy(to, head, sizeof head);
  uint8_t* at = to + 43;
  const uint8_t rest[] = {8,   1,    2,   3,   4,   5,   6,   7,   8,   0,   6, 0x13, 1,  0x13,
                          2,   0x13, 3,   1,   0,   0,   90,  0,   10,  0,   4, 0,    2,  0,
                          29,  0,    23,  0,   0,   0,   0,   16,  0,   14,  0, 0,    11, 'e',
                          'x', 'a',  'm', 'p', 'l', 'e', '.', 'o', 'r', 'g', 0, 43,   0,  3,
                          2,   3,    4,   0,   13,  0,   4,   0,   2,   4,   3};
  std::memcpy(at, rest, sizeof rest);
}

Input input_for(const std::string& name) {
  Input input{};
  uint64_t x = 0x9e3779b97f4a7c15;
  const auto next = [&x] {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x;
  };
  for (uint64_t& word : input.words)
    word = next();
  for (uint8_t& byte : input.bytes)
    byte = static_cast<uint8_t>(next() >> 24);
  if (name == "http")
    std::memcpy(input.bytes, kHttp, std::min(sizeof kHttp - 1, sizeof input.bytes));
  if (name == "numbers")
    std::memcpy(input.bytes, kNumbers, std::min(sizeof kNumbers - 1, sizeof input.bytes));
  if (name == "tls")
    write_hello(input.bytes);
  return input;
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

struct Sides {
  std::unique_ptr<LocalSide> ours, native;
  std::unique_ptr<KernelSide> kernel; // null where the kernel does not load programs
  std::string kernel_fault;
};

Result<Sides> open_sides(const std::string& stem) {
  Sides sides;
  sides.ours = TRY(LocalSide::ours(stem + ".so"));
  sides.native = TRY(LocalSide::native(stem + ".so", stem + ".native.so"));
  if (auto kernel = KernelSide::load(stem + ".bpf.o"))
    sides.kernel = std::move(*kernel);
  else
    sides.kernel_fault = kernel.error().message;
  return sides;
}

Status check(const Sides& sides, const std::string& name) {
  Input in[3] = {input_for(name), input_for(name), input_for(name)};
  for (uint32_t i = 0; i < kChecks; ++i) {
    const auto ours = static_cast<uint32_t>(sides.ours->entry()(&in[0]));
    const auto native = static_cast<uint32_t>(sides.native->entry()(&in[1]));
    const uint32_t kernel = sides.kernel ? TRY(sides.kernel->run(in[2])) : native;
    if (ours != native || ours != kernel)
      return fail(Code::kTestRun, name + ", run " + std::to_string(i + 1) + ": ours " +
                                      std::to_string(ours) + ", native " + std::to_string(native) +
                                      ", kernel " + std::to_string(kernel));
    for (uint64_t& word : in[0].words)
      word = word * 6364136223846793005 + 1442695040888963407;
    in[1] = in[2] = in[0];
  }
  sides.ours->empty_rings();
  sides.native->empty_rings();
  if (sides.kernel)
    sides.kernel->empty_rings();
  return {};
}

double time_local(const LocalSide& side, Input& input, uint32_t runs) {
  const LocalSide::Entry entry = side.entry();
  entry(&input);
  const double begin = now();
  for (uint32_t i = 0; i < runs; ++i)
    entry(&input);
  const double end = now();
  side.empty_rings();
  return (end - begin) / runs;
}

double time_kernel(const KernelSide& side, Input& input) {
  double least = 1e18;
  for (uint32_t i = 0; i < kKernelRuns; ++i) {
    const double begin = now();
    if (!side.run(input))
      return -1;
    least = std::min(least, now() - begin);
  }
  side.empty_rings();
  return least;
}

Status time_all(const std::string& directory, uint32_t rounds, std::span<char*> names) {
  const auto empty = KernelSide::load(directory + "/empty.bpf.o");
  for (const char* name : names) {
    const Sides sides = TRY(open_sides(directory + "/" + name));
    TRY(check(sides, name));
    Input input = input_for(name);
    const double once = std::max(time_local(*sides.native, input, 50), 0.5);
    uint32_t runs = static_cast<uint32_t>(kRoundNs / once) + 1;
    if (sides.ours->has_ring())
      runs = std::min(runs, kRingRuns);
    double ours = 1e18, native = 1e18, kernel = 1e18, nothing = 1e18;
    for (uint32_t round = 0; round < rounds; ++round) {
      ours = std::min(ours, time_local(*sides.ours, input, runs));
      native = std::min(native, time_local(*sides.native, input, runs));
      if (sides.kernel && empty) {
        kernel = std::min(kernel, time_kernel(*sides.kernel, input));
        nothing = std::min(nothing, time_kernel(**empty, input));
      }
    }
    const char* kind = sides.ours->has_maps() ? "maps" : "plain";
    if (sides.kernel && empty)
      std::printf("%s %s %.2f %.2f %.2f\n", name, kind, ours, native,
                  std::max(kernel - nothing, 0.0));
    else
      std::printf("%s %s %.2f %.2f -\n", name, kind, ours, native);
    std::fflush(stdout);
  }
  return {};
}

void count_side(const LocalSide& side, const std::string& name, const char* which) {
  Input input = input_for(name);
  for (uint32_t i = 0; i < 3; ++i)
    side.entry()(&input);
  CALLGRIND_START_INSTRUMENTATION;
  for (const uint32_t runs : {1u, kCounted + 1}) {
    CALLGRIND_ZERO_STATS;
    for (uint32_t i = 0; i < runs; ++i)
      side.entry()(&input);
    const std::string label = name + " " + which + " " + std::to_string(runs);
    CALLGRIND_DUMP_STATS_AT(label.c_str());
  }
  CALLGRIND_STOP_INSTRUMENTATION;
  side.empty_rings();
}

Status act(int count, char** arguments) {
  if (count < 4)
    return fail(Code::kUsage,
                "bench_exec flags|check|count DIR NAME..., bench_exec time DIR ROUNDS NAME...");
  const std::string action = arguments[1], directory = arguments[2];
  const std::span<char*> names(arguments + 3, static_cast<size_t>(count - 3));
  if (action == "time")
    return time_all(directory, static_cast<uint32_t>(std::atoi(names[0])), names.subspan(1));
  for (const char* name : names) {
    const std::string stem = directory + "/" + name;
    if (action == "flags") {
      std::printf("%u\n", TRY(LocalSide::ours(stem + ".so"))->flags());
    } else if (action == "count") {
      count_side(*TRY(LocalSide::ours(stem + ".so")), name, "ours");
      count_side(*TRY(LocalSide::native(stem + ".so", stem + ".native.so")), name, "native");
    } else {
      const Sides sides = TRY(open_sides(stem));
      TRY(check(sides, name));
      std::printf("%s: %u runs agree%s%s\n", name, kChecks,
                  sides.kernel ? "" : ", without the kernel: ", sides.kernel_fault.c_str());
    }
  }
  return {};
}

} // namespace
} // namespace bpfaot::bench

int main(int count, char** arguments) {
  const bpfaot::Status status = bpfaot::bench::act(count, arguments);
  if (!status)
    std::fprintf(stderr, "bench_exec: %s\n", status.error().message.c_str());
  return status ? 0 : 1;
}
