// SPDX-License-Identifier: MIT
//
// One instruction from its text: the inverse of print.cpp, by hand-written descent. Spacing is
// free; numbers may be decimal or hexadecimal where that does not choose the instruction ("r1 = 5"
// is a move, "r1 = 0x5" is the 64-bit load, as in the kernel's own listings).
#include "bpf/insn_text.h"

#include "bpf/insn.h"

#include <charconv>

namespace bpfaot::bpf {
namespace {

struct SizedReg {
  Reg reg;
  Width width;
};

class Parser {
public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<Insn> parse() {
    std::optional<Insn> insn = statement();
    skip();
    return rest_.empty() ? insn : std::nullopt;
  }

private:
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }

  bool take(std::string_view token) {
    skip();
    if (!rest_.starts_with(token))
      return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  // A run of characters of one class: words, or operators.
  template <class Accept> std::string_view run(Accept accept) {
    skip();
    size_t length = 0;
    while (length < rest_.size() && accept(rest_[length]))
      ++length;
    const std::string_view found = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return found;
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_word(char c) { return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z'); }

  std::optional<SizedReg> reg() {
    skip();
    if (rest_.size() < 2 || (rest_[0] != 'r' && rest_[0] != 'w') || !is_digit(rest_[1]))
      return std::nullopt;
    const Width width = rest_[0] == 'w' ? Width::w32 : Width::w64;
    rest_.remove_prefix(1);
    const std::string_view digits = run(is_digit);
    uint8_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || number > 10)
      return std::nullopt;
    return SizedReg{Reg{number}, width};
  }

  std::optional<Reg> reg64() {
    const auto found = reg();
    return found && found->width == Width::w64 ? std::optional(found->reg) : std::nullopt;
  }

  struct Number {
    bool negative, is_hex;
    uint64_t magnitude;
  };
  std::optional<Number> number() {
    Number result{};
    if (take("-"))
      result.negative = true;
    else
      take("+");
    skip();
    result.is_hex = rest_.starts_with("0x");
    if (result.is_hex)
      rest_.remove_prefix(2);
    const char* begin = rest_.data();
    const auto [end, error] =
        std::from_chars(begin, begin + rest_.size(), result.magnitude, result.is_hex ? 16 : 10);
    if (error != std::errc())
      return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - begin));
    return result;
  }

  // Signed, or the same bits written as an unsigned number.
  template <class Int> static std::optional<Int> narrow(const std::optional<Number>& found) {
    using Unsigned = std::make_unsigned_t<Int>;
    if (!found)
      return std::nullopt;
    const uint64_t limit = uint64_t{1} << (sizeof(Int) * 8 - 1);
    if (found->negative)
      return found->magnitude <= limit
                 ? std::optional(static_cast<Int>(-static_cast<int64_t>(found->magnitude)))
                 : std::nullopt;
    const uint64_t most = found->is_hex ? static_cast<Unsigned>(-1) : limit - 1;
    return found->magnitude <= most
               ? std::optional(static_cast<Int>(static_cast<Unsigned>(found->magnitude)))
               : std::nullopt;
  }
  template <class Int> std::optional<Int> integer() { return narrow<Int>(number()); }

  std::optional<uint32_t> unsigned32() {
    const auto found = number();
    if (!found || found->negative || found->magnitude > UINT32_MAX)
      return std::nullopt;
    return static_cast<uint32_t>(found->magnitude);
  }

  std::optional<Operand> operand(Width width) {
    if (const auto r = reg())
      return r->width == width ? std::optional<Operand>(r->reg) : std::nullopt;
    const auto imm = integer<int32_t>();
    return imm ? std::optional<Operand>(*imm) : std::nullopt;
  }

  template <class Int> std::optional<Int> target() {
    take("pc");
    return integer<Int>();
  }

  struct Type {
    Size size;
    bool is_signed;
  };
  // "(u64 *)"
  std::optional<Type> type() {
    if (!take("("))
      return std::nullopt;
    Type result{};
    if (take("s"))
      result.is_signed = true;
    else if (!take("u"))
      return std::nullopt;
    const auto bits = number();
    if (!bits || !take("*") || !take(")"))
      return std::nullopt;
    switch (bits->magnitude) {
    case 8: result.size = Size::b1; break;
    case 16: result.size = Size::b2; break;
    case 32: result.size = Size::b4; break;
    case 64: result.size = Size::b8; break;
    default: return std::nullopt;
    }
    return result;
  }

