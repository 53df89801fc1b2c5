// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_SOLVERS_PROBLEM_GENERATOR_H_
#define BITPACT_TESTS_SOLVERS_PROBLEM_GENERATOR_H_

// Problems for the solvers' tests, every one fixed by its seed, and the judge:
// brute force in the plainest form, which shares no code with solvers/ beyond
// the problem type.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solvers/allocation_problem.h"

namespace bitpact::testing {

struct RandomProblemSpec {
  int units = 6;
  int options = 2;
  int resources = 1;
  // Share of pairs of variables of different units with a coefficient.
  double pair_density = 1.0;
  double pair_scale = 1.0;
  // Costs and pairs are small whole numbers, so that equal optima abound.
  bool whole_numbers = false;
  // Columns of a low-rank part on top; 0: none. Where it is below an eighth of
  // the variables the reduced problem keeps it as a factor.
  int factor_rank = 0;
  // And of one with a negative scale.
  bool negative_factors = false;
  int pins = 0;
  int ties = 0;
  // The limit as a share of the way from the least to the greatest size.
  double tightness = 0.5;
};

AllocationProblem RandomProblem(const RandomProblemSpec& spec,
                                std::uint64_t seed);

// The two-way problem of the CoopQ paper in the form of its surrogate: pairs
// only between the low options, K = 0.5 C + 0.5 diag(C) with C the covariance
// of 100 marginals with four common factors; ratio scales quadratic against
// linear. Tensor sizes of seven kinds when `equal_sizes` is false.
struct CoopSpec {
  int units = 56;
  double ratio = 1.0;
  double budget_share = 0.5;
  bool equal_sizes = false;
};
AllocationProblem CoopProblem(const CoopSpec& spec, std::uint64_t seed);

// One-hot units in the form of bit ladders: option o of a unit does 4^-o of the
// unit's damage, and pairs are K[u][w] 2^-(o + p), so that a unit acts through
// one number. K is a covariance (its diagonal in the costs) or, if not
// `is_convex`, symmetric noise.
struct LadderSpec {
  int units = 5;
  // Options of the units, in turn.
  std::vector<int> options = {4};
  bool is_convex = true;
  double ratio = 1.0;  // of pairs to damage, roughly
  // Relative noise on each option's cost, and on each pair of options: the
  // latter makes ladders into arbitrary groups.
  double cost_noise = 0.0;
  double pair_noise = 0.0;
  // Units further apart have no pairs (and K may not be convex); 0: all have.
  int reach = 0;
  double tightness = 0.5;
};
AllocationProblem LadderProblem(const LadderSpec& spec, std::uint64_t seed);
std::string Describe(const LadderSpec& spec, std::uint64_t seed);

// Every plan in lexicographic order; the first of the best and of the worst.
// Empty when no plan is feasible. Recomputes everything for every plan.
struct BruteForceAnswer {
  std::optional<Assignment> plan;
  double objective = 0.0;
  std::optional<Assignment> worst;
  double worst_objective = 0.0;
};
BruteForceAnswer SolveByBruteForce(const AllocationProblem& problem);

// All plans' objectives from the definition, feasible ones only, ascending.
std::vector<double> FeasibleObjectives(const AllocationProblem& problem);

// "seed 17: 6 units x 2 options, 1 resources".
std::string Describe(const RandomProblemSpec& spec, std::uint64_t seed);

}  // namespace bitpact::testing

#endif  // BITPACT_TESTS_SOLVERS_PROBLEM_GENERATOR_H_
