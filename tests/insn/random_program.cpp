// SPDX-License-Identifier: MIT
#include "tests/insn/random_program.h"

#include <cstring>
#include <iterator>

namespace bpfaot::tests {
namespace {

using namespace bpf;

// Not of <random>: its distributions differ between libraries.
class Random {
public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15; // splitmix64
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(next() >> 33) % limit; }
  bool once_in(uint32_t n) { return below(n) == 0; }
  template <class T, size_t N> T pick(const T (&of)[N]) { return of[below(N)]; }

private:
  uint64_t state_;
};

constexpr uint64_t kEdges[] = {0,
                               1,
                               2,
                               3,
                               7,
                               31,
                               32,
                               63,
                               64,
                               127,
                               128,
                               255,
                               256,
                               0x7fff,
                               0x8000,
                               0xffff,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               0x100000000,
                               0x7fffffffffffffff,
                               0x8000000000000000,
                               0x8000000000000001,
                               0xfffffffffffffffe,
                               0xffffffffffffffff,
                               0xffffffff80000000,
                               0xffffffff7fffffff,
                               0x0123456789abcdef};

uint64_t number(Random& random) {
  const uint64_t edge = random.pick(kEdges);
  switch (random.below(4)) {
  case 0: return random.next();
  case 1: return edge + random.below(5) - 2;
  default: return edge;
  }
}

constexpr Reg kMemory{6}, kCounter{9};
constexpr uint8_t kScalars[] = {0, 1, 2, 3, 4, 5, 7, 8};
constexpr int16_t kPointerSlot = -72; // below the 64 bytes that hold numbers
constexpr Size kSizes[] = {Size::b1, Size::b2, Size::b4, Size::b8};

class Generator {
public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::vector<uint8_t> run() {
    functions_ = random_.once_in(3) ? 0 : 1 + random_.below(2);
    labels_.assign(functions_ + 1, SIZE_MAX); // label f is the start of function f
    function(0);
    for (uint32_t f = 1; f <= functions_; ++f)
      function(f);
    return encoded();
  }

private:
  struct Item {
    Insn insn;
    size_t label; // whose distance the instruction needs; SIZE_MAX = none
  };

  // --- instructions and labels

  void add(const Insn& insn, size_t label = SIZE_MAX) { items_.push_back({insn, label}); }
  size_t new_label() {
    labels_.push_back(SIZE_MAX);
    return labels_.size() - 1;
  }
  void place(size_t label) { labels_[label] = items_.size(); }

  std::vector<uint8_t> encoded() const {
    std::vector<int64_t> slots;
    int64_t slot = 0;
    for (const Item& item : items_) {
      slots.push_back(slot);
      slot += slot_count(item.insn);
    }
    slots.push_back(slot);
    std::vector<RawInsn> raw;
    for (size_t i = 0; i < items_.size(); ++i) {
      Insn insn = items_[i].insn;
      if (items_[i].label != SIZE_MAX) {
        const auto distance =
            static_cast<int32_t>(slots[labels_[items_[i].label]] - (slots[i] + 1));
        std::visit(overloaded{[&](Jump& i) { i.off = distance; },
                              [&](Branch& i) { i.off = static_cast<int16_t>(distance); },
                              [&](MayGoto& i) { i.off = static_cast<int16_t>(distance); },
                              [&](CallLocal& i) { i.off = distance; },
                              [&](LoadImm64& i) { i.imm = static_cast<uint32_t>(distance); },
                              [](auto&) {}},
                   insn);
      }
      encode(insn, raw);
    }
    std::vector<uint8_t> bytes(raw.size() * sizeof(RawInsn));
    std::memcpy(bytes.data(), raw.data(), bytes.size());
    return bytes;
  }

  // --- operands

  Reg scalar() { return Reg{random_.pick(kScalars)}; }
  Width width() { return random_.once_in(2) ? Width::w32 : Width::w64; }
  int32_t constant() { return static_cast<int32_t>(number(random_)); }
  Operand operand() { return random_.once_in(2) ? Operand(scalar()) : Operand(constant()); }
  Cond condition() { return static_cast<Cond>(random_.below(11)); }
  void move(Reg dst, const Operand& src) { add(Alu{AluOp::mov, Width::w64, dst, src}); }

