// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <chrono>

namespace bitpact {
namespace {

// A handler may do next to nothing: it counts, a thread asks for the stop
// (request_stop takes a lock).
std::atomic<int> signals{0};
static_assert(std::atomic<int>::is_always_lock_free);

void CountSignal(int signal) {
  if (signals.fetch_add(1) == 0) return;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  kill(getpid(), signal);
}

void Install(int signal, struct sigaction* former) {
  struct sigaction ours {};
  ours.sa_handler = CountSignal;
  sigemptyset(&ours.sa_mask);
  sigaction(signal, &ours, former);
}

// CBC puts a handler of its own in place and forgets to remove it.
void Reinstall(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  if (now.sa_handler != CountSignal) Install(signal, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  signals = 0;
  Install(SIGINT, &former_int_);
  Install(SIGTERM, &former_term_);
  watcher_ = std::jthread([this](const std::stop_token& end) {
    while (!end.stop_requested()) {
      if (signals == 0) {
        Reinstall(SIGINT);
      } else if (!source_.stop_requested()) {
        source_.request_stop();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

InterruptGuard::~InterruptGuard() {
  watcher_.request_stop();
  watcher_.join();
  sigaction(SIGINT, &former_int_, nullptr);
  sigaction(SIGTERM, &former_term_, nullptr);
}

}  // namespace bitpact
