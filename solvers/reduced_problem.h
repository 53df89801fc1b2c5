// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_REDUCED_PROBLEM_H_
#define BITPACT_SOLVERS_REDUCED_PROBLEM_H_

// The problem as every search wants it, made without changing any optimum:
//
// * tied units are one group, pinned groups are folded into the constants;
// * an option that cannot fit even when all others take their least size is
//   dropped (repeated until nothing changes), a group with one option left is
//   folded too; a resource that can never be exceeded is dropped;
// * if asked for, an option is dropped when another of its group costs no more
//   and is no larger in every resource, whatever the other groups choose
//   (solvers/dominated_options.h);
// * the sizes of each resource are divided by their greatest common divisor,
//   the limit is rounded down;
// * each remaining group has a reference option, and a binary variable for each
//   OTHER option, so a two-way group is one binary. Substituting x_reference =
//   1
//   - sum of the others turns costs, pairs and sizes into differences from the
//   reference (second differences for pairs).
//
//   f(z) = constant + sum linear[v] z[v] + sum over v < w  pairs(v, w) z[v]
//   z[w] at most one z of a group is 1;  sum sizes[k][v] z[v] <= limits[k].
//
// Choice 0 of a group is its reference, choice c >= 1 is variable first + c
// - 1. pairs has no entries inside a group. The reference is the option with
// the fewest pair coefficients (keeps sparse problems sparse), then the
// smallest first size, then the lowest index.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solvers/allocation_problem.h"
#include "solvers/pair_matrix.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct ReducedGroup {
  std::vector<int> units;    // original units that choose together, ascending
  std::vector<int> options;  // original option of each choice; [0] = reference
  int first = 0;             // variable of choice 1

  [[nodiscard]] int NumChoices() const {
    return static_cast<int>(options.size());
  }
};

struct ReduceOptions {
  // Off: every feasible plan survives. On: one that takes a dominated option is
  // at least matched by one that survives, so the optimum stays, but not all
  // optima and not the next best plans.
  bool drop_dominated = false;

  friend bool operator==(const ReduceOptions&, const ReduceOptions&) = default;
};

// How a solver reduces: dominated options are dropped unless a pool of several
// plans is asked for.
[[nodiscard]] ReduceOptions ReduceFor(const SolveOptions& options);

// One choice a group.
using Choices = std::vector<int>;

struct ReducedProblem {
  // Set when folding alone proves that no plan exists; all else is then empty.
  std::optional<std::string> infeasible;

  double constant = 0.0;
  std::vector<ReducedGroup> groups;  // ordered by their first unit
  std::vector<int> group_of;         // one entry a variable
  std::vector<double> linear;        // one entry a variable
  PairMatrix pairs;
  std::vector<std::vector<std::int64_t>> sizes;  // [resource][variable]
  std::vector<std::int64_t> limits;              // may be negative
  std::vector<int> resource_index;  // original number of each kept resource
  // No less than the sum of the magnitudes of constant, linear and pairs:
  // yardstick of rounding.
  double scale = 0.0;

  // Original assignment of folded units, -1 for those in groups.
  Assignment folded;

  // Options that were dropped as dominated, in that order: units that take
  // `from` can take `to` instead and a plan gets no worse.
  struct Replacement {
    std::vector<int> units;
    int from = 0;
    int to = 0;
  };
  std::vector<Replacement> replacements;
  PresolveCounts counts;

  [[nodiscard]] int NumVariables() const {
    return static_cast<int>(linear.size());
  }
  [[nodiscard]] int NumGroups() const {
    return static_cast<int>(groups.size());
  }
  [[nodiscard]] int NumResources() const {
    return static_cast<int>(limits.size());
  }
  [[nodiscard]] bool IsTwoWay() const { return NumVariables() == NumGroups(); }
  // The variable of a choice; -1 for the reference.
  [[nodiscard]] int VariableOf(int group, int choice) const {
    return choice == 0
               ? -1
               : groups[static_cast<std::size_t>(group)].first + choice - 1;
  }
  // The plan of the original problem.
  [[nodiscard]] Assignment Expand(const Choices& choices) const;
  // The choices of a feasible assignment of the original problem, dominated
  // options replaced: then Expand gives another plan, which is no worse.
  [[nodiscard]] Choices Contract(const Assignment& assignment) const;
};

// Needs a valid problem. O(units * resources + pairs * options^2), memory for
// the pairs of the free groups. Low-rank parts stay low-rank: O(variables *
// rank) time and memory. What drops dominated options may need a few passes.
[[nodiscard]] ReducedProblem Reduce(const AllocationProblem& problem,
                                    const ReduceOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_REDUCED_PROBLEM_H_
