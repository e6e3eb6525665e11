// SPDX-License-Identifier: MIT
//
// libFuzzer target: shared memory of a session that other processes scribble into while it is read
// and written here. The input is a list of steps: bytes thrown into the memory, operations on maps,
// records taken from rings, everything printed. Each step ends, and no pointer leads out of the map.
#include "loader/map_output.h"
#include "loader/map_snapshot.h"
#include "loader/output.h"
#include "loader/session.h"
#include "tests/unit/loader/image_builder.h"

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

extern "C" {
void* rt_ring_reserve(const bpfaot_map_header* header, void* data, uint64_t size, uint32_t tag, uint32_t tid);
void rt_ring_finish(const bpfaot_map_header* header, void* data, void* record, bool discard);
}

using namespace bpfaot;
using namespace bpfaot::loader;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

FILE* nowhere() {
  static FILE* file = std::fopen("/dev/null", "w");
  return file;
}

Image make_image() {
  test::ImageBuilder builder;
  const uint32_t u32 = builder.integer("unsigned int", 4), u64 = builder.integer("long", 8, BPFAOT_INT_SIGNED);
  const uint32_t text = builder.array(builder.integer("char", 1, BPFAOT_INT_CHAR), 16);
  const uint32_t slots = builder.array(u32, 27);
  const uint32_t record = builder.structure("event", {{"pid", u32}, {"flags", u32}, {"when", u64}, {"comm", text}});
  const uint32_t hist = builder.structure("hist", {{"count", u64}, {"slots", slots}});
  const auto typed = [&](uint32_t map, uint32_t key, uint32_t value) {
    builder.maps[map].key_type = key;
    builder.maps[map].value_type = value;
  };
  typed(builder.map("counts", kMapHash, 4, 8, 64), u32, u64);
  typed(builder.map("records", kMapHash, 16, 32, 16), text, record);
  typed(builder.map("hists", kMapArray, 4, 120, 4), u32, hist);
  typed(builder.map("per_cpu", kMapPercpuArray, 4, 8, 3), u32, u64);
  for (const uint32_t type : {kMapPercpuHash, kMapLruHash, kMapLruPercpuHash})
    typed(builder.map("more", type, 4, 8, 32), u32, u64);
  const uint32_t ring = builder.map("ring", kMapRingbuf, 0, 0, 4096);
  builder.map("perf", kMapPerfEventArray, 4, 4, 0);
  builder.map("queue", 22, 0, 8, 8);
  builder.map("stack", 23, 0, 8, 8);
  builder.map("traces", 7, 4, 64, 8);
  builder.variable("total", BPFAOT_MAP_DATA, u64, {1, 0, 0, 0, 0, 0, 0, 0});
  builder.events.push_back({ring, 32, record, BPFAOT_NONE});
  // Types that this build does not create yet are left out, last first.
  for (;;) {
    auto image = open_image_bytes("fuzz.so", builder.build(), ImageUse::inspect);
    require(image.has_value());
    if (Session::create(*image, {}))
      return *std::move(image);
    const auto bad = std::find_if(builder.maps.begin(), builder.maps.end(), [&](const bpfaot_map& map) {
      bpfaot_map_header header{};
      header.size = sizeof header;
      header.type = map.type;
      header.key_size = map.key_size;
      header.value_size = map.value_size;
      header.max_entries = map.max_entries;
      header.cpus = 4;
      return bpfaot_map_layout(&header) != 0;
    });
    require(bad != builder.maps.end());
    bad->type = kMapArray;
    bad->key_size = 4;
  }
}

// Changes words while somebody reads them: what was checked may be different when it is used.
class Scribbler {
public:
  explicit Scribbler(std::vector<uint64_t*> words, uint64_t value)
      : words_(std::move(words)), value_(value), thread_([this] {
          while (!stop_)
            for (uint64_t* word : words_)
              __atomic_fetch_xor(word, value_, __ATOMIC_RELAXED);
        }) {}
  ~Scribbler() {
    stop_ = true;
    thread_.join();
  }

private:
  std::vector<uint64_t*> words_;
  uint64_t value_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct Input {
  const uint8_t* at;
  const uint8_t* end;
  template <class T> T take() {
    T value{};
    const size_t have = std::min<size_t>(sizeof value, static_cast<size_t>(end - at));
    std::memcpy(&value, at, have);
    at += have;
    return value;
  }
};

class Run {
public:
  Run(const Image& image, Session session, Input input) : image_(image), session_(std::move(session)), input_(input) {}

  void steps() {
    for (int i = 0; i < 48 && input_.at < input_.end; ++i)
      step();
  }

private:
  uint32_t map() { return input_.take<uint8_t>() % static_cast<uint32_t>(image_.maps().size()); }

  // In a map's data or in the session's head; the first bytes are the interesting ones.
  uint64_t* word(uint32_t index, uint32_t where) {
    const bpfaot_map_header& header = session_.header(index);
    uint8_t* base = static_cast<uint8_t*>(session_.view(index).data);
    uint64_t size = header.data_size;
    if (base < reinterpret_cast<uint8_t*>(&session_.shared())) { // the const region is sealed
      base = reinterpret_cast<uint8_t*>(&session_.shared());
      size = 4096;
    }
    const uint64_t span = (where & 3) == 0 ? size : std::min<uint64_t>(size, 512);
    return reinterpret_cast<uint64_t*>(base + (where >> 2) * 8 % span);
  }

