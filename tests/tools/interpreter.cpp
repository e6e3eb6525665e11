// SPDX-License-Identifier: MIT
#include "tests/tools/interpreter.h"

#include <cstdio>
#include <cstring>

namespace bpfaot::tests {
namespace {

using namespace bpf;

constexpr uint64_t kGap = uint64_t{1} << 33; // no 32-bit slip leads from one region to another
constexpr uint32_t kFrameBytes = 512;
constexpr size_t kMostFrames = 8;

std::string hex(uint64_t x) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(x));
  return text;
}

uint64_t low_bits(uint64_t x, uint32_t bits) {
  return bits == 64 ? x : x & ((uint64_t{1} << bits) - 1);
}

// The low `bits` as a signed number.
int64_t as_signed(uint64_t x, uint32_t bits) {
  const uint64_t sign = uint64_t{1} << (bits - 1);
  return static_cast<int64_t>((low_bits(x, bits) ^ sign) - sign);
}

uint32_t bits_of(Width width) {
  return width == Width::w64 ? 64 : 32;
}

// Operands and result are numbers below 2^bits.
uint64_t compute(AluOp op, uint64_t a, uint64_t b, uint32_t bits) {
  const int64_t signed_a = as_signed(a, bits), signed_b = as_signed(b, bits);
  const uint64_t count = b % bits;
  switch (op) {
  case AluOp::add: return a + b;
  case AluOp::sub: return a - b;
  case AluOp::mul: return a * b;
  case AluOp::div: return b == 0 ? 0 : a / b;
  case AluOp::mod: return b == 0 ? a : a % b;
  case AluOp::sdiv:
    if (b == 0)
      return 0;
    return signed_b == -1 ? 0 - a : static_cast<uint64_t>(signed_a / signed_b);
  case AluOp::smod:
    if (b == 0)
      return a;
    return signed_b == -1 ? 0 : static_cast<uint64_t>(signed_a % signed_b);
  case AluOp::bit_or: return a | b;
  case AluOp::bit_and: return a & b;
  case AluOp::bit_xor: return a ^ b;
  case AluOp::lsh: return a << count;
  case AluOp::rsh: return a >> count;
  case AluOp::arsh: return static_cast<uint64_t>(signed_a >> count);
  case AluOp::mov: return b;
  }
  return 0;
}

bool holds(Cond cond, uint64_t a, uint64_t b, uint32_t bits) {
  const int64_t signed_a = as_signed(a, bits), signed_b = as_signed(b, bits);
  switch (cond) {
  case Cond::eq: return a == b;
  case Cond::ne: return a != b;
  case Cond::ugt: return a > b;
  case Cond::uge: return a >= b;
  case Cond::ult: return a < b;
  case Cond::ule: return a <= b;
  case Cond::sgt: return signed_a > signed_b;
  case Cond::sge: return signed_a >= signed_b;
  case Cond::slt: return signed_a < signed_b;
  case Cond::sle: return signed_a <= signed_b;
  case Cond::set: return (a & b) != 0;
  }
  return false;
}

uint64_t swapped(uint64_t x, uint32_t bits) {
  uint64_t result = 0;
  for (uint32_t i = 0; i < bits; i += 8)
    result |= (x >> i & 0xff) << (bits - 8 - i);
  return result;
}

} // namespace

// Frames of long runs would pile up: of what is freed, the newest stay, for messages.
void Memory::forget_freed() {
  constexpr size_t kMost = 64;
  if (regions_.size() > kMost)
    std::erase_if(regions_, [](const Region& region) { return !region.live; });
}

Region& Memory::add(std::string owner, std::vector<uint8_t> bytes, bool writable) {
  forget_freed();
  Region& region = regions_.emplace_back();
  region.owner = std::move(owner);
  region.base = next_;
  region.written.assign(bytes.size(), true);
  region.bytes = std::move(bytes);
  region.writable = writable;
  next_ = (region.end() + kGap) & ~uint64_t{4095};
  return region;
}

Region* Memory::find(uint64_t address, uint64_t size) {
  for (Region& region : regions_)
    if (region.live && region.contains(address, size))
      return &region;
  return nullptr;
}

