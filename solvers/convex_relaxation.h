// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_RELAXATION_H_
#define BITPACT_SOLVERS_CONVEX_RELAXATION_H_

// Lower bounds of a convex model over a part of its domain. By convexity, for
// ANY point y and any multipliers lambda >= 0,
//
//   f(z) >= f(y) - g'y + g'z,                           g = gradient of f at y
//        >= f(y) - g'y - lambda'limits
//           + sum over groups of the least g_c + lambda'sizes_c
//
// for every feasible z: the bound holds however badly y solves the relaxation,
// so it may be stopped early and costs only tightness, never truth. (The linear
// minimum is a continuous multiple-choice knapsack, here by its Lagrangian:
// exact for one resource, a valid bound for several.)
//
// y comes from coordinate descent inside the groups' simplices (the most
// violating pair of choices exchanges weight, as in SMO, Platt 1998) on an
// augmented Lagrangian of the limits, alternating with Newton steps on y and
// lambda together over the weights that are split.
//
// Choices whose reduced cost lifts the bound to the cutoff are closed, and
// those that cannot fit any more; both exactly as safe as the bound.

#include <cstdint>
#include <span>
#include <vector>

#include "solvers/convex_model.h"
#include "solvers/solve_clock.h"

namespace bitpact {

// A node of the search: what is open, and where its relaxation stands.
struct RelaxationNode {
  // 1 for open choices, 0 for closed ones: ConvexRelaxation::Slot(group,
  // choice).
  std::vector<char> open;
  std::vector<float> point;         // y, one entry a variable
  std::vector<double> multipliers;  // one a resource
  double bound = 0.0;               // proven; never falls
};

class ConvexRelaxation {
 public:
  // Weights below this count as none.
  static constexpr double kNoWeight = 1e-6;

  // Keeps a reference to the model.
  explicit ConvexRelaxation(const ConvexModel& model);

  // Everything open, weight spread evenly, bound -infinity.
  [[nodiscard]] RelaxationNode Root() const;

  struct Effort {
    int rounds = 6;    // at most; one is O(n^2)
    int patience = 1;  // rounds of little gain that end it
    // Unless null, its limit ends the rounds as well.
    const SolveClock* clock = nullptr;
  };
  // Raises the bound, closes choices, improves the point. False: the node holds
  // no plan below `cutoff`.
  bool Tighten(RelaxationNode& node, double cutoff, const Effort& effort);

  // Where a choice stands in RelaxationNode::open.
  [[nodiscard]] std::size_t Slot(int group, int choice) const {
    const int first = model_.groups[static_cast<std::size_t>(group)].first;
    return static_cast<std::size_t>(first) + static_cast<std::size_t>(group) +
           static_cast<std::size_t>(choice);
  }
  [[nodiscard]] bool IsOpen(const RelaxationNode& node,
                            int group,
                            int choice) const {
    return node.open[Slot(group, choice)] == 1;
  }
  [[nodiscard]] int NumOpen(const RelaxationNode& node, int group) const;
  // The weight y gives to a choice; the reference has what is left over.
  [[nodiscard]] double Weight(const RelaxationNode& node,
                              int group,
                              int choice) const;
  // Closes all other choices of the group.
  void Fix(RelaxationNode& node, int group, int choice) const;
  void Close(RelaxationNode& node, int group, int choice) const;

  // The group and choice to branch on, for the node that was tightened last:
  // where both branches move the point most, measured by the curvature; when no
  // weight is split, the group whose two cheapest choices are closest. {-1, -1}
  // when all groups are decided.
  struct Branch {
    int group = -1;
    int choice = -1;
  };
  [[nodiscard]] Branch ChooseBranch(const RelaxationNode& node) const;

  // Reduced choices of the open choice with the most weight in each group.
  [[nodiscard]] Choices Rounded(const RelaxationNode& node) const;

  // Of the last Tighten: the point and prices of its best bound.
  [[nodiscard]] const std::vector<double>& best_point() const {
    return best_point_;
  }
  [[nodiscard]] const std::vector<double>& best_multipliers() const {
    return best_multipliers_;
  }
  // Relaxation steps so far.
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  [[nodiscard]] int NumChoices(int group) const {
    return model_.groups[static_cast<std::size_t>(group)].NumChoices();
  }
  [[nodiscard]] int Variable(int group, int choice) const {
    return choice == 0 ? -1
                       : model_.groups[static_cast<std::size_t>(group)].first +
                             choice - 1;
  }
  // Of f at y.
  [[nodiscard]] double Gradient(std::size_t v) const {
    return model_.linear[v] +
           model_.factor[v] *
               pull_[static_cast<std::size_t>(model_.coordinate[v])];
  }
  void MoveCoordinate(int coordinate, double change);
  // Second derivative along the exchange of two variables, -1: reference.
  [[nodiscard]] double ExchangeBend(int from, int to) const;
  // Gradient and prices of a choice; 0 for the reference.
  [[nodiscard]] double ReducedCost(int group,
                                   int choice,
                                   std::span<const double> lambda) const;
  bool CloseOversized(RelaxationNode& node) const;
  bool CloseOversizedOf(std::size_t resource, RelaxationNode& node) const;
  void LoadPoint(const RelaxationNode& node);
  void Descend(const RelaxationNode& node, std::vector<double>& lambda);
  [[nodiscard]] double SizeOf(std::size_t resource, int variable) const {
    return variable < 0 ? 0.0
                        : sizes_[resource][static_cast<std::size_t>(variable)];
  }
  void DescendGroup(const RelaxationNode& node,
                    int group,
                    std::span<const double> price);
  void Exchange(int group, int from, int to, double gap);
  double LinearMinimum(const RelaxationNode& node,
                       std::span<const double> lambda,
                       std::vector<double>& slope) const;
  double MaximizeMultipliers(const RelaxationNode& node,
                             std::vector<double>& lambda) const;
  double MaximizeOne(const RelaxationNode& node,
                     std::size_t resource,
                     std::vector<double>& lambda) const;
  [[nodiscard]] double PointValue() const;
  bool CloseByReducedCost(RelaxationNode& node,
                          std::span<const double> lambda,
                          double bound,
                          double cutoff) const;
  // Moves weight between two variables of the group, -1 for its reference.
  void Shift(int group, int from, int to, double step);
  // One second-order step of y and lambda; leaves both when it cannot.
  void NewtonStep(std::vector<double>& lambda);

  const ConvexModel& model_;
  std::vector<std::vector<double>> sizes_;  // as doubles
  std::vector<double> limits_;
  std::vector<double> point_;      // y
  std::vector<double> reference_;  // weight of each group's reference
  std::vector<double> pull_;       // curvature times the coordinates of y
  std::vector<double> excess_;     // sizes'y - limit, one a resource
  std::vector<double> best_point_;
  std::vector<double> best_multipliers_;
  std::vector<double> penalty_;  // of the squared excess, one a resource
  std::int64_t steps_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_RELAXATION_H_