  struct Address {
    Type type;
    Reg base;
    int16_t off;
  };
  // "(u64 *)(r1 +8)"
  std::optional<Address> address() {
    const auto cast = type();
    if (!cast || !take("("))
      return std::nullopt;
    const auto base = reg64();
    if (!base)
      return std::nullopt;
    const auto off = integer<int16_t>();
    if (!off || !take(")"))
      return std::nullopt;
    return Address{*cast, *base, *off};
  }

  std::optional<Insn> statement() {
    if (take("if "))
      return branch();
    if (take("gotol"))
      return make(target<int32_t>(), [](int32_t off) { return Jump{true, off}; });
    if (take("goto"))
      return make(target<int16_t>(), [](int16_t off) { return Jump{false, off}; });
    if (take("may_goto"))
      return make(target<int16_t>(), [](int16_t off) { return MayGoto{off}; });
    if (take("callx"))
      return make(reg64(), [](Reg r) { return CallIndirect{r}; });
    if (take("call"))
      return call();
    if (take("exit"))
      return Exit{};
    if (take("lock *"))
      return atomic_store();
    if (take("store_release("))
      return store_release();
    if (take("*"))
      return store();
    return assignment();
  }

  template <class T, class Make>
  static std::optional<Insn> make(const std::optional<T>& value, Make build) {
    return value ? std::optional<Insn>(build(*value)) : std::nullopt;
  }

  std::optional<Insn> branch() {
    const auto dst = reg();
    if (!dst)
      return std::nullopt;
    const auto cond = find_spelling<Cond>(kCondSymbols, run([](char c) {
                                            return c == 's' || std::string_view("=!<>&").find(c) !=
                                                                   std::string_view::npos;
                                          }));
    const auto src = operand(dst->width);
    if (!cond || !src || !take("goto"))
      return std::nullopt;
    return make(target<int16_t>(),
                [&](int16_t off) { return Branch{*cond, dst->width, dst->reg, *src, off}; });
  }

  std::optional<Insn> call() {
    skip();
    if (rest_.starts_with("pc") || rest_.starts_with("+") || rest_.starts_with("-"))
      return make(target<int32_t>(), [](int32_t off) { return CallLocal{off}; });
    const std::string_view word = run(is_word);
    if (!take("#"))
      return std::nullopt;
    const auto id = integer<int32_t>();
    if (!id || word != "kfunc")
      return make(id, [](int32_t number) { return CallHelper{number}; });
    int16_t module = 0;
    if (take("/")) {
      const auto given = integer<int16_t>();
      if (!given)
        return std::nullopt;
      module = *given;
    }
    return CallKfunc{*id, module};
  }

  std::optional<Insn> atomic_store() {
    const auto where = address();
    if (!where || where->type.is_signed)
      return std::nullopt;
    const auto op = find_spelling<AtomicOp>(
        kAtomicSymbols,
        run([](char c) { return std::string_view("+|&^=").find(c) != std::string_view::npos; }));
    const auto src = reg64();
    if (!op || !src)
      return std::nullopt;
    return Atomic{*op, where->type.size, false, where->base, *src, where->off};
  }

  std::optional<Insn> store_release() {
    const auto where = address();
    if (!where || where->type.is_signed || !take(","))
      return std::nullopt;
    const auto src = reg64();
    if (!src || !take(")"))
      return std::nullopt;
    return StoreRelease{where->type.size, where->base, *src, where->off};
  }

  std::optional<Insn> store() {
    const auto where = address();
    if (!where || where->type.is_signed || !take("="))
      return std::nullopt;
    return make(operand(Width::w64), [&](const Operand& src) {
      return Store{where->type.size, where->base, where->off, src};
    });
  }

