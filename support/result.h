// SPDX-License-Identifier: MIT
//
// Result<T>: a value or one boxed Diagnostic. The subset of std::expected's interface that the
// project uses (g++ 12 has no <expected>). Nothing throws; TRY() forwards a failure to the caller.
#pragma once

#include "support/diagnostic.h"

#include <cassert>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace bpfaot {

// A failure on its way up; converts to any Result<T>.
class [[nodiscard]] Failure {
public:
  explicit Failure(Diagnostic diagnostic)
      : diagnostic_(std::make_unique<Diagnostic>(std::move(diagnostic))) {}
  explicit Failure(std::unique_ptr<Diagnostic> diagnostic) : diagnostic_(std::move(diagnostic)) {}
  std::unique_ptr<Diagnostic> take() && { return std::move(diagnostic_); }
  Diagnostic& diagnostic() { return *diagnostic_; }

private:
  std::unique_ptr<Diagnostic> diagnostic_;
};

// The usual way to fail: `return fail(Code::kNotElf, "…")`.
inline Failure fail(Code code, std::string message) {
  return Failure(make_error(code, std::move(message)));
}

template <class T> class [[nodiscard]] Result {
public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure).take()) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Diagnostic& error() const { return *std::get<1>(state_); }
  Failure take_error() && { return Failure(std::get<1>(std::move(state_))); }

private:
  std::variant<T, std::unique_ptr<Diagnostic>> state_;
};

template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Failure failure) : diagnostic_(std::move(failure).take()) {}

  bool has_value() const { return diagnostic_ == nullptr; }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  const Diagnostic& error() const { return *diagnostic_; }
  Failure take_error() && { return Failure(std::move(diagnostic_)); }

private:
  std::unique_ptr<Diagnostic> diagnostic_;
};

using Status = Result<void>;

} // namespace bpfaot

// Unwraps a Result or returns its failure from the enclosing function.
#define TRY(...)                                                                                   \
  ({                                                                                               \
    auto try_result_ = (__VA_ARGS__);                                                              \
    if (!try_result_)                                                                              \
      return std::move(try_result_).take_error();                                                  \
    std::move(try_result_).value();                                                                \
  })