std::string Memory::describe(uint64_t address) const {
  for (const Region& region : regions_)
    if (address + kGap / 2 >= region.base && address <= region.end() + kGap / 2)
      return std::to_string(static_cast<int64_t>(address - region.base)) + " from the start of " +
             region.owner + " (" + std::to_string(region.bytes.size()) + " bytes" +
             (region.live ? ")" : ", freed)");
  return hex(address) + ", far from everything";
}

void Interpreter::problem(std::string text) {
  if (over_)
    return; // the first one counts
  over_ = true;
  const ProgramInsn& at = program_.at(pc_);
  outcome_.problem =
      std::move(text) + " at slot " + std::to_string(at.slot.value) + ": " + print(at.insn);
}

void Interpreter::enter(FuncId function, InsnIndex return_to) {
  Frame frame;
  frame.function = function;
  frame.return_to = return_to;
  Region& stack = memory_.add("frame " + std::to_string(frames_.size()) + " of " +
                                  program_.functions[function.value].name,
                              std::vector<uint8_t>(kFrameBytes, 0xa5));
  stack.written.assign(kFrameBytes, false);
  frame.stack = &stack;
  frame.regs[kFramePointer.number] = stack.end();
  frame.written = 1u << kFramePointer.number;
  frames_.push_back(frame);
  next_ = program_.functions[function.value].begin;
  world_.enter(function, stack);
}

Outcome Interpreter::run(std::span<const uint64_t> arguments) {
  outcome_ = {};
  over_ = false;
  frames_.clear();
  pc_ = program_.functions[0].begin;
  enter(FuncId(0), {});
  for (size_t i = 0; i < arguments.size(); ++i)
    write(Reg{static_cast<uint8_t>(i + 1)}, arguments[i]);
  for (uint64_t steps = 0; !over_; ++steps) {
    pc_ = next_;
    if (pc_ >= program_.functions[top().function.value].end) {
      pc_ = InsnIndex(pc_.value - 1);
      problem("control runs past the end of the function");
      break;
    }
    if (steps == step_limit_) {
      problem("the program does not end");
      break;
    }
    if (std::string found = world_.before(*this, pc_); !found.empty())
      problem(std::move(found));
    next_ = pc_.next();
    if (!over_)
      std::visit([this](const auto& insn) { on(insn); }, program_.at(pc_).insn);
  }
  for (const Frame& frame : frames_)
    frame.stack->live = false;
  return outcome_;
}

std::optional<uint64_t> Interpreter::frame_of(FuncId function) const {
  for (size_t i = frames_.size(); i > 0; --i)
    if (frames_[i - 1].function == function)
      return frames_[i - 1].stack->end();
  return std::nullopt;
}

uint64_t Interpreter::read(Reg r) {
  if (!is_written(r.number))
    problem("r" + std::to_string(r.number) + " was never written");
  return top().regs[r.number];
}

void Interpreter::write(Reg r, uint64_t value) {
  if (r == kFramePointer)
    return problem("r10 is written");
  top().regs[r.number] = value;
  top().written = static_cast<uint16_t>(top().written | 1u << r.number);
}

uint64_t Interpreter::read(const Operand& operand) {
  if (const auto* r = std::get_if<Reg>(&operand))
    return read(*r);
  return static_cast<uint64_t>(int64_t{std::get<int32_t>(operand)});
}

uint64_t Interpreter::load(uint64_t address, uint32_t size) {
  const Region* region = memory_.find(address, size);
  if (region == nullptr) {
    problem("load of " + std::to_string(size) + " bytes " + memory_.describe(address));
    return 0;
  }
  uint64_t value = 0;
  for (uint32_t i = 0; i < size; ++i)
    value |= uint64_t{region->bytes[address - region->base + i]} << (8 * i);
  return value;
}

