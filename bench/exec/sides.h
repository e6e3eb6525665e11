// SPDX-License-Identifier: MIT
//
// One program on each side: our image, native code over the same minirt, the kernel. Each has maps
// of its own, which start empty.
#pragma once

#include "loader/image.h"
#include "loader/local_space.h"
#include "loader/session.h"
#include "support/result.h"

#include <cstdint>
#include <memory>
#include <string>

struct bpf_object;

namespace bpfaot::bench {

struct Input { // of bench/exec/program.h
  uint64_t words[8];
  uint8_t bytes[256];
};

constexpr uint32_t kRingRuns = 200; // more runs between two emptyings might fill a ring

// Code in this process, with the maps of a session.
class LocalSide {
public:
  using Entry = loader::LocalImage::Entry;

  static Result<std::unique_ptr<LocalSide>> ours(const std::string& path);
  // Native code from a shared object; its maps are laid out as those of the image.
  static Result<std::unique_ptr<LocalSide>> native(const std::string& image,
                                                   const std::string& library);
  Entry entry() const { return entry_; }
  uint32_t flags() const; // of the entry glue
  bool has_maps() const;  // other than constant data
  bool has_ring() const;
  void empty_rings() const;

private:
  LocalSide(loader::Image image, loader::Session session)
      : image_(std::move(image)), session_(std::move(session)) {}
  Status use_native(const std::string& library);

  loader::Image image_;
  loader::Session session_;
  std::unique_ptr<loader::LocalImage> local_;
  uint32_t program_ = 0;
  Entry entry_ = nullptr;
};

class KernelSide {
public:
  static Result<std::unique_ptr<KernelSide>> load(const std::string& object);
  ~KernelSide();
  KernelSide(const KernelSide&) = delete;
  KernelSide& operator=(const KernelSide&) = delete;
  // One BPF_PROG_TEST_RUN.
  Result<uint32_t> run(Input& input) const;
  void empty_rings() const;

private:
  KernelSide() = default;
  bpf_object* object_ = nullptr;
  void* ring_ = nullptr; // struct ring_buffer
  int program_ = -1;
};

} // namespace bpfaot::bench
