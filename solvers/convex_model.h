// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_MODEL_H_
#define BITPACT_SOLVERS_CONVEX_MODEL_H_

// A reduced problem made convex without changing it. Because z * z = z for a
// binary, any d gives the same values at binary points:
//
//   f(z) = constant + linear'z + z'Qz / 2                  (Q without diagonal)
//        = constant + (linear - d/2)'z + z'(Q + diag(d))z / 2,
//
// and with Q + diag(d) positive semidefinite the right side is convex and a
// lower bound in between. Less d is a tighter bound, so both choices below sit
// on the border of the semidefinite cone:
//
// * kScaled: d = t * s, s the 2-norms of Q's rows, t the least that works (one
//   symmetric eigenvalue).
// * kSemidefinite: d from the semidefinite relaxation of
//   min f(z) + multipliers'(sizes z), solved by the mixing method (Wang, Chang
//   & Kolter 2017, low-rank coordinate descent), as in Billionnet & Elloumi's
//   quadratic convex reformulation (2007); what the method leaves of negative
//   curvature is then shifted away, so the result is convex whatever the
//   method's accuracy. A better bound at the root, but more variables stay
//   fractional; indispensable when Q is far from semidefinite.
//
// Only what a domain leaves open enters the model; the rest is folded into
// linear, constant and limits.

#include <cstdint>
#include <span>
#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

// Which choices are still possible: [group][choice] of a reduced problem.
using Domain = std::vector<std::vector<char>>;

[[nodiscard]] Domain FullDomain(const ReducedProblem& problem);

enum class Shift { kScaled, kSemidefinite };

struct ConvexModel {
  struct Group {
    int reduced_group = 0;
    // The reduced choice of each choice here; [0] is the reference.
    std::vector<int> reduced_choices;
    // Whether the reference itself is still possible.
    bool has_reference = true;
    int first = 0;  // variable of choice 1

    [[nodiscard]] int NumChoices() const {
      return static_cast<int>(reduced_choices.size());
    }
  };

  double constant = 0.0;
  std::vector<Group> groups;   // those with more than one choice left
  std::vector<int> group_of;   // one entry a variable
  std::vector<double> linear;  // shifted: linear - d/2
  std::vector<double> matrix;  // Q + diag(d), n x n, row-major, symmetric
  std::vector<std::vector<std::int64_t>> sizes;  // [resource][variable]
  std::vector<std::int64_t> limits;
  Choices fixed;  // reduced choices of closed groups, 0 for the others
  // Values of f here are exact to within this; bounds are lowered by it.
  double rounding = 0.0;

  [[nodiscard]] int NumVariables() const {
    return static_cast<int>(linear.size());
  }
  [[nodiscard]] std::span<const double> Row(int variable) const {
    const std::size_t n = linear.size();
    return {matrix.data() + static_cast<std::size_t>(variable) * n, n};
  }
};

// Needs at least one choice left in every group. `multipliers`: prices of the
// resources for kSemidefinite, >= 0; empty means zero. O(n^3) for n variables,
// memory of four n x n matrices.
[[nodiscard]] ConvexModel MakeConvexModel(const ReducedProblem& problem,
                                          const Domain& domain,
                                          Shift shift,
                                          std::span<const double> multipliers);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_MODEL_H_