void Interpreter::store(uint64_t address, uint32_t size, uint64_t value) {
  Region* region = memory_.find(address, size);
  if (region == nullptr)
    return problem("store of " + std::to_string(size) + " bytes " + memory_.describe(address));
  if (!region->writable)
    return problem("store into " + region->owner + ", which is read-only,");
  for (uint32_t i = 0; i < size; ++i) {
    region->bytes[address - region->base + i] = static_cast<uint8_t>(value >> (8 * i));
    region->written[address - region->base + i] = true;
  }
}

void Interpreter::on(const Alu& insn) {
  const uint32_t bits = bits_of(insn.width);
  const uint64_t b = low_bits(read(insn.src), bits);
  const uint64_t a = insn.op == AluOp::mov ? 0 : low_bits(read(insn.dst), bits);
  write(insn.dst, low_bits(compute(insn.op, a, b, bits), bits));
}

void Interpreter::on(const Neg& insn) {
  write(insn.dst, low_bits(0 - read(insn.dst), bits_of(insn.width)));
}

void Interpreter::on(const MovSx& insn) {
  const auto wide = static_cast<uint64_t>(as_signed(read(insn.src), insn.bits));
  write(insn.dst, low_bits(wide, bits_of(insn.width)));
}

void Interpreter::on(const ByteSwap& insn) {
  const uint64_t value = low_bits(read(insn.dst), insn.bits);
  write(insn.dst, insn.kind == SwapKind::to_le ? value : swapped(value, insn.bits));
}

void Interpreter::on(const AddrSpaceCast&) {
  problem("there are no other address spaces");
}

void Interpreter::on(const LoadImm64& insn) {
  const auto low = static_cast<uint32_t>(insn.imm);
  switch (insn.kind) {
  case Imm64Kind::imm: return write(insn.dst, insn.imm);
  case Imm64Kind::map: return write(insn.dst, world_.map_handle(MapId(low)));
  case Imm64Kind::map_value:
    return write(insn.dst, world_.map_value(MapId(low)) + (insn.imm >> 32));
  case Imm64Kind::func: return write(insn.dst, function_address(FuncId(low)));
  case Imm64Kind::ksym:
  case Imm64Kind::map_index:
  case Imm64Kind::map_index_value: break;
  }
  problem("an address that means nothing here");
}

void Interpreter::on(const Load& insn) {
  const uint32_t size = bytes(insn.size);
  const uint64_t value = load(read(insn.base) + static_cast<uint64_t>(int64_t{insn.off}), size);
  write(insn.dst, insn.sign_extend ? static_cast<uint64_t>(as_signed(value, size * 8)) : value);
}

void Interpreter::on(const Store& insn) {
  store(read(insn.base) + static_cast<uint64_t>(int64_t{insn.off}), bytes(insn.size),
        read(insn.src));
}

void Interpreter::on(const Atomic& insn) {
  const uint32_t size = bytes(insn.size);
  const uint64_t address = read(insn.base) + static_cast<uint64_t>(int64_t{insn.off});
  if (address % size != 0)
    return problem("an atomic access that is not naturally aligned");
  const uint64_t old = load(address, size);
  const uint64_t value = low_bits(read(insn.src), size * 8);
  switch (insn.op) {
  case AtomicOp::add: store(address, size, old + value); break;
  case AtomicOp::bit_or: store(address, size, old | value); break;
  case AtomicOp::bit_and: store(address, size, old & value); break;
  case AtomicOp::bit_xor: store(address, size, old ^ value); break;
  case AtomicOp::exchange: store(address, size, value); break;
  case AtomicOp::compare_exchange:
    // Equal or not, r0 is the old value, zero-extended.
    if (low_bits(read(Reg{0}), size * 8) == old)
      store(address, size, value);
    return write(Reg{0}, old);
  }
  if (insn.fetch)
    write(insn.src, old);
}

void Interpreter::on(const LoadAcquire& insn) {
  const uint64_t address = read(insn.base) + static_cast<uint64_t>(int64_t{insn.off});
  if (address % bytes(insn.size) != 0)
    return problem("an atomic access that is not naturally aligned");
  write(insn.dst, load(address, bytes(insn.size)));
}

