// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TWO_WAY_RELAXATION_H_
#define BITPACT_SOLVERS_TWO_WAY_RELAXATION_H_

// Lower bounds of a shifted two-way model over a part of its domain. f convex,
// so for ANY point y and ANY price lambda (>= 0 when only an upper limit
// exists),
//
//   f(z) >= f(y) - g'y + g'z,                        g = gradient of f at y
//        >= f(y) - g'y - lambda limit + sum over fixed-to-one (g + lambda w)_i
//           + sum over free of min(0, (g + lambda w)_i)
//
// for every feasible z, w the sizes, limit the upper one if lambda >= 0 and the
// lower one if not. The bound holds however badly y solves the relaxation.
//
// y comes from a semismooth Newton method on the optimality conditions (an
// active-set method: Cholesky on the fractional variables and the row,
// variables change sets where they leave [0, 1] or their reduced cost has the
// wrong sign), one to five steps from the parent's point. When it does not
// settle, projected coordinate descent on an augmented Lagrangian of the row
// takes over and the price comes from the exact one-dimensional maximum.
//
// A free variable whose reduced cost lifts the bound to the cutoff is fixed, as
// is one that cannot fit; both exactly as safe as the bound.

#include <cstdint>
#include <vector>

#include "solvers/two_way_model.h"

namespace bitpact {

struct TwoWayNode {
  std::vector<Fixing> state;
  std::vector<float> point;  // y of the parent's relaxation: a warm start
  double price = 0.0;        // lambda, per size
  double bound = 0.0;        // proven; never falls
  int branch = -1;           // variable to branch on; -1: nothing is free
  bool one_first = false;    // the branch that looks better
};

class TwoWayRelaxation {
 public:
  // Keeps a reference to the model, whose shift must be set.
  explicit TwoWayRelaxation(const TwoWayModel& model);

  [[nodiscard]] TwoWayNode Root() const;

  // Raises the bound, fixes variables, chooses the branch. False: the node has
  // no plan below the cutoff. O(n |A|) + O(|A|^3) a Newton step, A the
  // fractional variables.
  bool Tighten(TwoWayNode& node, double cutoff);

  // Of the last Tighten, before it fixed by reduced cost: the point and price
  // that reach its bound.
  [[nodiscard]] const std::vector<double>& best_point() const {
    return best_point_;
  }
  [[nodiscard]] double best_price() const;
  [[nodiscard]] double best_bound() const { return best_bound_; }
  // The point rounded to the nearest; `z` need not fit.
  void Round(const TwoWayNode& node, std::vector<char>& z) const;

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] std::int64_t fallbacks() const { return fallbacks_; }

 private:
  enum class Place : char { kLow, kHigh, kInside, kFixed };

  bool FixOversized(TwoWayNode& node) const;
  void Load(const TwoWayNode& node);
  void Move(int i, double change);
  void Newton(const TwoWayNode& node, double cutoff);
  bool NewtonStep();
  bool ChangePlaces();
  bool EnterByPrice();
  void Descend(const TwoWayNode& node, double cutoff);
  void Evaluate(double lambda);
  void Confirm();
  [[nodiscard]] double MaximizePrice() const;
  [[nodiscard]] double Excess() const;
  [[nodiscard]] bool ClampPrice();
  void FixByReducedCost(TwoWayNode& node, double cutoff) const;
  void ChooseBranch(TwoWayNode& node);
  [[nodiscard]] double Limit(double lambda) const {
    return lambda >= 0.0 ? upper_ : lower_;
  }

  const TwoWayModel& model_;
  int n_;
  bool has_row_;
  bool is_two_sided_;
  double unit_ = 1.0;         // sizes are divided by it
  std::vector<double> size_;  // w
  double upper_ = 0.0;
  double lower_ = 0.0;
  std::vector<double> linear_;  // shifted: linear - d/2
  std::vector<double> y_;
  std::vector<double> g_;
  std::vector<Place> place_;
  std::vector<char> is_one_;  // fixed to one
  std::vector<int> inside_;
  double lambda_ = 0.0;
  bool is_tight_ = false;  // the row holds with equality
  double best_bound_ = 0.0;
  double best_lambda_ = 0.0;
  std::vector<double> best_point_;
  std::vector<double> best_gradient_;
  std::int64_t steps_ = 0;
  std::int64_t fallbacks_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TWO_WAY_RELAXATION_H_
