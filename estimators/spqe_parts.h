// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SPQE_PARTS_H_
#define BITPACT_ESTIMATORS_SPQE_PARTS_H_

// What the three ways to play the orders of spqe.h share.

#include <string>
#include <vector>

#include "core/random.h"
#include "estimators/spqe.h"

namespace bitpact {

// The unit lowered at each step: every unit num_options - 1 times, shuffled.
std::vector<int> DrawOrder(const ValueFunction& game, RandomStream& random);

// All coalitions on the way of an order, from all-0 to all-last.
std::vector<FormatAssignment> CoalitionsOf(const std::vector<int>& order,
                                           int num_units);

// The player whose step each place of the order is.
std::vector<int> PlayersOf(const std::vector<int>& order,
                           int num_units,
                           int num_options);

// The documented rules to end early.
class StopRule {
 public:
  explicit StopRule(const SpqeOptions& options) : options_(&options) {}
  // After a round: the values so far and their errors. True: enough.
  bool Enough(const MarginalSamples& samples);
  // Why the last Enough() was true.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  const SpqeOptions* options_;
  std::vector<int> plan_;
  int unchanged_ = 0;
  int rounds_ = 0;
  std::string reason_;
};

// The plan that raises, from all-last, the unit whose step saves most a byte as
// long as the limit holds: what the values alone would choose.
FormatAssignment GreedyPlan(const std::vector<double>& values,
                            const TargetBudget& target);

Expected<MarginalSamples> SampleSharedOrders(ValueFunction& game,
                                             const SpqeOptions& options);
Expected<MarginalSamples> SampleWindowOrders(ValueFunction& game,
                                             const SpqeOptions& options);
// Needs num_options^num_units <= 2^20.
Expected<MarginalSamples> EnumerateMarginals(ValueFunction& game,
                                             const SpqeOptions& options);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SPQE_PARTS_H_
