// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_SOLVE_PROGRESS_H_
#define BITPACT_CLI_SOLVE_PROGRESS_H_

// How a solve is going, on standard error: on a terminal one line that is
// redrawn five times a second, elsewhere a plain line every ten seconds. Silent
// for solves that end within half a second.

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

#include "solvers/solve_result.h"

namespace bitpact {

// "solve 12.3 s: incumbent 0.1273, bound 0.1269, gap 0.3%".
std::string SolveProgressText(const std::string& label,
                              double seconds,
                              double objective,
                              double bound);

class SolveProgress {
 public:
  SolveProgress(std::string label, bool is_enabled);
  SolveProgress(const SolveProgress&) = delete;
  SolveProgress& operator=(const SolveProgress&) = delete;
  // Wipes the line on a terminal.
  ~SolveProgress();

  // For SolveOptions::on_progress; any thread.
  void Update(const TracePoint& point);

 private:
  void Run(const std::stop_token& end);

  std::string label_;
  bool is_terminal_;
  std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  double objective_ = std::numeric_limits<double>::infinity();
  double bound_ = -std::numeric_limits<double>::infinity();
  std::jthread drawer_;
};

}  // namespace bitpact

#endif  // BITPACT_CLI_SOLVE_PROGRESS_H_
