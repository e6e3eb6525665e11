// SPDX-License-Identifier: MIT
//
// What `run` and `attach` share: the probe and its session from the command line, the wishes, the
// loop that shows what is observed until the process ends or somebody says stop, and the end.
#pragma once

#include "loader/image.h"
#include "loader/inject.h"
#include "loader/plan.h"
#include "loader/process.h"
#include "loader/registry.h"
#include "loader/restore.h"
#include "loader/session.h"
#include "loader/verb.h"
#include "loader/wishes.h"

#include <csignal>
#include <memory>
#include <optional>

namespace bpfaot::loader {

// Prints each refusal of the plan as a warning.
void report_refusals(const Plan& plan, const Console& console, const std::vector<std::string>& names);
void print_dry_run(const Plan& plan, const Image& image, bool json, const Console& console);

struct Detached {
  Status status;            // of the process that was asked for
  std::vector<int> guarded; // processes in which guards stay (restore.h)
};

// The probe, its memory, and where what is observed goes.
class Watch {
public:
  static Result<std::unique_ptr<Watch>> open(const ParsedArguments& arguments, const Console& console);
  ~Watch();

  const Image& image() const { return *image_; }
  const Session& session() const { return *session_; }
  const std::vector<ProbeWish>& wishes() const { return wishes_; }
  const targets::Patcher& patcher() const { return *patcher_; }
  const std::vector<std::string>& names() const { return names_; }
  bool dry_run() const { return dry_run_; }
  bool json() const { return json_; }

  // The registry's record, from which anybody may detach. The id.
  Result<uint32_t> enlist(const Process& process, const Attachment& attachment);
  Result<uint32_t> enlist(int pid, const std::vector<SitePatch>& patches);
  // Keeps the record in step with further sites.
  Status update(const Attachment& attachment);
  void delist();
  // The same behind a detachment: where guards stay, what is left of the record stays too and is returned.
  std::optional<SessionRecord> delist(const Detached& detached);

  // Shows what has come in since the last time; how many records.
  uint64_t drain();
  // Everything at the end: the rest of the events, maps, what was lost or missed.
  Status finish(const MissedCounts& missed);

private:
  struct Sink;
  Watch() = default;

  std::unique_ptr<Image> image_;
  std::unique_ptr<Session> session_;
  const targets::Patcher* patcher_ = nullptr;
  std::vector<ProbeWish> wishes_;
  std::vector<std::string> names_;
  bool dry_run_ = false, json_ = false;
  std::unique_ptr<Sink> sink_;
  std::optional<Registry> registry_;
  SessionRecord record_;
};

enum class Ended : uint8_t { process, signal, detach };

// Signals that end or are forwarded are read, not handled, from construction to destruction.
class SignalReader {
public:
  static Result<SignalReader> create();
  SignalReader(SignalReader&& other) noexcept = default;
  ~SignalReader();
  int fd() const { return fd_.get(); }
  int next(); // 0 = none

private:
  SignalReader() = default;
  UniqueFd fd_;
  sigset_t old_{};
};

// Waits, draining now and then, until the process ends (`pidfd`), SIGUSR1 asks to detach, or another
// signal ends the watch. With `forward_to` not 0, SIGTERM and SIGHUP go there, SIGINT and SIGQUIT are
// ignored (the terminal has sent them to the command too), and only the process's end counts.
Ended watch_until(Watch& watch, SignalReader& signals, int pidfd, int forward_to);

// Takes the probes out of the process and of children that it forked, if they live.
Detached detach_everywhere(int pid, const targets::Patcher& patcher, uint64_t runtime_inode,
                           const std::vector<SitePatch>& patches);
// What is left of the record where guards stay: these, for whoever comes next, and no loader.
std::optional<SessionRecord> remainder(SessionRecord record, const Detached& detached);
// Says so.
void note_guards(const SessionRecord& rest, const Console& console);
// The same for a session whose loader is gone, with its record.
Status take_out(const SessionRecord& record, Registry& registry, const targets::Patcher& patcher);
// For all such sessions of the process.
void take_out_dead(int pid, const targets::Patcher& patcher);

} // namespace bpfaot::loader
