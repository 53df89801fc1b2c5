// SPDX-License-Identifier: Apache-2.0
#include "core/threads.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace bitpact {
namespace {

std::atomic<int> requested_count{0};
thread_local bool inside_parallel_for = false;

}  // namespace

void SetThreadCount(int count) { requested_count = std::max(count, 0); }

int ThreadCount() {
  const int requested = requested_count;
  if (requested > 0) return requested;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void ParallelFor(std::int64_t count,
                 const std::function<void(std::int64_t, int)>& body) {
  const auto lanes =
      static_cast<int>(std::min<std::int64_t>(ThreadCount(), count));
  // OpenMP's setting belongs to a thread, so it is set where the work runs.
  omp_set_num_threads(1);
  if (lanes <= 1 || inside_parallel_for) {
    for (std::int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  std::atomic<std::int64_t> next{0};
  const auto run = [&](int worker) {
    omp_set_num_threads(1);
    inside_parallel_for = true;
    for (std::int64_t i = next++; i < count; i = next++) body(i, worker);
    inside_parallel_for = false;
  };
  std::vector<std::jthread> others;
  others.reserve(static_cast<std::size_t>(lanes - 1));
  for (int worker = 1; worker < lanes; ++worker) {
    others.emplace_back(run, worker);
  }
  run(0);
}

}  // namespace bitpact