  struct Place {
    Reg base;
    int16_t off;
  };
  // `size` bytes of the stack's numbers or of the memory.
  Place place_of(uint32_t size, bool aligned) {
    if (random_.once_in(2))
      return {kFramePointer,
              static_cast<int16_t>(-static_cast<int32_t>(size * (1 + random_.below(64 / size))))};
    const uint32_t off = aligned || in_function_ ? size * random_.below(kRandomMemory / size)
                                                 : random_.below(kRandomMemory - size + 1);
    return {kMemory, static_cast<int16_t>(off)};
  }

  // --- functions

  // Main: r1 is the memory. Others: r1 is 64 bytes of the memory or of the caller's stack, r2 to r5
  // are numbers. Either way all scalars and the 64 bytes of stack are numbers afterwards.
  void function(uint32_t index) {
    in_function_ = index != 0;
    index_ = index;
    place(index);
    move(kMemory, Reg{1});
    for (const uint8_t r : kScalars) {
      if (in_function_ && r >= 2 && r <= 5)
        continue;
      if (random_.once_in(4))
        add(LoadImm64{Imm64Kind::imm, Reg{r}, number(random_)});
      else
        add(Load{Size::b8, false, Reg{r}, kMemory, static_cast<int16_t>(8 * random_.below(8))});
    }
    for (int16_t slot = 1; slot <= 8; ++slot)
      add(Store{Size::b8, kFramePointer, static_cast<int16_t>(-8 * slot), operand()});
    block(in_function_ ? 4 + random_.below(12) : 8 + random_.below(40));
    fold();
    add(Exit{});
  }

  // Everything that was computed goes into r0.
  void fold() {
    for (const uint8_t r : kScalars) {
      if (r == 0)
        continue;
      add(Alu{AluOp::mul, Width::w64, Reg{0}, 31});
      add(Alu{AluOp::add, Width::w64, Reg{0}, Reg{r}});
    }
    for (int16_t slot = 1; slot <= 8; ++slot) {
      add(Load{Size::b8, false, Reg{1}, kFramePointer, static_cast<int16_t>(-8 * slot)});
      add(Alu{AluOp::mul, Width::w64, Reg{0}, 37});
      add(Alu{AluOp::bit_xor, Width::w64, Reg{0}, Reg{1}});
    }
  }

  void block(uint32_t statements) {
    for (uint32_t i = 0; i < statements; ++i)
      statement();
  }

  void statement() {
    switch (random_.below(24)) {
    case 0:
    case 1:
    case 2:
    case 3: return arithmetic();
    case 4: return division();
    case 5: return shift();
    case 6: return move_or_extend();
    case 7: return byte_order();
    case 8: return add(LoadImm64{Imm64Kind::imm, scalar(), number(random_)});
    case 9:
    case 10:
    case 11: return load();
    case 12:
    case 13: return store();
    case 14:
    case 15: return atomic();
    case 16: return ordered();
    case 17: return computed_place();
    case 18: return spilled_pointer();
    case 19:
    case 20:
    case 21: return branch();
    case 22: return loop();
    default: return call();
    }
  }

  void arithmetic() {
    static constexpr AluOp kOps[] = {AluOp::add,    AluOp::sub,     AluOp::mul,
                                     AluOp::bit_or, AluOp::bit_and, AluOp::bit_xor};
    if (random_.once_in(12))
      return add(Neg{width(), scalar()});
    add(Alu{random_.pick(kOps), width(), scalar(), operand()});
  }

  void division() {
    static constexpr AluOp kOps[] = {AluOp::div, AluOp::mod, AluOp::sdiv, AluOp::smod};
    Operand by = operand();
    if (std::get_if<int32_t>(&by) != nullptr && std::get<int32_t>(by) == 0)
      by = -1; // a constant zero is refused
    add(Alu{random_.pick(kOps), width(), scalar(), by});
  }

