// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_THREADS_H_
#define BITPACT_CORE_THREADS_H_

// The one place that knows how many threads bitpact uses. Work is spread over
// whole jobs (a document, a matrix, a restart) and every library product inside
// a job runs on that job's thread alone: products that share out their own
// loops spin at barriers and collapse on a busy machine, and one thread a job
// also keeps results the same for any number of threads.

#include <cstdint>
#include <functional>

namespace bitpact {

// 0 means one a hardware thread. Affects calls of ParallelFor that start later.
// Also limits OpenMP (oneDNN, OpenBLAS) to one thread a caller.
void SetThreadCount(int count);
[[nodiscard]] int ThreadCount();

// Calls body(index, worker) once for each index in [0, count), at most
// ThreadCount() at a time, `worker` < ThreadCount() naming the lane (for
// scratch memory that is reused). Indices are handed out in order; bodies must
// not depend on which lane runs them. Returns when all are done. A body must
// not throw and must not call ParallelFor (a nested call runs on its caller's
// thread, worker 0).
void ParallelFor(std::int64_t count,
                 const std::function<void(std::int64_t, int)>& body);

}  // namespace bitpact

#endif  // BITPACT_CORE_THREADS_H_