  void check_inside(uint32_t index, const void* value, uint64_t size) {
    const bpfaot_map_view view = session_.view(index);
    const auto at = static_cast<uint64_t>(static_cast<const uint8_t*>(value) - static_cast<uint8_t*>(view.data));
    require(at <= view.header->data_size && view.header->data_size - at >= size);
  }

  struct Taker {
    Run* run;
    uint32_t map;
    uint64_t count = 0;
  };
  static int take_record(void* arg, const void* record, uint32_t size, uint32_t) {
    auto& taker = *static_cast<Taker*>(arg);
    taker.run->check_inside(taker.map, record, size);
    const auto* first = static_cast<const uint8_t*>(record);
    volatile uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i += 64)
      sum = sum + first[i];
    require(++taker.count < (1u << 20));
    return 0;
  }

  void adopt() {
    UniqueFd const_fd(memfd_create("const", MFD_ALLOW_SEALING));
    std::vector<uint8_t> bytes(session_.const_size());
    require(pread(session_.const_fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    const auto* constants = reinterpret_cast<const bpfaot_const*>(bytes.data());
    const uint64_t interesting = constants->headers_off + image_.maps().size() * sizeof(bpfaot_map_header);
    for (int changes = input_.take<uint8_t>() % 4; changes != 0; --changes) {
      const uint64_t at = input_.take<uint16_t>() % interesting;
      const auto value = input_.take<uint32_t>();
      std::memcpy(&bytes[at & ~uint64_t{3}], &value, sizeof value);
    }
    require(write(const_fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    fcntl(const_fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    const auto other = Session::adopt(image_, std::move(const_fd), UniqueFd(dup(session_.data_fd())));
    if (other)
      for (const bool json : {false, true})
        (void)print_maps(image_, *other, {json, json, true});
  }

  void step() {
    const uint8_t what = input_.take<uint8_t>();
    const uint32_t index = map();
    const bpfaot_map_view view = session_.view(index);
    const bpfaot_map_header& header = *view.header;
    uint8_t key[256] = {}, next[256] = {}, value[4096] = {};
    switch (what % 16) {
    case 0:
    case 1: *word(index, input_.take<uint16_t>()) = input_.take<uint64_t>(); break;
    case 2: *word(index, input_.take<uint16_t>()) ^= uint64_t{1} << input_.take<uint8_t>() % 64; break;
    case 3: *word(index, input_.take<uint16_t>()) += static_cast<uint64_t>(int64_t{input_.take<int8_t>()}); break;
    case 4:
    case 5: {
      const auto seed = input_.take<uint32_t>();
      std::memcpy(key, &seed, sizeof seed);
      const void* found = bpfaot_map_lookup(&view, key, input_.take<uint8_t>() % header.cpus);
      if (found != nullptr)
        check_inside(index, found, header.value_size);
      break;
    }
    case 6:
    case 7: {
      const auto seed = input_.take<uint32_t>();
      std::memcpy(key, &seed, sizeof seed);
      value[0] = static_cast<uint8_t>(seed);
      (void)bpfaot_map_update(&view, key, value, input_.take<uint8_t>() % 4, input_.take<uint8_t>() % header.cpus);
      break;
    }
    case 8: {
      const auto seed = input_.take<uint32_t>();
      std::memcpy(key, &seed, sizeof seed);
      (void)bpfaot_map_delete(&view, key);
      break;
    }
    case 9:
      for (int i = 0; i < 200 && bpfaot_map_next_key(&view, i == 0 ? nullptr : key, next) == 0; ++i)
        std::memcpy(key, next, sizeof key);
      break;
    case 10: {
      if (!is_stream(header.type))
        break;
      const auto size = input_.take<uint16_t>() % 600u;
      void* record = rt_ring_reserve(&header, view.data, size, index, 1);
      if (record == nullptr)
        break;
      check_inside(index, record, size);
      std::memset(record, 0x41, size);
      rt_ring_finish(&header, view.data, record, (what & 16) != 0);
      break;
    }
    case 11: {
      Taker taker{this, index};
      if (is_stream(header.type))
        (void)bpfaot_ring_consume(&view, take_record, &taker, (what & 16) ? 0 : 100);
      break;
    }
    case 12:
      if (holds_values(header.type)) // a map without keys numbers its values
        for (const MapEntry& entry : snapshot(image_, session_, index))
          require(entry.key.size() == (header.key_size != 0 ? header.key_size : sizeof(uint32_t)));
      break;
    case 13: {
      Output output(image_, session_, {(what & 16) != 0, (what & 32) != 0, true}, nowhere());
      (void)output.poll();
      output.finish();
      break;
    }
    case 14: adopt(); break;
    default:
      if (!scribbler_) {
        std::vector<uint64_t*> words;
        for (int count = 1 + input_.take<uint8_t>() % 4; count != 0; --count)
          words.push_back(word(index, input_.take<uint16_t>()));
        scribbler_ = std::make_unique<Scribbler>(std::move(words), input_.take<uint64_t>());
      }
    }
  }

  const Image& image_;
  Session session_;
  Input input_;
  std::unique_ptr<Scribbler> scribbler_; // stops before the session goes
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Image image = make_image();
  auto session = Session::create(image, {});
  require(session.has_value());
  Run(image, *std::move(session), {data, data + size}).steps();
  return 0;
}