  std::optional<Insn> assignment() {
    const auto dst = reg();
    if (!dst)
      return std::nullopt;
    const std::string_view symbol = run([](char c) {
      return c == 's' || std::string_view("+-*/%|&^<>=").find(c) != std::string_view::npos;
    });
    // "r1 =-5" glues the sign to the operator.
    if (symbol == "=-" ||
        (symbol == "=" && (skip(), rest_.starts_with("-r") || rest_.starts_with("-w"))))
      return negation(*dst, symbol == "=-");
    const auto op = find_spelling<AluOp>(kAluSymbols, symbol);
    if (!op)
      return std::nullopt;
    if (*op == AluOp::mov)
      return value(*dst);
    return make(operand(dst->width),
                [&](const Operand& src) { return Alu{*op, dst->width, dst->reg, src}; });
  }

  std::optional<Insn> negation(const SizedReg& dst, bool sign_taken) {
    if (!sign_taken)
      take("-");
    const auto same = reg();
    if (!same) {
      const auto imm = sign_taken ? unsigned32() : std::nullopt;
      return imm && *imm <= 0x80000000u
                 ? std::optional<Insn>(
                       Alu{AluOp::mov, dst.width, dst.reg, static_cast<int32_t>(-int64_t{*imm})})
                 : std::nullopt;
    }
    return same->reg == dst.reg && same->width == dst.width
               ? std::optional<Insn>(Neg{dst.width, dst.reg})
               : std::nullopt;
  }

  // What stands after "rN =".
  std::optional<Insn> value(const SizedReg& dst) {
    skip();
    const bool wide = dst.width == Width::w64;
    if (rest_.starts_with("(s"))
      return sign_extension(dst);
    if (const auto src = reg())
      return src->width == dst.width
                 ? std::optional<Insn>(Alu{AluOp::mov, dst.width, dst.reg, src->reg})
                 : std::nullopt;
    if (take("*"))
      return wide ? load(dst.reg) : std::nullopt;
    if (rest_.starts_with("0x") && wide) {
      const auto imm = number();
      return imm ? std::optional<Insn>(LoadImm64{Imm64Kind::imm, dst.reg, imm->magnitude})
                 : std::nullopt;
    }
    if (!rest_.empty() && rest_.front() >= 'a' && rest_.front() <= 'z')
      return wide ? named_value(dst.reg) : std::nullopt;
    return make(integer<int32_t>(),
                [&](int32_t imm) { return Alu{AluOp::mov, dst.width, dst.reg, imm}; });
  }

  std::optional<Insn> sign_extension(const SizedReg& dst) {
    take("(s");
    const auto bits = number();
    if (!bits || !take(")"))
      return std::nullopt;
    const auto src = reg();
    if (!src || src->width != dst.width || bits->magnitude > 32)
      return std::nullopt;
    return MovSx{dst.width, static_cast<uint8_t>(bits->magnitude), dst.reg, src->reg};
  }

  std::optional<Insn> load(Reg dst) {
    const std::string_view before = rest_;
    const auto cast = type();
    if (cast && take("skb[")) {
      if (dst.number != 0 || cast->is_signed)
        return std::nullopt;
      const auto src = reg64();
      if (src && !take("+"))
        return std::nullopt;
      const auto imm = integer<int32_t>();
      if (!imm || !take("]"))
        return std::nullopt;
      return LegacyPacketLoad{cast->size, src.has_value(), src.value_or(Reg{}), *imm};
    }
    rest_ = before;
    const auto where = address();
    if (!where)
      return std::nullopt;
    return Load{where->type.size, where->type.is_signed, dst, where->base, where->off};
  }

  // bswap16 r1, addr_space_cast(…), atomic…(…), load_acquire(…), map[…], ksym[…], subprog[…]
  std::optional<Insn> named_value(Reg dst) {
    const std::string_view word = run(is_word);
    if (word == "map")
      return map_reference(dst);
    if (word == "ksym" && take("[")) {
      const auto imm = number();
      return imm && take("]") ? std::optional<Insn>(LoadImm64{Imm64Kind::ksym, dst, imm->magnitude})
                              : std::nullopt;
    }
    if (word == "subprog" && take("[")) {
      const auto index = integer<int32_t>();
      return index && take("]") ? std::optional<Insn>(LoadImm64{Imm64Kind::func, dst,
                                                                static_cast<uint32_t>(*index)})
                                : std::nullopt;
    }
    if (word == "addr_space_cast")
      return addr_space_cast(dst);
    if (word == "load_acquire" && take("(")) {
      const auto where = address();
      if (!where || where->type.is_signed || !take(")"))
        return std::nullopt;
      return LoadAcquire{where->type.size, dst, where->base, where->off};
    }
    if (word.starts_with("atomic"))
      return atomic_fetch(dst, word);
    return byte_swap(dst, word);
  }

