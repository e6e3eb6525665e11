// SPDX-License-Identifier: MIT
//
// Watch: the probe, its memory, its record and its output, from the command line to the last map.
#include "loader/watch.h"

#include "loader/host.h"
#include "loader/output.h"

#include <unistd.h>

namespace bpfaot::loader {

struct Watch::Sink {
  FILE* owned = nullptr; // -o FILE
  std::optional<Output> output;
  ~Sink() {
    output.reset();
    if (owned != nullptr) {
      std::fclose(owned);
    }
  }
};

Watch::~Watch() { delist(); }

Result<std::unique_ptr<Watch>> Watch::open(const ParsedArguments& arguments, const Console& console) {
  const std::string path = TRY(only_positional(arguments, "probe"));
  std::unique_ptr<Watch> watch(new Watch);
  watch->image_ = std::make_unique<Image>(TRY(open_image(path, ImageUse::run)));
  watch->patcher_ = TRY(host_patcher());
  watch->dry_run_ = arguments.has(kDryRunOption);
  watch->json_ = arguments.has(kJsonOption);
  watch->names_ = program_names(*watch->image_);
  std::vector<std::string> unattached;
  watch->wishes_ = TRY(make_wishes(*watch->image_, option_values(arguments, kAttachPointOption), unattached));
  if (watch->wishes_.empty()) {
    return fail(Code::kAttachNone, "no program of " + path + " says where it is to be attached");
  }
  if (arguments.has(kAttachPointOption)) { // then the choice was made
    unattached.clear();
  }
  for (const std::string& name : unattached) {
    console.report(make_warning(Code::kAttachNone, "program " + name + " has no target in the process; use --attach " + name + "=KIND:PATH:SYMBOL"));
  }
  SessionOptions options;
  for (const std::string& text : option_values(arguments, kMapSpecOption)) {
    options.maps.push_back(TRY(parse_map_override(text)));
  }
  for (const std::string& text : option_values(arguments, kSetOption)) {
    options.settings.push_back(TRY(parse_setting(text)));
  }
  watch->session_ = std::make_unique<Session>(TRY(Session::create(*watch->image_, options)));
  watch->sink_ = std::make_unique<Sink>();
  FILE* stream = console.out;
  if (arguments.has(kOutputOption)) {
    const std::string file(arguments.value(kOutputOption));
    stream = watch->sink_->owned = std::fopen(file.c_str(), "we");
    if (stream == nullptr) {
      return fail(Code::kIo, "cannot write " + file);
    }
  }
  MapOutputOptions form;
  form.json = watch->json_;
  form.per_cpu = arguments.has(kPerCpuOption);
  form.all_maps = arguments.has(kAllMapsOption);
  watch->sink_->output.emplace(*watch->image_, *watch->session_, form, stream);
  return watch;
}

Result<uint32_t> Watch::enlist(const Process& process, const Attachment& attachment) {
  return enlist(process.pid(), attachment.patches());
}

Result<uint32_t> Watch::enlist(int pid, const std::vector<SitePatch>& patches) {
  registry_ = TRY(Registry::open());
  record_.loader = {getpid(), process_start_time(getpid())};
  record_.target = {pid, process_start_time(pid)};
  record_.image = image_->path();
  record_.image_fd = image_->fd();
  record_.const_fd = session_->const_fd();
  record_.data_fd = session_->data_fd();
  record_.const_size = session_->const_size();
  record_.data_size = session_->data_size();
  record_.patches = patches;
  record_.id = TRY(registry_->add(record_));
  return record_.id;
}

Status Watch::update(const Attachment& attachment) {
  if (!registry_) {
    return {};
  }
  std::vector<SitePatch> patches = attachment.patches();
  if (patches == record_.patches) { // all that were announced
    return {};
  }
  record_.patches = std::move(patches);
  return registry_->update(record_);
}

void Watch::delist() {
  if (registry_ && record_.id != 0) {
    registry_->remove(record_.id);
    record_.id = 0;
  }
}

std::optional<SessionRecord> Watch::delist(const Detached& detached) {
  std::optional<SessionRecord> rest = registry_ && record_.id != 0 ? remainder(record_, detached) : std::nullopt;
  if (!rest || !registry_->update(*rest)) {
    delist();
    rest.reset();
  }
  record_.id = 0;
  return rest;
}

uint64_t Watch::drain() { return sink_->output->poll(); }

Status Watch::finish(const MissedCounts& missed) {
  if (record_.target.pid != 0 && is_alive(record_.target)) {
    sink_->output->name_stacks_of(record_.target.pid);
  }
  sink_->output->finish({missed.entries, missed.returns});
  if (!sink_->output->is_good()) {
    return fail(Code::kIo, "what was observed could not be written");
  }
  return {};
}

} // namespace bpfaot::loader
