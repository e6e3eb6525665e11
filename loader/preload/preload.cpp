// SPDX-License-Identifier: MIT
//
// libbpfaot-preload.so: bpf-aot's work done inside the program, by a constructor that runs before
// the program's first instruction and, where the dynamic linker honours DF_1_INITFIRST or has no
// reason to do otherwise, before every other constructor. Opening, checking, planning and attaching
// are the loader's own code on this process's address space. What stays in the program is what
// attaching from outside leaves there, and this library, which never runs again: no descriptor, no
// heap, no thread, no handler. environment.h says how it is told what to do.
//
// A program that cannot be probed as asked for runs unprobed, and standard error says why; under
// `bpf-aot run --preload` it is bpf-aot that says so, and that decides.
#include "loader/host.h"
#include "loader/inject.h"
#include "loader/plan.h"
#include "loader/preload/environment.h"
#include "loader/preload/handover.h"
#include "loader/preload/memory.h"
#include "loader/preload/own_space.h"
#include "loader/preload/system.h"
#include "loader/session.h"
#include "loader/wishes.h"
#include "support/render.h"

#include <charconv>

namespace bpfaot::loader {
namespace {

void say(const std::string& text) { bpfaot_preload_write_error(text.data(), text.size()); }

void report(Diagnostic diagnostic, Level level) {
  diagnostic.level = level;
  say("libbpfaot-preload.so: " + render_human(diagnostic, Colour::never));
}

// As `bpf-aot list` and others of this user will look for it. No descriptor: they go by the mappings.
Result<uint32_t> enlist(const Image& image, const Session& session, const Attachment& attachment, int pid) {
  Registry registry = TRY(Registry::open());
  SessionRecord record;
  record.loader = record.target = {pid, process_start_time(pid)};
  record.image = image.path();
  record.const_size = session.const_size();
  record.data_size = session.data_size();
  record.patches = attachment.patches();
  return registry.add(std::move(record));
}

Result<SessionOptions> session_options() {
  SessionOptions options;
  for (const std::string& text : variable_lines("BPFAOT_PRELOAD_MAP"))
    options.maps.push_back(TRY(parse_map_override(text)));
  for (const std::string& text : variable_lines("BPFAOT_PRELOAD_SET"))
    options.settings.push_back(TRY(parse_setting(text)));
  return options;
}

// The program was started with BPFAOT_PRELOAD_IMAGE: everything is decided here.
Status run_alone(const char* path) {
  const Image image = TRY(open_image(path, ImageUse::run));
  const targets::Patcher& patcher = *TRY(host_patcher());
  std::vector<std::string> unattached;
  const std::vector<ProbeWish> wishes = TRY(make_wishes(image, variable_lines("BPFAOT_PRELOAD_ATTACH"), unattached));
  if (wishes.empty())
    return fail(Code::kAttachNone, "no program of " + image.path() + " says where it is to be attached");
  const Session session = TRY(Session::create(image, TRY(session_options())));
  OwnSpace space = TRY(OwnSpace::open());
  Modules modules = TRY(Modules::read(space));
  Plan plan = make_plan(space, modules, patcher, wishes);
  std::unique_ptr<Attachment> attachment;
  if (!plan.sites.empty()) {
    attachment = TRY(Attachment::create(space, image, session, patcher, plan));
    Status patched = attachment->patch(space, image, plan);
    if (!patched || attachment->patches().empty())
      attachment->undo(space);
    TRY(std::move(patched));
  }
  const std::vector<std::string> names = program_names(image);
  for (const PlanRow& row : plan.rows) {
    if (row.refusal) {
      Diagnostic refusal = *row.refusal;
      refusal.subject = names[row.wish.program] + " at " + print_attach_target(row.wish.spec);
      report(std::move(refusal), Level::warning);
    }
  }
  if (!attachment || attachment->patches().empty())
    return fail(Code::kAttachNone, "nothing could be attached");
  const Result<uint32_t> id = enlist(image, session, *attachment, space.pid());
  if (!id)
    report(id.error(), Level::warning);
  if (variable_is_set("BPFAOT_PRELOAD_VERBOSE"))
    say("attached to process " + std::to_string(space.pid()) + (id ? " as id " + std::to_string(*id) : std::string()) +
        ": " + std::to_string(plan.rows.size() - plan.refused()) + " of " + std::to_string(plan.rows.size()) + " probes\n");
  return {};
}

// What stands between the plan's rows and the attachment's sites.
struct Prepared {
  std::optional<Image> image;
  std::optional<Session> session;
  std::optional<OwnSpace> space;
  Plan plan;
};

Status prepare(Prepared& prepared, ReceivedMessage& start) {
  const StartMessage message = TRY(decode_start(start.bytes));
  if (start.fds.size() != 3)
    return fail(Code::kHandover, "the probe's memory did not come with it");
  prepared.image.emplace(TRY(open_sealed_image(message.image, std::move(start.fds[0]))));
  prepared.session.emplace(TRY(Session::adopt(*prepared.image, std::move(start.fds[1]), std::move(start.fds[2]))));
  for (const ProbeWish& wish : message.wishes)
    if (wish.program >= prepared.image->programs().size())
      return fail(Code::kHandover, "a program that the probe does not have is to be attached");
  prepared.space.emplace(TRY(OwnSpace::open()));
  Modules modules = TRY(Modules::read(*prepared.space));
  prepared.plan = make_plan(*prepared.space, modules, *TRY(host_patcher()), message.wishes);
  return {};
}

// [handover] only; what the program itself refuses is in the message.
Status attach_and_answer(Prepared& prepared, int socket) {
  AttachedMessage answer;
  std::unique_ptr<Attachment> attachment;
  const auto attach = [&]() -> Status {
    const targets::Patcher& patcher = *TRY(host_patcher());
    attachment = TRY(Attachment::create(*prepared.space, *prepared.image, *prepared.session, patcher, prepared.plan));
    Status patched = attachment->patch(*prepared.space, *prepared.image, prepared.plan);
    if (!patched)
      attachment->undo(*prepared.space);
    return patched;
  };
  const Status attached = prepared.plan.sites.empty() ? Status{} : attach();
  for (const PlanRow& row : prepared.plan.rows)
    answer.refusals.push_back(row.refusal);
  std::vector<int> fds;
  if (!attached) {
    answer.failure = attached.error();
  } else if (attachment) {
    answer.patches = attachment->patches();
    answer.runtime_inode = attachment->runtime_inode();
    fds.push_back(attachment->runtime_fd());
  }
  TRY(send_message(socket, encode(answer), fds));
  return Status(TRY(receive_byte(socket)) == 1 ? Status{} : fail(Code::kHandover, "bpf-aot did not let the program go on"));
}

// The program was started by `bpf-aot run --preload`.
Status run_for_loader(int socket) {
  ReceivedMessage start = TRY(receive_message(socket));
  Prepared prepared;
  const Status ready = prepare(prepared, start);
  PlannedMessage planned;
  if (ready)
    planned.rows = prepared.plan.rows;
  else
    planned.failure = ready.error();
  TRY(send_message(socket, encode(planned)));
  if (TRY(receive_byte(socket)) != 1 || !ready)
    bpfaot_preload_exit(1); // as bpf-aot wants; it says why
  return attach_and_answer(prepared, socket);
}

Status run() {
  TRY(find_environment());
  const char* image = bpfaot_preload_variable("BPFAOT_PRELOAD_IMAGE");
  const char* socket = bpfaot_preload_variable("BPFAOT_PRELOAD_FD");
  if (socket != nullptr) {
    int fd = -1;
    const std::string_view text(socket);
    if (std::from_chars(text.data(), text.data() + text.size(), fd).ec != std::errc() || fd < 0)
      return fail(Code::kHandover, "BPFAOT_PRELOAD_FD is not a descriptor");
    const UniqueFd owned(fd);
    return run_for_loader(fd);
  }
  return image != nullptr && *image != '\0' ? run_alone(image) : Status{};
}

} // namespace
} // namespace bpfaot::loader

__attribute__((constructor)) static void bpfaot_preload() {
  using namespace bpfaot::loader;
  {
    const bpfaot::Status done = run();
    if (!done)
      report(done.error(), bpfaot::Level::error);
    if (!variable_is_set("BPFAOT_PRELOAD_FOLLOW"))
      clean_environment();
  }
  release_memory();
}
