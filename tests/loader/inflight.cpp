// SPDX-License-Identifier: MIT
// Waits for lines inside a function that may be return-probed, then leaves it: by return ("return"),
// by an exception thrown below it ("throw"), by ending the thread below it ("exit"), or by asking for
// a backtrace first ("trace"). Prints what happened.
#include <cstdio>
#include <cstring>
#include <execinfo.h>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>

static char line[64];

extern "C" __attribute__((noinline)) int wait_inside(int value) {
  if (std::fgets(line, sizeof line, stdin) == nullptr) {
    std::strcpy(line, "return");
  }
  line[std::strcspn(line, "\n")] = '\0';
  void* frames[32];
  if (std::strcmp(line, "trace") == 0) {
    std::printf("frames %s\n", backtrace(frames, 32) > 4 ? "many" : "few");
  } else if (std::strcmp(line, "throw") == 0) {
    throw std::runtime_error("thrown");
  } else if (std::strcmp(line, "exit") == 0) {
    pthread_exit(nullptr);
  }
  return value + 1;
}

static void* thread_main(void*) {
  for (int i = 0; i < 100; i++) {
    try {
      std::printf("ready %d\n", getpid());
      std::printf("returned %d\n", wait_inside(i) - i);
    } catch (const std::runtime_error& error) {
      std::printf("caught %s\n", error.what());
    }
    if (std::strcmp(line, "quit") == 0) {
      break;
    }
  }
  return nullptr;
}

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  thread_main(nullptr);
  pthread_t thread;
  pthread_create(&thread, nullptr, thread_main, nullptr);
  pthread_join(thread, nullptr);
  std::printf("joined\n");
  return 0;
}
