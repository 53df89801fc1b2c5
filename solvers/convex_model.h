// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_MODEL_H_
#define BITPACT_SOLVERS_CONVEX_MODEL_H_

// A reduced problem made convex without changing it, in few coordinates.
//
// COORDINATES. Options of one group often differ only in how strongly they act:
// all pairs of group g with h are K_gh u_b u_c with one number u a choice (the
// marginals of a bit ladder). Such a group is one coordinate p_g = sum u_b z_b;
// any other group has one for every variable. With p = the coordinates of z,
//
//   f(z) = constant + linear'z + p'Kp / 2      (K without blocks inside
//   groups).
//
// SHIFT. At most one z of a group is 1, so p_k p_l inside a group is what the
// one z that is 1 makes of it: for any symmetric block diagonal D, one block a
// group,
//
//   f(z) = constant + (linear - diag(U'DU)/2)'z + p'(K + D)p / 2
//
// at all plans, and with K + D positive semidefinite the right side is convex
// and a lower bound in between. (For binaries, z * z = z; for whole groups the
// "block shift".) Less D is a tighter bound, so the choices below sit on the
// border of the semidefinite cone; see solvers/convex_shift.h.
//
// Only what a domain leaves open enters the model; the rest is folded into
// linear, constant and limits.

#include <cstdint>
#include <span>
#include <vector>

#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {

// Which choices are still possible: [group][choice] of a reduced problem.
using Domain = std::vector<std::vector<char>>;

[[nodiscard]] Domain FullDomain(const ReducedProblem& problem);

// See solvers/convex_shift.h. The searches try the latter two; the first two
// are what they are measured against.
enum class Shift { kLeastEigenvalue, kScaled, kLeastTrace, kSemidefinite };

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
  std::vector<double> linear;  // shifted
  // p[coordinate[v]] = sum of factor[v] * z[v] over its variables v.
  std::vector<int> coordinate;
  std::vector<double> factor;
  int num_coordinates = 0;
  std::vector<double> curvature;                 // K + D, row-major, symmetric
  std::vector<std::vector<std::int64_t>> sizes;  // [resource][variable]
  std::vector<std::int64_t> limits;
  Choices fixed;  // reduced choices of closed groups, 0 for the others
  // Values of f here are exact to within this; bounds are lowered by it.
  double rounding = 0.0;

  [[nodiscard]] int NumVariables() const {
    return static_cast<int>(linear.size());
  }
  // Row of the curvature, num_coordinates entries.
  [[nodiscard]] std::span<const double> Row(int coordinate_index) const {
    const auto m = static_cast<std::size_t>(num_coordinates);
    return {curvature.data() + static_cast<std::size_t>(coordinate_index) * m,
            m};
  }
  // Whether the group is one coordinate.
  [[nodiscard]] bool IsLadder(const Group& group) const {
    const auto first = static_cast<std::size_t>(group.first);
    return group.NumChoices() <= 2 ||
           coordinate[first] == coordinate[first + 1];
  }
  // Second derivative of f in two variables.
  [[nodiscard]] double Bend(int v, int w) const {
    const auto i = static_cast<std::size_t>(v);
    const auto j = static_cast<std::size_t>(w);
    return factor[i] * factor[j] *
           Row(coordinate[i])[static_cast<std::size_t>(coordinate[j])];
  }
  // gradient += the quadratic part's gradient at `point`; one entry a variable
  // each. O(m^2 + n).
  void AddCurvature(std::span<const double> point,
                    std::span<double> gradient) const;
};

// Coordinates of the model of the whole problem. O(n^2), memory for the rows of
// one group.
[[nodiscard]] int CountCoordinates(const ReducedProblem& problem);

// Needs at least one choice left in every group. `multipliers`: prices of the
// resources for kSemidefinite, >= 0; empty means zero. `clock`, unless null:
// once its limit is reached the shift is taken as it stands, valid and less
// tight. O(m^3 + n^2) for n variables in m coordinates.
[[nodiscard]] ConvexModel MakeConvexModel(const ReducedProblem& problem,
                                          const Domain& domain,
                                          Shift shift,
                                          std::span<const double> multipliers,
                                          const SolveClock* clock = nullptr);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_MODEL_H_
