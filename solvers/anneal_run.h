// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_ANNEAL_RUN_H_
#define BITPACT_SOLVERS_ANNEAL_RUN_H_

// One run of simulated annealing: what solvers/anneal_solver.h repeats with
// other random numbers, prices and lengths.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/random.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Temperatures relative to the objective change of a typical move. Without a
// limit there is no border to walk along: hotter, and swaps only waste
// proposals. (34 runs on the hardest unconstrained instances, n = 500: from 1
// to 0.05 a mean of 70 ms to the best known value and one miss, from 0.3 to
// 0.08 33 ms and none.)
struct AnnealSchedule {
  double hottest = 0.15;
  double coldest = 0.005;
  bool has_swaps = true;
};
inline constexpr AnnealSchedule kAnnealWithLimits;
inline constexpr AnnealSchedule kAnnealWithoutLimits{0.3, 0.08, false};

// What one unit of each resource is worth near a plan, and the objective change
// of a typical move there.
struct AnnealPrices {
  std::vector<double> per_size;
  double typical_change = 0.0;
  // For one-hot problems with one resource at most and no factors, else
  // empty: each group's
  // choices by ascending size, group g's from group.first + g on; and the
  // largest magnitude in each variable's row of pairs.
  std::vector<int> by_size;
  std::vector<double> largest_pair;
};
// O(variables^2); used by ComputeAnnealPrices.
void FillOneHotTables(const ReducedProblem& problem,
                      const PlanState& state,
                      AnnealPrices& prices);
[[nodiscard]] AnnealPrices ComputeAnnealPrices(const ReducedProblem& problem,
                                               const PlanState& state);

// The mean magnitude of the size steps along resource k; 0 without any.
[[nodiscard]] double MeanSizeStep(const ReducedProblem& problem,
                                  const PlanState& state,
                                  int k);

class AnnealRun {
 public:
  // Keeps references. Draws the starting prices of the limits.
  AnnealRun(const ReducedProblem& problem,
            const AnnealPrices& prices,
            const AnnealSchedule& schedule,
            const RandomStream& stream,
            PlanState& state);

  // A random plan that fills the limits: from the smallest options, groups in
  // random order take a random choice if it fits. (A plain random plan may lie
  // so far above the limits that a linear price never brings it back.)
  void Randomize(const Choices& smallest);

  // One proposal a variable. A plan within limits and below `target` lowers it
  // and is left in `best`.
  void Sweep(double temperature, double& target, Choices& best);

  // To be called after each sweep. A price that a plan above the limits does
  // not mind rises, one that keeps it below falls. (With a fixed price
  // supermodular problems run away: the more is taken the more the next is
  // worth.)
  void AdaptPenalty();

 private:
  // The sweep for binaries under one limit or none, where nine proposals in ten
  // are refused and looking at them must not cost more than a few loads.
  void SweepTwoWay(double temperature, double& target, Choices& best);
  // The same for one-hot groups under one limit or none. Swaps take a partner
  // in the other direction; what its pair terms can change at most decides most
  // of them without a look at the matrix.
  void SweepOneHot(double temperature, double& target, Choices& best);
  // A move of another group that shrinks if `grows`, else grows; choice -1 if
  // none was drawn.
  std::pair<int, int> DrawOpposite(int group, bool grows);
  [[nodiscard]] double LargestPair(int group, int choice) const {
    const int variable = problem_.VariableOf(group, choice);
    return variable < 0
               ? 0.0
               : prices_.largest_pair[static_cast<std::size_t>(variable)];
  }
  // Any binary whose size moves the other way than i's (or not at all); -1 when
  // there is none. Without sizes, any other.
  int DrawPartner(int i);
  // Sorts the binaries by whether flipping them takes more of the resource;
  // Flip keeps them sorted.
  void Partition();
  void Exchange(int i, int place);
  void Flip(int i);
  bool ProposeMove(int group, int choice, double temperature);
  bool ProposeSwap(int group, int choice, double temperature);
  // A choice that the group does not take now.
  [[nodiscard]] int OtherChoice(int group, std::uint32_t bits) const;
  [[nodiscard]] double PenaltyDelta(int k, std::int64_t size_delta) const;
  // What flipping binary i does to the objective and to the first resource.
  [[nodiscard]] double FlipDelta(int i) const {
    const double field = state_.Field(i, 1);
    return state_.Choice(i) != 0 ? -field : field;
  }
  [[nodiscard]] std::int64_t FlipSize(int i) const {
    if (sizes_.empty()) return 0;
    const std::int64_t size = sizes_[static_cast<std::size_t>(i)];
    return state_.Choice(i) != 0 ? -size : size;
  }
  // Uniform in [0, bound) from 32 random bits; the bias is below bound / 2^32.
  static int Below(std::uint32_t bits, int bound) {
    return static_cast<int>(
        (std::uint64_t{bits} * static_cast<std::uint64_t>(bound)) >> 32U);
  }
  bool Accept(double change, double temperature);
  // What a change has to stay below to be accepted: temperature times an
  // exponential number.
  double DrawThreshold(double temperature);
  std::uint64_t NextBits();

  const ReducedProblem& problem_;
  const AnnealPrices& prices_;
  const AnnealSchedule& schedule_;
  RandomStream stream_;
  PlanState& state_;
  std::vector<double> penalty_;
  std::span<const std::int64_t> sizes_;  // of the first resource, if any
  std::uint64_t bits_ = 0;
  // Of SweepTwoWay: the binaries, those whose flip grows the use in front.
  std::vector<int> order_;
  std::vector<int> place_;  // of each binary in order_
  int growing_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_ANNEAL_RUN_H_