  void shift() {
    static constexpr AluOp kOps[] = {AluOp::lsh, AluOp::rsh, AluOp::arsh};
    const Width w = width();
    const auto most = w == Width::w64 ? 64u : 32u;
    add(Alu{random_.pick(kOps), w, scalar(),
            random_.once_in(2) ? Operand(scalar())
                               : Operand(static_cast<int32_t>(random_.below(most)))});
  }

  void move_or_extend() {
    static constexpr uint8_t kBits[] = {8, 16, 32};
    const Width w = width();
    if (random_.once_in(2))
      return add(Alu{AluOp::mov, w, scalar(), operand()});
    add(MovSx{w, w == Width::w64 ? random_.pick(kBits) : kBits[random_.below(2)], scalar(),
              scalar()});
  }

  void byte_order() {
    static constexpr SwapKind kKinds[] = {SwapKind::to_le, SwapKind::to_be, SwapKind::always};
    static constexpr uint8_t kBits[] = {16, 32, 64};
    add(ByteSwap{random_.pick(kKinds), random_.pick(kBits), scalar()});
  }

  void load() {
    const Size size = random_.pick(kSizes);
    const Place from = place_of(bytes(size), false);
    add(Load{size, size != Size::b8 && random_.once_in(2), scalar(), from.base, from.off});
  }

  void store() {
    const Size size = random_.pick(kSizes);
    const Place to = place_of(bytes(size), false);
    add(Store{size, to.base, to.off, operand()});
  }

  void atomic() {
    static constexpr AtomicOp kOps[] = {AtomicOp::add,      AtomicOp::bit_or,
                                        AtomicOp::bit_and,  AtomicOp::bit_xor,
                                        AtomicOp::exchange, AtomicOp::compare_exchange};
    const Size size = random_.once_in(2) ? Size::b4 : Size::b8;
    const Place at = place_of(bytes(size), true);
    const AtomicOp op = random_.pick(kOps);
    const bool always = op == AtomicOp::exchange || op == AtomicOp::compare_exchange;
    if (op == AtomicOp::compare_exchange && random_.once_in(2)) // one that succeeds
      add(Load{size, false, Reg{0}, at.base, at.off});
    add(Atomic{op, size, always || random_.once_in(2), at.base, scalar(), at.off});
  }

  void ordered() {
    const Size size = random_.pick(kSizes);
    const Place at = place_of(bytes(size), true);
    if (random_.once_in(2))
      add(LoadAcquire{size, scalar(), at.base, at.off});
    else
      add(StoreRelease{size, at.base, scalar(), at.off});
  }

  // One byte of the stack, or several of the memory, at an offset that is computed.
  void computed_place() {
    const Reg pointer{4}, index = scalar();
    const bool on_stack = random_.once_in(2);
    const Size size = on_stack || in_function_ ? Size::b1 : random_.pick(kSizes);
    if (index == pointer)
      return;
    if (random_.once_in(3)) {
      add(Alu{AluOp::mod, width(), index, static_cast<int32_t>(1 + random_.below(56))});
      add(Alu{AluOp::bit_and, Width::w64, index, 63});
      add(Alu{AluOp::rsh, Width::w64, index, 1});
    } else {
      add(Alu{AluOp::bit_and, width(), index, static_cast<int32_t>(random_.below(57))});
    }
    move(pointer, on_stack ? kFramePointer : kMemory);
    if (on_stack)
      add(Alu{AluOp::add, Width::w64, pointer, -64});
    add(Alu{AluOp::add, Width::w64, pointer, index});
    if (random_.once_in(2))
      add(Store{size, pointer, 0, Reg{7}});
    else
      add(Load{size, size != Size::b8 && random_.once_in(2), Reg{8}, pointer, 0});
    move(pointer, constant());
  }

