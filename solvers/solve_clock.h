// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVE_CLOCK_H_
#define BITPACT_SOLVERS_SOLVE_CLOCK_H_

// When a search has to stop: wall-clock limit, stop token, counted limit.

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "solvers/solve_result.h"

namespace bitpact {

class SolveClock {
 public:
  // Starts now. Keeps a reference to the options.
  explicit SolveClock(const SolveOptions& options)
      : options_(options), start_(std::chrono::steady_clock::now()) {}

  [[nodiscard]] double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start_)
        .count();
  }
  // What is left of the time limit, not below 0; +infinity without a limit.
  [[nodiscard]] double SecondsLeft() const {
    if (!options_.time_limit_s) return std::numeric_limits<double>::infinity();
    const double left = *options_.time_limit_s - Seconds();
    return left > 0.0 ? left : 0.0;
  }
  // The limit that is reached after `nodes` units of counted work, or kNone.
  // Reads the clock: call it once every few microseconds of work, not more.
  [[nodiscard]] Limit Reached(std::int64_t nodes) const {
    if (options_.stop.stop_requested()) return Limit::kStopped;
    if (options_.node_limit && nodes >= *options_.node_limit) {
      return Limit::kNodes;
    }
    if (options_.time_limit_s && Seconds() >= *options_.time_limit_s) {
      return Limit::kTime;
    }
    return Limit::kNone;
  }

 private:
  const SolveOptions& options_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVE_CLOCK_H_
