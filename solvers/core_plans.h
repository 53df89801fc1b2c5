// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CORE_PLANS_H_
#define BITPACT_SOLVERS_CORE_PLANS_H_

// Plans of what a convex model leaves open. Annealing a tenth of the binaries
// takes a tenth of the sweep, each sweep a tenth of the time, and what is
// closed is closed because no better plan has it: a few milliseconds here do
// what a quarter of a second does on the whole problem.

#include <cstdint>
#include <optional>
#include <vector>

#include "solvers/anneal_run.h"
#include "solvers/convex_model.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

class CorePlans {
 public:
  // Keeps a reference to the model. O(V^2) for V open variables.
  explicit CorePlans(const ConvexModel& model);
  CorePlans(const CorePlans&) = delete;
  CorePlans& operator=(const CorePlans&) = delete;

  // The plan (reduced choices; what the model has closed is replaced), brought
  // within the limits and descended; empty when it cannot be made to fit.
  std::optional<Choices> Improve(const Choices& plan);

  // The best plan of one annealing run of `sweeps`, then descended. The same
  // seed and index give the same plan.
  std::optional<Choices> Anneal(std::uint64_t seed,
                                std::uint64_t index,
                                std::int64_t sweeps);

  // Of the last plan returned, to rounding.
  [[nodiscard]] double objective() const { return state_.objective(); }

 private:
  std::optional<Choices> Finish();
  [[nodiscard]] Choices Smallest() const;

  const ConvexModel& model_;
  ReducedProblem core_;
  PlanState state_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CORE_PLANS_H_
