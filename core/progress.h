// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_PROGRESS_H_
#define BITPACT_CORE_PROGRESS_H_

// Progress of long work on standard error: on a terminal one line that is
// redrawn, with share done and time left; elsewhere (a log file, CI) a plain
// line at most every ten seconds. Silent for work that ends within half a
// second.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace bitpact {

class Progress {
 public:
  // `total` > 0 in any unit the caller likes (tokens, evaluations, seconds).
  Progress(std::string label, std::int64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Finishes the line.
  ~Progress();

  // Thread-safe.
  void Advance(std::int64_t amount = 1);

  // Turns all bars off or on (tests, --quiet). Default on.
  static void SetEnabled(bool enabled);

 private:
  using Clock = std::chrono::steady_clock;
  void Draw(bool last);

  std::mutex mutex_;
  std::string label_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_draw_;
};

// "12 ms", "3.2 s", "4 min 05 s", "2 h 03 min".
std::string FormatDuration(double seconds);

}  // namespace bitpact

#endif  // BITPACT_CORE_PROGRESS_H_