  void spilled_pointer() {
    const Reg pointer{5};
    add(Store{Size::b8, kFramePointer, kPointerSlot, kMemory});
    if (random_.once_in(2))
      arithmetic();
    add(Load{Size::b8, false, pointer, kFramePointer, kPointerSlot});
    const auto off = static_cast<int16_t>(8 * random_.below(8));
    if (random_.once_in(2))
      add(Store{Size::b8, pointer, off, Reg{7}});
    add(Load{Size::b4, random_.once_in(2), pointer, pointer, off});
  }

  void branch() {
    if (depth_ >= 3)
      return arithmetic();
    ++depth_;
    const size_t otherwise = new_label(), end = new_label();
    if (random_.once_in(10)) // a pointer is never null
      add(Branch{random_.once_in(2) ? Cond::eq : Cond::ne, Width::w64, kMemory, 0, 0}, otherwise);
    else
      add(Branch{condition(), width(), scalar(), operand(), 0}, otherwise);
    block(random_.below(3));
    const bool has_else = random_.once_in(2);
    if (has_else)
      add(Jump{random_.once_in(2), 0}, end);
    place(otherwise);
    if (has_else)
      block(1 + random_.below(3));
    place(end);
    --depth_;
  }

  void loop() {
    if (in_loop_ || depth_ >= 2)
      return division();
    in_loop_ = true;
    ++depth_;
    const size_t head = new_label(), end = new_label();
    if (random_.once_in(2)) {
      move(kCounter, static_cast<int32_t>(1 + random_.below(6)));
    } else {
      move(kCounter, scalar());
      add(Alu{AluOp::bit_and, Width::w64, kCounter, 7});
    }
    place(head);
    add(Branch{Cond::eq, Width::w64, kCounter, 0, 0}, end);
    if (random_.once_in(3))
      add(MayGoto{0}, end);
    block(1 + random_.below(4));
    add(Alu{AluOp::sub, Width::w64, kCounter, 1});
    add(Jump{random_.once_in(2), 0}, head);
    place(end);
    --depth_;
    in_loop_ = false;
  }

  // Functions call only later ones, so there is no recursion.
  void call() {
    if (index_ >= functions_ || random_.once_in(2))
      return load();
    const uint32_t callee = index_ + 1 + random_.below(functions_ - index_);
    if (random_.once_in(2)) {
      move(Reg{1}, kMemory);
    } else {
      move(Reg{1}, kFramePointer);
      add(Alu{AluOp::add, Width::w64, Reg{1}, -64});
    }
    if (random_.once_in(4)) {
      add(LoadImm64{Imm64Kind::func, Reg{0}, 0}, callee);
      add(CallIndirect{Reg{0}});
    } else {
      add(CallLocal{0}, callee);
    }
    for (uint8_t r = 1; r <= 5; ++r)
      move(Reg{r}, random_.once_in(2) ? Operand(Reg{r < 3 ? uint8_t{7} : uint8_t{0}})
                                      : Operand(constant()));
  }

  Random random_;
  std::vector<Item> items_;
  std::vector<size_t> labels_; // to positions in items_
  uint32_t functions_ = 0, index_ = 0, depth_ = 0;
  bool in_function_ = false, in_loop_ = false;
};

} // namespace

std::vector<uint8_t> random_program(uint64_t seed) {
  return Generator(seed).run();
}

std::vector<uint8_t> random_inputs(uint64_t seed, uint32_t count) {
  Random random(seed);
  std::vector<uint8_t> bytes(size_t{count} * kRandomMemory);
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t value = number(random);
    std::memcpy(&bytes[at], &value, 8);
  }
  return bytes;
}

std::string listing(const std::vector<uint8_t>& code) {
  std::vector<RawInsn> raw(code.size() / sizeof(RawInsn));
  std::memcpy(raw.data(), code.data(), raw.size() * sizeof(RawInsn));
  std::string text;
  for (size_t at = 0; at < raw.size();) {
    const auto insn = decode(std::span(raw).subspan(at));
    text += std::to_string(at) + ": " + (insn ? print(*insn) : "?") + "\n";
    at += insn ? slot_count(*insn) : 1;
  }
  return text;
}

} // namespace bpfaot::tests