void Interpreter::on(const StoreRelease& insn) {
  const uint64_t address = read(insn.base) + static_cast<uint64_t>(int64_t{insn.off});
  if (address % bytes(insn.size) != 0)
    return problem("an atomic access that is not naturally aligned");
  store(address, bytes(insn.size), read(insn.src));
}

// Outside of the packet the whole program ends with 0.
void Interpreter::on(const LegacyPacketLoad& insn) {
  read(Reg{6}); // the context, which the program must have put there
  const std::optional<std::span<const uint8_t>> packet = world_.packet();
  if (!packet)
    return problem("there is no packet");
  if (frames_.size() != 1)
    return problem("a packet load in a subprogram");
  // Offsets are 32 bits wide and signed: what is beyond 2^31 lies before the packet.
  const uint64_t sum =
      static_cast<uint64_t>(int64_t{insn.imm}) + (insn.indirect ? low_bits(read(insn.src), 32) : 0);
  const int64_t at = as_signed(sum, 32);
  const uint32_t size = bytes(insn.size);
  if (at < 0 || static_cast<uint64_t>(at) + size > packet->size()) {
    outcome_.r0 = 0;
    over_ = true;
    return;
  }
  uint64_t value = 0;
  for (uint32_t i = 0; i < size; ++i)
    value = value << 8 | (*packet)[static_cast<size_t>(at) + i];
  top().written = static_cast<uint16_t>(top().written & ~0x3eu);
  write(Reg{0}, value);
}

void Interpreter::on(const Jump&) {
  next_ = program_.at(pc_).target;
}

void Interpreter::on(const Branch& insn) {
  const uint32_t bits = bits_of(insn.width);
  const bool taken =
      holds(insn.cond, low_bits(read(insn.dst), bits), low_bits(read(insn.src), bits), bits);
  if (std::string found = world_.branch(pc_, taken); !found.empty())
    return problem(std::move(found));
  if (taken)
    next_ = program_.at(pc_).target;
}

void Interpreter::on(const MayGoto&) {
  if (top().budget == 0)
    next_ = program_.at(pc_).target;
  else
    --top().budget;
}

void Interpreter::call_helper(int32_t id) {
  std::array<uint64_t, 5> arguments{};
  std::copy(top().regs.begin() + 1, top().regs.begin() + 6, arguments.begin());
  const std::optional<uint64_t> result = world_.call_helper(id, arguments);
  if (!result)
    return problem("there is no helper " + std::to_string(id));
  top().written = static_cast<uint16_t>(top().written & ~0x3eu);
  write(Reg{0}, *result);
}

void Interpreter::call(FuncId function) {
  if (frames_.size() == kMostFrames)
    return problem("too many frames");
  const Frame caller = top();
  enter(function, next_);
  for (uint8_t r = 1; r <= 5; ++r)
    if ((caller.written >> r & 1) != 0)
      write(Reg{r}, caller.regs[r]);
}

void Interpreter::on(const CallHelper& insn) {
  call_helper(insn.id);
}

void Interpreter::on(const CallLocal&) {
  call(program_.at(pc_).callee);
}

void Interpreter::on(const CallKfunc&) {
  problem("there are no kernel functions");
}

void Interpreter::on(const CallIndirect& insn) {
  const uint64_t target = read(insn.target);
  for (uint32_t f = 0; f < program_.functions.size(); ++f)
    if (target == function_address(FuncId(f)))
      return call(FuncId(f));
  if (target > INT32_MAX)
    return problem("call of " + hex(target));
  call_helper(static_cast<int32_t>(target));
}

void Interpreter::on(const Exit&) {
  const uint64_t result = frames_.size() == 1 || is_written(0) ? read(Reg{0}) : 0;
  const bool has_result = is_written(0);
  if (frames_.size() == 1) {
    if (!over_)
      outcome_.r0 = result;
    over_ = true;
    return;
  }
  next_ = top().return_to;
  top().stack->live = false;
  frames_.pop_back();
  top().written = static_cast<uint16_t>(top().written & ~0x3fu);
  if (has_result)
    write(Reg{0}, result);
}

} // namespace bpfaot::tests
