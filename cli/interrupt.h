// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_INTERRUPT_H_
#define BITPACT_CLI_INTERRUPT_H_

// Ctrl-C as a request: while one of these lives, the first SIGINT (or SIGTERM)
// asks the work to stop and hand over what it has; a second one ends the
// process at once, as without it. One at a time.

#include <csignal>
#include <stop_token>
#include <thread>

namespace bitpact {

class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  // Puts the former handlers back.
  ~InterruptGuard();

  // Stops when asked to; hand it to SolveOptions::stop.
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] bool interrupted() const { return source_.stop_requested(); }

 private:
  std::stop_source source_;
  struct sigaction former_int_ {};
  struct sigaction former_term_ {};
  std::jthread watcher_;
};

}  // namespace bitpact

#endif  // BITPACT_CLI_INTERRUPT_H_
