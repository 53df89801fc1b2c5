// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_BENCH_GAME_WALKS_H_
#define BITPACT_BENCH_GAME_WALKS_H_

// What the benches of the game share.

#include <time.h>

#include <vector>

#include "estimators/value_function.h"

namespace bitpact {

// Of the whole process: a busy machine counts less than in wall time.
inline double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

// All coalitions on the way of an order, the empty one first.
inline void AddWalk(const std::vector<int>& order,
                    std::vector<FormatAssignment>& asked) {
  FormatAssignment assignment(order.size(), 0);
  asked.push_back(assignment);
  for (const int unit : order) {
    assignment[static_cast<std::size_t>(unit)] = 1;
    asked.push_back(assignment);
  }
}

}  // namespace bitpact

#endif  // BITPACT_BENCH_GAME_WALKS_H_
