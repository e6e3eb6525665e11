// SPDX-License-Identifier: MIT
//
// How a static bpf-aot ends when the C++ library has to fail. Nothing here throws, so the library's
// own ways (exceptions, their unwinder, demangled names, translated texts: 250 KiB) are replaced by
// a message. They must come before the library on the linker's command line, so this is an object of
// the executable. What the signatures are: libstdc++'s bits/functexcept.h, and the replaceable
// functions of [new.delete].
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <unistd.h>

namespace {

[[noreturn]] void end(const char* what, const char* detail = "") {
  std::fprintf(stderr, "bpf-aot: internal error: %s%s\n", what, detail);
  _exit(70);
}

} // namespace

namespace std {

[[gnu::visibility("default")]] void __throw_bad_alloc() { end("out of memory"); }
[[gnu::visibility("default")]] void __throw_bad_array_new_length() { end("out of memory"); }
[[gnu::visibility("default")]] void __throw_bad_function_call() { end("empty function called"); }
[[gnu::visibility("default")]] void __throw_length_error(const char* what) { end("too long: ", what); }
[[gnu::visibility("default")]] void __throw_logic_error(const char* what) { end(what); }
[[gnu::visibility("default")]] void __throw_invalid_argument(const char* what) { end(what); }
[[gnu::visibility("default")]] void __throw_out_of_range(const char* what) { end("out of range: ", what); }
[[gnu::visibility("default")]] void __throw_out_of_range_fmt(const char* what, ...) { end("out of range: ", what); }

} // namespace std

void* operator new(size_t size) {
  void* memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr)
    end("out of memory");
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size != 0 ? size : 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return std::malloc(size != 0 ? size : 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
