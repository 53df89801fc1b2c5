// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_FACTORED_RELAXATION_H_
#define BITPACT_SOLVERS_FACTORED_RELAXATION_H_

// Lower bounds of a reduced problem of any size, without its matrix: memory is
// that of the problem, so linear in variables * rank when pairs are factors.
//
// The convex form (z * z = z, and products inside a group are 0) is
//
//   f(z) = constant + (linear - d/2)'z + z'Sz / 2,
//   S    = V V' - N N' + L + diag(e),   d = the diagonal of S,
//
// V the factors' columns that count positively, with their own diagonal and
// group products: semidefinite as it stands, no eigenvalue needed. N (negative
// columns) and L (listed pairs) are covered by e, which makes them diagonally
// dominant: always true, and weak where they are large.
//
// As in solvers/convex_relaxation.h the bound is true for ANY point y and
// multipliers lambda >= 0,
//
//   f(z) >= f(y) - g'y - lambda'limits
//           + sum over groups of the least g_c + lambda'sizes_c.
//
// y comes from coordinate descent (in each group the dearest choice that has
// weight gives to the cheapest, as in SMO, Platt 1998; for least squares over a
// box Hsieh et al. 2008) on an augmented Lagrangian of the limits, O(rank) a
// step since V'y is kept; groups that stay at a vertex are left out of most
// sweeps.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {

class FactoredRelaxation {
 public:
  // Keeps a reference. O(variables * rank + listed pairs).
  explicit FactoredRelaxation(const ReducedProblem& problem);

  // Up to `rounds` rounds (one price step, O(variables * rank)); ends early
  // when a round raises the bound by less than `tolerance` three times, or at
  // the clock's limits.
  void Improve(int rounds, double tolerance, const SolveClock& clock);

  // The best proven bound of the problem so far, rounding subtracted.
  [[nodiscard]] double bound() const { return bound_; }
  // [group][choice]: 0 where every plan that takes the choice is proven not to
  // be below `cutoff`. A group may have none left: then no plan is.
  [[nodiscard]] std::vector<std::vector<char>> OpenChoices(double cutoff) const;
  // The choice with the most weight of each group.
  [[nodiscard]] Choices Rounded() const;
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  [[nodiscard]] const ReducedGroup& Group(int g) const {
    return problem_.groups[static_cast<std::size_t>(g)];
  }
  void Cover();
  // Gradient of f at y.
  [[nodiscard]] double Gradient(int v) const;
  [[nodiscard]] double Priced(int v) const;
  [[nodiscard]] double Curvature(int from, int to) const;
  bool StepGroup(int g);
  void Shift(int variable, double step);
  void Recompute();
  void RaiseBound();
  double LinearMinimum(std::span<const double> lambda,
                       std::span<const double> gradient,
                       std::vector<double>& slope) const;
  double MaximizePrice(std::size_t k,
                       std::span<const double> gradient,
                       std::vector<double>& lambda) const;

  const ReducedProblem& problem_;
  std::size_t n_;
  std::vector<double> cover_;      // e
  std::vector<double> diagonal_;   // d
  std::vector<double> point_;      // y
  std::vector<double> reference_;  // weight of each group's reference
  std::vector<double> row_sum_;    // V'y and N'y
  std::vector<double> listed_;     // L y
  std::vector<double> lambda_;
  std::vector<double> penalty_;
  std::vector<double> excess_;   // sizes'y - limit
  std::vector<char> is_active_;  // groups
  double rounding_ = 0.0;
  double bound_;
  std::vector<double> reduced_costs_;  // of the best bound, one a variable
  std::int64_t steps_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_FACTORED_RELAXATION_H_
