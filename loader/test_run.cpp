// SPDX-License-Identifier: MIT
//
// The child that runs, and what comes back from it through shared memory.
#include "loader/test_run.h"

#include "loader/local_space.h"
#include "loader/test_packet.h"
#include "targets/target.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace bpfaot::loader {
namespace {

// Before the context lies one page of the same mapping, whose last 16 bytes hold the site pointer
// at ctx[-1]; the context stays 16-aligned.
constexpr uint64_t kHead = 4096;

struct Shared { // at the start of the mapping
  uint32_t done;
  uint32_t retval;
  double ns_per_run;
  uint64_t missed;
  char error[256];
  bpfaot_site site;
};
static_assert(sizeof(Shared) <= kHead - 16);

double seconds_ns(const timespec& from, const timespec& to) {
  return static_cast<double>(to.tv_sec - from.tv_sec) * 1e9 +
         static_cast<double>(to.tv_nsec - from.tv_nsec);
}

void run_batches(LocalImage::Entry entry, void* context, uint64_t repeat, Shared* shared) {
  double best = 0;
  for (uint64_t done = 0; done < repeat;) {
    const uint64_t batch = std::min(repeat - done, kRunsPerBatch);
    timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    const uint64_t first = entry(context);
    for (uint64_t i = 1; i < batch; ++i)
      entry(context);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (done == 0)
      shared->retval = static_cast<uint32_t>(first);
    const double mean = seconds_ns(from, to) / static_cast<double>(batch);
    // A short last batch would be measured with more of the clock's own time in it.
    if (done == 0 || (batch == kRunsPerBatch && mean < best))
      best = mean;
    done += batch;
  }
  shared->ns_per_run = best;
}

[[noreturn]] void run_child(const Image& image, const Session& session, uint32_t program,
                            uint64_t repeat, Shared* shared, uint8_t* context, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  auto local = LocalImage::map(image, session);
  if (!local) {
    std::strncpy(shared->error, local.error().message.c_str(), sizeof shared->error - 1);
    _exit(1);
  }
  run_batches(local->entry(program), context, repeat, shared);
  shared->missed = local->process().missed;
  shared->done = 1;
  _exit(0);
}

Failure refuse(const Image& image, uint32_t program, std::string why) {
  return Failure(make_error(Code::kTestRun, "program '" +
                                                std::string(image.string(
                                                    image.programs()[program].name)) +
                                                "' " + std::move(why))
                     .about(image.path()));
}

// Bytes of context that the program may touch.
Result<uint64_t> context_size(const Image& image, uint32_t program, std::span<const uint8_t> data) {
  const uint32_t kind = image.programs()[program].kind;
  if (kind == BPFAOT_KIND_PROBE || kind == BPFAOT_KIND_USDT || kind == BPFAOT_KIND_KSYSCALL ||
      kind == BPFAOT_KIND_PERF_EVENT) {
    constexpr uint64_t kPerfEvent = 16; // sample_period and addr
    const uint64_t registers =
        targets::host().pt_regs_size + (kind == BPFAOT_KIND_PERF_EVENT ? kPerfEvent : 0);
    if (data.size() > registers)
      return refuse(image, program, "reads the registers of a process, which have " +
                                        std::to_string(registers) + " bytes; the data has " +
                                        std::to_string(data.size()));
    return registers;
  }
  if (is_packet_kind(kind)) {
    if (std::string problem = packet_problem(kind, data); !problem.empty())
      return refuse(image, program, std::move(problem));
    return packet_memory();
  }
  if (kind != BPFAOT_KIND_SYSCALL && kind != BPFAOT_KIND_RAW_TP && kind != BPFAOT_KIND_TRACEPOINT)
    return refuse(image, program, "is of a kind whose context cannot be made here");
  return std::max<uint64_t>(data.size(), kTestBuffer);
}

} // namespace

Result<TestResult> run_on_buffer(const Image& image, const Session& session, uint32_t program,
                                 std::span<const uint8_t> data, uint64_t repeat) {
  if (repeat == 0)
    return refuse(image, program, "cannot be run 0 times");
  if (data.size() > kMaxTestData)
    return refuse(image, program, "gets at most " + std::to_string(kMaxTestData) + " bytes of data");
  const uint64_t size = kHead + std::max(TRY(context_size(image, program, data)), kTestBuffer);
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED)
    return refuse(image, program, std::string("has no memory for its data: ") + strerror(errno));
  const Mapping memory(address, size);
  auto* shared = reinterpret_cast<Shared*>(memory.data());
  uint8_t* context = memory.data() + kHead;
  const uint32_t kind = image.programs()[program].kind;
  if (is_packet_kind(kind))
    lay_out_packet(kind, data, context);
  else
    std::copy(data.begin(), data.end(), context);
  shared->site.program = program;
  shared->site.flags = BPFAOT_SITE_ARMED;
  const auto site = reinterpret_cast<uint64_t>(&shared->site);
  std::memcpy(context - sizeof site, &site, sizeof site);

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0)
    return refuse(image, program, std::string("gets no process to run in: ") + strerror(errno));
  if (child == 0)
    run_child(image, session, program, repeat, shared, context, parent);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFSIGNALED(status))
    return refuse(image, program, std::string("ended in a signal: ") + strsignal(WTERMSIG(status)));
  if (!shared->done)
    return refuse(image, program, std::string("could not be run: ") + shared->error);
  TestResult result;
  result.retval = shared->retval;
  result.ns_per_run = shared->ns_per_run;
  result.repeat = repeat;
  result.missed = shared->missed;
  if (!is_packet_kind(kind)) {
    result.data.assign(context, context + data.size());
    return result;
  }
  std::optional<std::vector<uint8_t>> packet = packet_result(kind, context);
  if (!packet)
    return refuse(image, program, "left a packet outside its memory");
  result.data = std::move(*packet);
  return result;
}

} // namespace bpfaot::loader
