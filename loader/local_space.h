// SPDX-License-Identifier: MIT
//
// An image mapped into this very process, attached to a session and ready to be called. For
// test-run: the caller forks first, so that nothing of it outlives a run.
#pragma once

#include "loader/image.h"
#include "loader/session.h"
#include "support/files.h"
#include "support/result.h"

#include <cstdint>

namespace bpfaot::loader {

class LocalImage {
public:
  // `image` is for this machine; `session` must outlive the result. [session-memory]
  static Result<LocalImage> map(const Image& image, const Session& session);

  using Entry = uint64_t (*)(void* context);
  Entry entry(uint32_t program) const;
  const bpfaot_process& process() const { return *static_cast<const bpfaot_process*>(process_); }

private:
  Status map_segments(const Image& image);
  Status make_process_memory();
  Status finish(const Image& image, const Session& session);

  Mapping reserved_;      // the whole reservation
  uint8_t* base_ = nullptr; // aligned, inside it
  Mapping runtime_;       // process block, fork page, thread table
  void* process_ = nullptr;
  void* threads_ = nullptr;
  void* fork_page_ = nullptr;
  const Image* image_ = nullptr;
};

} // namespace bpfaot::loader
