// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_ALLOCATION_PROBLEM_H_
#define BITPACT_SOLVERS_ALLOCATION_PROBLEM_H_

// The bit-allocation problem as a binary quadratic programme: choose exactly
// one option for every unit,
//
//   minimise   constant + sum a[u,o] x[u,o]
//                       + sum over unordered pairs {(u,o), (w,p)} with u != w
//                             of  Q[(u,o),(w,p)] x[u,o] x[w,p]
//   subject to sum_o x[u,o] = 1                 for every unit u
//              sum w_k[u,o] x[u,o] <= W_k       for every resource k
//              pins (u takes o) and ties (u and w take the same option index).
//
// A multiple-choice quadratic knapsack; with two options a unit and no pair
// terms it is the 0-1 knapsack (Kellerer, Pferschy & Pisinger, Knapsack
// Problems, ch. 11 and 12). Numbers and names only: no tensor, no model.
//
// THE FACTOR OF TWO: the coefficient of an unordered pair is counted ONCE. A
// symmetric matrix K in x'Kx enters as Q = 2 * K_ij for i < j, and K_ii as
// cost. See solvers/pair_terms.h.
//
// Variables are numbered unit by unit: option o of unit u is variable
// FirstVariable(u) + o.

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "solvers/pair_terms.h"

namespace bitpact {

struct ProblemOption {
  std::string name;  // "q4g128"; need not be unique
  // Estimated loss increase when the unit takes this option, in nats per token.
  // Finite; may be negative (estimates are noisy).
  double cost = 0.0;
  // What the option uses of each resource, one entry a resource. >= 0.
  std::vector<std::int64_t> sizes;

  friend bool operator==(const ProblemOption&, const ProblemOption&) = default;
};

struct ProblemUnit {
  std::string name;                    // "layers.3.mlp.up_proj"
  std::vector<ProblemOption> options;  // at least one

  friend bool operator==(const ProblemUnit&, const ProblemUnit&) = default;
};

// An inclusive limit on the sum of one size over all units.
struct Resource {
  std::string name;  // "bytes", "latency_us"
  std::int64_t limit = 0;

  friend bool operator==(const Resource&, const Resource&) = default;
};

// The unit must take the option.
struct Pin {
  int unit = 0;
  int option = 0;

  friend bool operator==(const Pin&, const Pin&) = default;
};

// The two units take the same option index. They have equally many options.
// Ties chain: (a, b) and (b, c) tie all three.
struct Tie {
  int first = 0;
  int second = 0;

  friend bool operator==(const Tie&, const Tie&) = default;
};

struct AllocationProblem {
  double constant = 0.0;
  std::vector<ProblemUnit> units;
  std::vector<Resource> resources;  // may be empty: no budget
  PairTerms pairs;
  std::vector<Pin> pins;
  std::vector<Tie> ties;

  [[nodiscard]] int NumUnits() const { return static_cast<int>(units.size()); }
  [[nodiscard]] int NumOptions(int unit) const {
    return static_cast<int>(
        units[static_cast<std::size_t>(unit)].options.size());
  }
  [[nodiscard]] int NumResources() const {
    return static_cast<int>(resources.size());
  }
  // The number of the unit's option 0. O(unit); loops take FirstVariables.
  [[nodiscard]] int FirstVariable(int unit) const;
  // FirstVariable of every unit, then the number of all variables.
  [[nodiscard]] std::vector<int> FirstVariables() const;

  friend bool operator==(const AllocationProblem&,
                         const AllocationProblem&) = default;
};

// The option index that each unit takes, in the units' order.
using Assignment = std::vector<int>;

// kInvalidArgument naming the first unit and option (or pair, pin, tie,
// resource) that breaks a rule stated above: no unit, no option, a number that
// is not finite, a negative size, a wrong number of sizes, an index out of
// range, a pair inside one unit, a unit pinned to two options (also through
// ties), ties of unequal option counts, greatest sizes whose sum passes 2^62.
// An unreachable budget is not an error: solvers report it. Every other
// function of solvers/ needs a problem that passed.
Expected<void> Validate(const AllocationProblem& problem);

// Whether the assignment has one valid option index a unit and honours pins,
// ties and limits. Any vector may be passed.
[[nodiscard]] bool IsFeasible(const AllocationProblem& problem,
                              const Assignment& assignment);

// The objective, added up in long double. CHECKs that the assignment has one
// valid option index a unit; limits, pins and ties play no part.
// O(units + pairs).
[[nodiscard]] double Objective(const AllocationProblem& problem,
                               const Assignment& assignment);

// What the assignment uses, one sum a resource. Same contract as Objective.
[[nodiscard]] std::vector<std::int64_t> ResourceUse(
    const AllocationProblem& problem, const Assignment& assignment);

// The sum of the magnitudes of all numbers that can enter the objective: the
// yardstick of rounding errors. An objective is exact to about 1e-16 of it.
// (Of a low-rank part: |scale| times the squared sum of each unit's longest
// row, which is no less.) O(units + stored pair coefficients).
[[nodiscard]] double ObjectiveScale(const AllocationProblem& problem);

// The least and greatest possible use of one resource, given pins and ties (but
// not the other resources), with each unit's share of the two sums.
struct SizeRange {
  std::int64_t least = 0;
  std::int64_t greatest = 0;
  std::vector<std::int64_t> least_by_unit;
  std::vector<std::int64_t> greatest_by_unit;
};
[[nodiscard]] SizeRange ComputeSizeRange(const AllocationProblem& problem,
                                         int resource);

// "bytes: the limit 900 is below the least possible 1200 (greatest 4000);
// layers.0 needs 700 (pinned), ...", naming the three units with the largest
// shares.
[[nodiscard]] std::string ExplainRange(const AllocationProblem& problem,
                                       int resource,
                                       const SizeRange& range);

// The reason why no plan can exist, seen from each resource alone, in the words
// of ExplainRange. Empty when every limit can be met on its own.
[[nodiscard]] std::string ExplainInfeasibility(
    const AllocationProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_ALLOCATION_PROBLEM_H_
