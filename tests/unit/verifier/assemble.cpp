// SPDX-License-Identifier: MIT
//
// A two-pass assembler over bpf::parse_insn().
#include "unit/verifier/assemble.h"

#include "bpf/helpers.h"
#include "support/render.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace bpfaot::verifier::test {
namespace {

using namespace bpf;

struct Line {
  std::string text;
  uint32_t number;
};

std::string trimmed(std::string text) {
  if (const size_t comment = text.find("//"); comment != std::string::npos)
    text.resize(comment);
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

class Assembler {
public:
  explicit Assembler(std::vector<MapDef> maps) : object_(std::make_shared<Object>()) {
    object_->maps = std::move(maps);
    object_->license = "GPL";
  }

  std::shared_ptr<const Program> run(std::string_view text) {
    read(text);
    program_->name = "test";
    program_->object = object_;
    uint32_t slot = 0;
    for (const Line& line : lines_) {
      slots_.push_back(slot);
      slot += line.text.find(" = map ") != std::string::npos ||
                      line.text.find(" = value ") != std::string::npos ||
                      line.text.find(" = func ") != std::string::npos ||
                      (line.text[0] == 'r' && line.text.find(" = 0x") != std::string::npos)
                  ? 2
                  : 1;
    }
    slots_.push_back(slot);
    for (size_t i = 0; i < lines_.size(); ++i)
      program_->insns.push_back(translate(i));
    for (size_t f = 0; f < functions_.size(); ++f)
      program_->functions.push_back(
          {functions_[f].first, InsnIndex(functions_[f].second),
           InsnIndex(f + 1 < functions_.size() ? functions_[f + 1].second : lines_.size())});
    return program_;
  }

private:
  void read(std::string_view text) {
    functions_.push_back({"test", 0});
    std::istringstream stream{std::string(text)};
    std::string raw;
    for (uint32_t number = 1; std::getline(stream, raw); ++number) {
      std::string line = trimmed(raw);
      if (line.empty())
        continue;
      if (line.ends_with(':')) {
        line.pop_back();
        if (line.starts_with("func "))
          functions_.push_back({line.substr(5), lines_.size()});
        else
          labels_[line] = lines_.size();
        continue;
      }
      lines_.push_back({line, number});
      program_->lines.push_back({"test.c", line, number, 1});
    }
  }

  MapId map_named(const std::string& name) {
    for (size_t i = 0; i < object_->maps.size(); ++i)
      if (object_->maps[i].name == name)
        return MapId(i);
    ADD_FAILURE() << "no map " << name;
    return MapId(0);
  }

  ProgramInsn translate(size_t i) {
    ProgramInsn at;
    at.slot = SlotIndex(slots_[i]);
    at.line = static_cast<uint32_t>(i);
    std::istringstream words(lines_[i].text);
    std::string first, equals, kind, name;
    uint32_t offset = 0;
    words >> first >> equals >> kind >> name >> offset;
    if (first[0] == 'r' && equals == "=" && (kind == "map" || kind == "value")) {
      const Reg dst{static_cast<uint8_t>(std::stoi(first.substr(1)))};
      const uint64_t low = map_named(name).value;
      at.insn = LoadImm64{kind == "map" ? Imm64Kind::map : Imm64Kind::map_value, dst,
                          low | uint64_t{offset} << 32};
      return at;
    }
    if (first[0] == 'r' && equals == "=" && kind == "func") {
      const Reg dst{static_cast<uint8_t>(std::stoi(first.substr(1)))};
      for (size_t f = 0; f < functions_.size(); ++f)
        if (functions_[f].first == name)
          at.callee = FuncId(f);
      if (!at.callee.valid())
        ADD_FAILURE() << "no function " << name;
      at.insn = LoadImm64{Imm64Kind::func, dst, at.callee.value};
      return at;
    }
    if (first == "call" && !equals.starts_with("bpf_") &&
        !std::isdigit(static_cast<unsigned char>(equals[0]))) {
      for (size_t f = 0; f < functions_.size(); ++f)
        if (functions_[f].first == equals) {
          at.callee = FuncId(f);
          at.insn = CallLocal{static_cast<int32_t>(slots_[functions_[f].second]) -
                              static_cast<int32_t>(slots_[i]) - 1};
          return at;
        }
    }
    if (first == "call" && equals.starts_with("bpf_")) {
      for (const HelperInfo& helper : all_helpers())
        if ("bpf_" + std::string(helper.name) == equals) {
          at.insn = CallHelper{helper.id};
          return at;
        }
      if (const HelperInfo* kfunc = find_kfunc(equals)) {
        at.insn = CallKfunc{kfunc->id, 0};
        return at;
      }
    }
    parse(at, i);
    return at;
  }

  void parse(ProgramInsn& at, size_t i) {
    std::string text = lines_[i].text;
    if (size_t go = text.find("goto"); go != std::string::npos) {
      go = text.find(' ', go) - 4; // "goto" and "gotol"
      const auto label = labels_.find(text.substr(go + 5));
      if (label == labels_.end()) {
        ADD_FAILURE() << "no label in: " << text;
        return;
      }
      at.target = InsnIndex(label->second);
      const int64_t distance = int64_t{slots_[label->second]} - slots_[i] - 1;
      text = text.substr(0, go + 5) + (distance >= 0 ? "+" : "") + std::to_string(distance);
    }
    auto insn = parse_insn(text);
    if (!insn)
      ADD_FAILURE() << text << ": " << insn.error().message;
    else
      at.insn = *insn;
  }

  std::shared_ptr<Object> object_;
  std::shared_ptr<Program> program_ = std::make_shared<Program>();
  std::vector<Line> lines_;
  std::vector<uint32_t> slots_;
  std::map<std::string, size_t> labels_;
  std::vector<std::pair<std::string, size_t>> functions_;
};

} // namespace

MapDef hash_map(std::string name, uint32_t key_size, uint32_t value_size) {
  MapDef map;
  map.name = std::move(name);
  map.type = MapType::hash;
  map.key_size = key_size;
  map.value_size = value_size;
  map.max_entries = 64;
  return map;
}

MapDef array_map(std::string name, uint32_t value_size, uint32_t max_entries) {
  MapDef map = hash_map(std::move(name), 4, value_size);
  map.type = MapType::array;
  map.max_entries = max_entries;
  return map;
}

MapDef ring_buffer(std::string name) {
  MapDef map;
  map.name = std::move(name);
  map.type = MapType::ringbuf;
  map.max_entries = 4096;
  return map;
}

MapDef perf_array(std::string name) {
  MapDef map = hash_map(std::move(name), 4, 4);
  map.type = MapType::perf_event_array;
  return map;
}

MapDef prog_array(std::string name) {
  MapDef map = hash_map(std::move(name), 4, 4);
  map.type = MapType::prog_array;
  return map;
}

MapDef map_of_maps(std::string name, uint32_t inner) {
  MapDef map = hash_map(std::move(name), 4, 4);
  map.type = MapType::array_of_maps;
  map.inner = MapId(inner);
  return map;
}

MapDef queue_map(std::string name, uint32_t value_size) {
  MapDef map = hash_map(std::move(name), 0, value_size);
  map.type = MapType::queue;
  return map;
}

MapDef rodata(std::string contents) {
  MapDef map = array_map(".rodata", static_cast<uint32_t>(contents.size()), 1);
  map.section = MapSection::rodata;
  map.flags = 0x80;
  map.initial.assign(contents.begin(), contents.end());
  return map;
}

MapDef bss(uint32_t size) {
  MapDef map = array_map(".bss", size, 1);
  map.section = MapSection::bss;
  return map;
}

std::shared_ptr<const Program> assemble(std::string_view text, std::vector<MapDef> maps) {
  return Assembler(std::move(maps)).run(text);
}

Options pt_regs_options() {
  Options options;
  options.ctx.name = "pt_regs of x86_64";
  options.ctx.size = 168;
  return options;
}

Outcome check(std::string_view text, std::vector<MapDef> maps) {
  return check(text, std::move(maps), pt_regs_options());
}

Outcome check(std::string_view text, std::vector<MapDef> maps, const Options& options) {
  Outcome outcome;
  auto verified = verify(assemble(text, std::move(maps)), options);
  if (verified) {
    outcome.accepted = true;
    outcome.facts = verified->facts();
    return outcome;
  }
  const Diagnostic& d = verified.error();
  outcome.code = code_text(d.code);
  outcome.slot = d.slot.value_or(UINT32_MAX);
  outcome.message = render_human(d, Colour::never);
  return outcome;
}

} // namespace bpfaot::verifier::test