  std::optional<Insn> map_reference(Reg dst) {
    const bool by_index = take("[idx:");
    if (!by_index && !take("[id:"))
      return std::nullopt;
    const auto id = unsigned32();
    if (!id || !take("]"))
      return std::nullopt;
    if (!take("[0]+"))
      return LoadImm64{by_index ? Imm64Kind::map_index : Imm64Kind::map, dst, *id};
    const auto off = unsigned32();
    if (!off)
      return std::nullopt;
    return LoadImm64{by_index ? Imm64Kind::map_index_value : Imm64Kind::map_value, dst,
                     uint64_t{*off} << 32 | *id};
  }

  std::optional<Insn> addr_space_cast(Reg dst) {
    if (!take("("))
      return std::nullopt;
    const auto src = reg64();
    if (!src || !take(","))
      return std::nullopt;
    const auto to = unsigned32();
    if (!to || !take(","))
      return std::nullopt;
    const auto from = unsigned32();
    if (!from || !take(")") || *to > UINT16_MAX || *from > UINT16_MAX)
      return std::nullopt;
    return AddrSpaceCast{dst, *src, static_cast<uint16_t>(*to), static_cast<uint16_t>(*from)};
  }

  std::optional<Insn> atomic_fetch(Reg dst, std::string_view word) {
    word.remove_prefix(6);
    const Size size = word.starts_with("64") ? Size::b8 : Size::b4;
    if (size == Size::b8)
      word.remove_prefix(2);
    const auto where = take("(") ? address() : std::nullopt;
    if (!where || where->type.size != size || where->type.is_signed || !take(","))
      return std::nullopt;
    const bool compares = word == "_cmpxchg";
    if (compares && (dst.number != 0 || !take("r0") || !take(",")))
      return std::nullopt;
    const auto src = reg64();
    if (!src || !take(")") || (!compares && *src != dst))
      return std::nullopt;
    if (compares)
      return Atomic{AtomicOp::compare_exchange, size, true, where->base, *src, where->off};
    if (word == "_xchg")
      return Atomic{AtomicOp::exchange, size, true, where->base, *src, where->off};
    if (!word.starts_with("_fetch_"))
      return std::nullopt;
    const auto op = find_spelling<AtomicOp>(kAtomicWords, word.substr(7));
    return op ? std::optional<Insn>(Atomic{*op, size, true, where->base, *src, where->off})
              : std::nullopt;
  }

  std::optional<Insn> byte_swap(Reg dst, std::string_view word) {
    SwapKind kind{};
    if (word.starts_with("bswap"))
      kind = SwapKind::always, word.remove_prefix(5);
    else if (word.starts_with("le"))
      kind = SwapKind::to_le, word.remove_prefix(2);
    else if (word.starts_with("be"))
      kind = SwapKind::to_be, word.remove_prefix(2);
    else
      return std::nullopt;
    const auto src = reg64();
    if (!src || *src != dst || (word != "16" && word != "32" && word != "64"))
      return std::nullopt;
    return ByteSwap{kind, static_cast<uint8_t>(word == "16" ? 16 : word == "32" ? 32 : 64), dst};
  }

  std::string_view rest_;
};

} // namespace

Result<Insn> parse_insn(std::string_view text) {
  std::optional<Insn> insn = Parser(text).parse();
  if (!insn)
    return fail(Code::kInsnText, "'" + std::string(text) + "' is no instruction");
  if (!is_encodable(*insn))
    return fail(Code::kInsnText, "'" + std::string(text) + "' has no encoding");
  return *insn;
}

} // namespace bpfaot::bpf
