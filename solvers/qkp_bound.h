// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_QKP_BOUND_H_
#define BITPACT_SOLVERS_QKP_BOUND_H_

// The upper bound of Caprara, Pisinger & Toth, Exact solution of the quadratic
// knapsack problem, INFORMS J. Computing 11(2), 1999, sec. 2. Each pair's
// profit is split between its two items; what item j can earn with its shares
// is then at most a continuous knapsack,
//
//   t[j] = profit[j] + max { sum share[j, i] y[i] : sum over i != j of
//                            weight[i] y[i] <= capacity - weight[j] },
//
// and the whole at most base + max { t'x : weight'x <= capacity }, continuous
// too. A sub-gradient search moves the shares. Deviations: both knapsacks are
// bounded by their duals, min over lambda >= 0 of lambda * room + sum max(0,
// value - lambda * weight), which hold for EVERY lambda; so a wrong critical
// ratio costs tightness and never validity. Shares stay within [0, pair], where
// the best ones are. Where an item is forced in or out by the dual's reduced
// cost, it is marked.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/qkp_model.h"

namespace bitpact {

class QkpBound {
 public:
  struct Effort {
    int steps = 20;
    // Stop after so many steps that together gained less than `least_gain` of
    // the gap to the threshold.
    int patience = 8;
    double least_gain = 0.05;
  };

  // Improves the shares of `model` and, through `states` (one entry an item,
  // free ones are marked when proven), closes items that no solution above
  // `threshold` can have otherwise. Returns an upper bound for all solutions
  // that respect `states`, outward by `margin`; at or below the threshold means
  // that there is nothing left, and the search stops at once. `threshold` may
  // be -infinity. O(steps * pairs).
  double Tighten(QkpModel& model,
                 std::vector<ItemState>& states,
                 double threshold,
                 double margin,
                 const Effort& effort);

  // Mean of the outer knapsack's solutions over the later steps of the last
  // Tighten, one entry an item, in [0, 1]: near the relaxation's solution.
  [[nodiscard]] const std::vector<double>& mean() const { return mean_; }
  // Steps over all calls.
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  struct Critical {
    double ratio = 0.0;
    double weight = 0.0;
  };
  // The entries of one row.
  struct Row {
    const double* share;
    const double* weight;
    std::size_t size;
  };

  void Start(const QkpModel& model);
  // Values t and the flags of the inner knapsacks; then the outer one.
  double Evaluate(QkpModel& model);
  double SolveRow(QkpModel& model, int item);
  static double WeightAbove(const Row& row, double lambda);
  double CriticalRatio(const Row& row, double room, double last);
  double FindCritical(std::size_t count, double room);
  double SolveOuter(const QkpModel& model);
  void Mark(const QkpModel& model,
            double bound,
            double threshold,
            std::vector<ItemState>& states) const;
  double SquaredNorm(const QkpModel& model);
  void Move(QkpModel& model, double step) const;

  std::vector<double> best_share_;
  std::vector<double> value_;  // t, one an item
  std::vector<double> x_;      // the outer solution
  std::vector<double> mean_;
  std::vector<double> y_;             // inner solutions, one an entry
  std::vector<double> gradient_;      // one an entry whose column is larger
  std::vector<double> weight_;        // max(weight, 0), one an item
  std::vector<double> entry_weight_;  // of the column, one an entry
  std::vector<Critical> candidates_;
  std::vector<std::size_t> ties_;
  std::vector<int> order_;
  double room_ = 0.0;  // capacity + what weights below zero give
  double outer_lambda_ = 0.0;
  std::int64_t steps_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_QKP_BOUND_H_
