// SPDX-License-Identifier: MIT
#include "bench/exec/sides.h"

#include "minirt/map_access.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bpfaot::bench {
namespace {

constexpr uint32_t kGlue = BPFAOT_PROG_NEEDS_GUARD | BPFAOT_PROG_NEEDS_CPU;
constexpr uint32_t kRingType = 27; // BPF_MAP_TYPE_RINGBUF

int drop_record(void*, const void*, uint32_t, uint32_t) {
  return 0;
}
int drop_sample(void*, void*, size_t) {
  return 0;
}
int say_nothing(libbpf_print_level, const char*, va_list) {
  return 0;
}

Failure cannot(std::string what) {
  return fail(Code::kTestRun, std::move(what));
}

} // namespace

Result<std::unique_ptr<LocalSide>> LocalSide::ours(const std::string& path) {
  loader::Image image = TRY(loader::open_image(path));
  loader::Session session = TRY(loader::Session::create(image, {}));
  std::unique_ptr<LocalSide> side(new LocalSide(std::move(image), std::move(session)));
  side->program_ = TRY(side->image_.find_program("program"));
  side->local_ = std::make_unique<loader::LocalImage>(
      TRY(loader::LocalImage::map(side->image_, side->session_)));
  side->entry_ = side->local_->entry(side->program_);
  return side;
}

Result<std::unique_ptr<LocalSide>> LocalSide::native(const std::string& image,
                                                     const std::string& library) {
  std::unique_ptr<LocalSide> side = TRY(ours(image));
  TRY(side->use_native(library));
  return side;
}

Status LocalSide::use_native(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    return cannot(dlerror());
  for (uint32_t i = 0; i < image_.maps().size(); ++i) {
    if (image_.maps()[i].section != BPFAOT_MAP_ORDINARY)
      continue;
    const std::string name(image_.string(image_.maps()[i].name));
    const auto* slot = static_cast<const uint32_t*>(dlsym(handle, ("bench_slot_" + name).c_str()));
    if (slot == nullptr || *slot != i)
      return cannot("map '" + name + "' of the image is not slot " + std::to_string(i) + " of " +
                    library);
  }
  const auto block =
      reinterpret_cast<uint8_t* (*)(uint64_t*)>(dlsym(handle, "bench_runtime_block"));
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "bench_entry"));
  if (block == nullptr || entry == nullptr)
    return cannot(library + " is no native program");
  uint64_t size = 0;
  uint8_t* to = block(&size);
  if (size < image_.desc().rt_size)
    return cannot(library + " has too few map slots");
  const uint8_t* base =
      reinterpret_cast<const uint8_t*>(entry_) - image_.entry_address(image_.programs()[program_]);
  std::memcpy(to, base + image_.rt_address(), image_.desc().rt_size);
  entry_ = entry;
  return {};
}

uint32_t LocalSide::flags() const {
  return image_.programs()[program_].flags & kGlue;
}

bool LocalSide::has_maps() const {
  return std::any_of(image_.maps().begin(), image_.maps().end(),
                     [](const bpfaot_map& map) { return map.section != BPFAOT_MAP_RODATA; });
}

bool LocalSide::has_ring() const {
  return std::any_of(image_.maps().begin(), image_.maps().end(),
                     [](const bpfaot_map& map) { return map.type == kRingType; });
}

void LocalSide::empty_rings() const {
  for (uint32_t i = 0; i < image_.maps().size(); ++i) {
    const bpfaot_map_view view = session_.view(i);
    if (image_.maps()[i].type == kRingType)
      bpfaot_ring_consume(&view, drop_record, nullptr, 0);
  }
}

Result<std::unique_ptr<KernelSide>> KernelSide::load(const std::string& path) {
  libbpf_set_print(say_nothing);
  std::unique_ptr<KernelSide> side(new KernelSide());
  side->object_ = bpf_object__open_file(path.c_str(), nullptr);
  if (side->object_ == nullptr || bpf_object__load(side->object_) != 0)
    return cannot("the kernel does not load " + path + ": " + std::strerror(errno));
  const bpf_program* program = bpf_object__find_program_by_name(side->object_, "program");
  if (program == nullptr)
    return cannot(path + " has no such program");
  side->program_ = bpf_program__fd(program);
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, side->object_) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
      side->ring_ = ring_buffer__new(bpf_map__fd(map), drop_sample, nullptr, nullptr);
  }
  return side;
}

KernelSide::~KernelSide() {
  ring_buffer__free(static_cast<ring_buffer*>(ring_));
  bpf_object__close(object_);
}

Result<uint32_t> KernelSide::run(Input& input) const {
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &input, .ctx_size_in = sizeof input);
  if (bpf_prog_test_run_opts(program_, &options) != 0)
    return cannot(std::string("the kernel does not run the program: ") + std::strerror(errno));
  return options.retval;
}

void KernelSide::empty_rings() const {
  if (ring_ != nullptr)
    ring_buffer__consume(static_cast<ring_buffer*>(ring_));
}

} // namespace bpfaot::bench
