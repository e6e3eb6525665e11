// SPDX-License-Identifier: MIT
//
// Records as lines. A record is copied before it is looked at: other processes can write to it.
#include "loader/output.h"

#include "support/hex.h"
#include "support/json.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint32_t kPollLimit = 16384;      // per map, so that one busy map cannot starve the others
constexpr uint32_t kFinalLimit = 1u << 22; // a process that could not be stopped may still produce
constexpr size_t kFlushSize = 1 << 18;

bool is_record_map(const bpfaot_map& map) {
  return is_stream(map.type) || map.section == BPFAOT_MAP_PRINTK;
}

// Text of the target on a terminal: no control characters.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
      c = '?';
  return out;
}

bool has_field(const Image& image, const bpfaot_type& type, std::string_view name) {
  if (type.kind != BPFAOT_TYPE_STRUCT && type.kind != BPFAOT_TYPE_UNION)
    return false;
  for (const bpfaot_member& member : image.members(type)) {
    const std::string_view own = image.string(member.name);
    if (own == name || (own.empty() && has_field(image, image.types()[member.type], name)))
      return true;
  }
  return false;
}

} // namespace

struct Output::Sink {
  Output* output;
  uint32_t map;
};

Output::Output(const Image& image, const Session& session, const MapOutputOptions& options, FILE* out)
    : image_(image), session_(session), options_(options), out_(out) {
  const auto streams = std::count_if(image.maps().begin(), image.maps().end(), [](const bpfaot_map& m) {
    return is_stream(m.type) && m.section == BPFAOT_MAP_ORDINARY;
  });
  has_several_streams_ = streams > 1;
}

int Output::take_record(void* arg, const void* record, uint32_t size, uint32_t cpu) {
  const auto& sink = *static_cast<Sink*>(arg);
  const auto* first = static_cast<const uint8_t*>(record);
  const std::vector<uint8_t> copy(first, first + size);
  if (sink.output->image_.maps()[sink.map].section == BPFAOT_MAP_PRINTK)
    sink.output->append_printk(copy);
  else
    sink.output->append_event(sink.map, copy, cpu);
  if (sink.output->text_.size() >= kFlushSize)
    sink.output->flush();
  return 0;
}

uint64_t Output::drain(uint32_t map, uint32_t limit) {
  Sink sink{this, map};
  const bpfaot_map_view view = session_.view(map);
  const int count = bpfaot_ring_consume(&view, &Output::take_record, &sink, limit);
  return count > 0 ? static_cast<uint64_t>(count) : 0;
}

uint64_t Output::poll() {
  uint64_t count = 0;
  for (uint32_t i = 0; i < image_.maps().size(); ++i)
    if (is_record_map(image_.maps()[i]))
      count += drain(i, kPollLimit);
  flush();
  return count;
}

const bpfaot_event* Output::event_type(uint32_t map, uint32_t size) const {
  const bpfaot_event* open = nullptr;
  for (const bpfaot_event& event : image_.events()) {
    if (event.map != map || event.type == 0)
      continue;
    if (event.size == size)
      return &event;
    if (event.size == BPFAOT_NONE && image_.types()[event.type].size <= size)
      open = &event;
  }
  return open;
}

void Output::append_event(uint32_t map, std::span<const uint8_t> record, uint32_t cpu) {
  const std::string_view name = image_.string(image_.maps()[map].name);
  const bpfaot_event* event = event_type(map, static_cast<uint32_t>(record.size()));
  const bpfaot_type& type = image_.types()[event ? event->type : 0];
  if (!options_.json) {
    if (has_several_streams_)
      text_ += std::string(name) + ": ";
    if (event)
      append_fields(text_, image_.type_tables(), event->type, record);
    else
      append_hex(text_, record);
    text_ += "\n";
    return;
  }
  JsonWriter out;
  out.begin_object();
  // Field names are keys of the line; where one is called like a key of ours, the field wins.
  if (!has_field(image_, type, "type"))
    out.key("type").value("event");
  if (!has_field(image_, type, "map"))
    out.key("map").value(name);
  if (!image_.string(type.name).empty() && !has_field(image_, type, "record"))
    out.key("record").value(image_.string(type.name));
  if (cpu != BPFAOT_NONE && !has_field(image_, type, "cpu"))
    out.key("cpu").value(cpu);
  if (event) {
    append_json_fields(out, image_.type_tables(), event->type, record);
  } else {
    out.key("data").value(hex_digits(record));
  }
  out.end_object();
  text_ += out.take() + "\n";
}

void Output::append_printk(std::span<const uint8_t> record) {
  bpfaot_printk_record head{};
  if (record.size() < sizeof head)
    return;
  std::memcpy(&head, record.data(), sizeof head);
  const size_t size = std::min<size_t>(head.text_size, record.size() - sizeof head);
  std::string_view text(reinterpret_cast<const char*>(record.data() + sizeof head), size);
  text = text.substr(0, text.find('\0'));
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  const std::string comm(head.comm, strnlen(head.comm, sizeof head.comm));
  if (!options_.json) {
    text_ += printable(comm) + "-" + std::to_string(head.tid) + ": ";
    for (const char c : text) // a message of several lines stays several lines
      text_ += c == '\n' ? std::string(1, c) : printable({&c, 1});
    text_ += "\n";
    return;
  }
  JsonWriter out;
  out.begin_object();
  out.key("type").value("printk").key("time_ns").value(head.time_ns);
  out.key("pid").value(head.tgid).key("tid").value(head.tid).key("cpu").value(head.cpu);
  out.key("comm").value(comm).key("text").value(text);
  out.end_object();
  text_ += out.take() + "\n";
}

void Output::append_lost() {
  for (uint32_t i = 0; i < image_.maps().size(); ++i) {
    if (!is_record_map(image_.maps()[i]))
      continue;
    const bpfaot_map_view view = session_.view(i);
    const uint64_t lost = bpfaot_ring_lost(&view);
    if (lost == 0)
      continue;
    const std::string_view name = image_.string(image_.maps()[i].name);
    if (!options_.json) {
      text_ += "lost " + std::to_string(lost) + " events of map " + std::string(name) + "\n";
      continue;
    }
    JsonWriter out;
    out.begin_object();
    out.key("type").value("lost").key("map").value(name).key("count").value(lost);
    out.end_object();
    text_ += out.take() + "\n";
  }
}

void Output::append_missed(const MissedHits& missed) {
  if (missed.hits == 0 && missed.returns == 0)
    return;
  if (!options_.json) {
    text_ += "missed " + std::to_string(missed.hits) + " hits (nested, or no free slot) and " +
             std::to_string(missed.returns) + " returns\n";
    return;
  }
  JsonWriter out;
  out.begin_object();
  out.key("type").value("missed").key("hits").value(missed.hits);
  out.key("returns").value(missed.returns).end_object();
  text_ += out.take() + "\n";
}

void Output::finish(const MissedHits& missed) {
  for (uint32_t i = 0; i < image_.maps().size(); ++i)
    if (is_record_map(image_.maps()[i]))
      drain(i, kFinalLimit);
  append_lost();
  append_missed(missed);
  const std::string maps = print_maps(image_, session_, options_);
  text_ += maps;
  flush();
}

void Output::flush() {
  if (text_.empty())
    return;
  if (fwrite(text_.data(), 1, text_.size(), out_) != text_.size() || fflush(out_) != 0)
    is_good_ = false;
  text_.clear();
}

} // namespace bpfaot::loader
