// SPDX-License-Identifier: Apache-2.0
#include "solvers/box_minimiser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "Eigen/Dense"
#include "core/check.h"

namespace bitpact {
namespace {

constexpr int kMostSteps = 20000;
constexpr int kStepsPerLook = 20;
constexpr double kGap = 1e-9;
// Halvings that find the multiplier of the budget in a projection.
constexpr int kHalvings = 100;

// The programme over y = x / upper in [0, 1], and its convex form.
class UnitBox {
 public:
  explicit UnitBox(const BoxProgramme& p)
      : linear_(Eigen::Map<const Eigen::VectorXd>(p.linear.data(), Size(p))),
        weight_(Eigen::Map<const Eigen::VectorXd>(p.weight.data(), Size(p))),
        limit_(p.limit),
        constant_(p.constant) {
    const Eigen::Map<const Eigen::VectorXd> upper(p.upper.data(), Size(p));
    linear_ = linear_.cwiseProduct(upper);
    weight_ = weight_.cwiseProduct(upper);
    const Eigen::Map<const Eigen::MatrixXd> q(
        p.quadratic.data(), Size(p), Size(p));
    quadratic_ = upper.asDiagonal() * q * upper.asDiagonal();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(
        quadratic_, Eigen::EigenvaluesOnly);
    least_ = eigen.eigenvalues().minCoeff();
    greatest_ = std::max(eigen.eigenvalues().maxCoeff(), 0.0);
    scale_ = linear_.cwiseAbs().sum() + quadratic_.cwiseAbs().sum();
    // A little more than needed, so that rounding leaves it convex; what
    // rounding alone made negative is no reason to shift.
    if (least_ < -1e-12 * scale_) shift_ = -0.5 * least_ + 1e-12 * scale_;
  }

  [[nodiscard]] Eigen::Index size() const { return linear_.size(); }
  [[nodiscard]] double shift() const { return shift_; }
  [[nodiscard]] double scale() const { return scale_; }
  // The largest curvature, of f or of the convex form.
  [[nodiscard]] double Curvature(double shift) const {
    return std::max({greatest_ + 2.0 * shift, -least_, 1e-12 * scale_, 1e-300});
  }

  [[nodiscard]] double Value(const Eigen::VectorXd& y, double shift) const {
    return constant_ + linear_.dot(y) + 0.5 * y.dot(quadratic_ * y) +
           shift * (y.squaredNorm() - y.sum());
  }
  [[nodiscard]] Eigen::VectorXd Gradient(const Eigen::VectorXd& y,
                                         double shift) const {
    Eigen::VectorXd gradient = linear_ + quadratic_ * y + 2.0 * shift * y;
    gradient.array() -= shift;
    return gradient;
  }

  // The nearest point of box and budget.
  [[nodiscard]] Eigen::VectorXd Project(const Eigen::VectorXd& point) const {
    const auto at = [&](double multiplier) {
      return Eigen::VectorXd(
          (point - multiplier * weight_).cwiseMax(0.0).cwiseMin(1.0));
    };
    Eigen::VectorXd y = at(0.0);
    if (weight_.dot(y) <= limit_) return y;
    double low = 0.0;
    double high = 1.0;
    while (weight_.dot(at(high)) > limit_) {
      low = high;
      high *= 2.0;
      if (!std::isfinite(high)) return Eigen::VectorXd::Zero(size());
    }
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = 0.5 * (low + high);
      (weight_.dot(at(middle)) > limit_ ? low : high) = middle;
    }
    return at(high);
  }

  // min over box and budget of gradient'y: a continuous knapsack.
  [[nodiscard]] double LeastLinear(const Eigen::VectorXd& gradient) const {
    std::vector<Eigen::Index> order;
    for (Eigen::Index i = 0; i < size(); ++i) {
      if (gradient[i] < 0.0) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
      const double left = gradient[a] * weight_[b];
      const double right = gradient[b] * weight_[a];
      return left != right ? left < right : a < b;
    });
    double left = limit_;
    double value = 0.0;
    for (const Eigen::Index i : order) {
      const double share =
          weight_[i] <= left ? 1.0 : std::max(left, 0.0) / weight_[i];
      value += share * gradient[i];
      left -= share * weight_[i];
    }
    return value;
  }

 private:
  static Eigen::Index Size(const BoxProgramme& p) {
    return static_cast<Eigen::Index>(p.size());
  }

  Eigen::VectorXd linear_;
  Eigen::VectorXd weight_;
  Eigen::MatrixXd quadratic_;
  double limit_;
  double constant_;
  double least_ = 0.0;
  double greatest_ = 0.0;
  double scale_ = 0.0;
  double shift_ = 0.0;
};

struct Descent {
  Eigen::VectorXd y;
  double bound = 0.0;
  int steps = 0;
};

Descent MinimiseConvex(const UnitBox& box) {
  const double step = 1.0 / box.Curvature(box.shift());
  Descent result;
  Eigen::VectorXd y = box.Project(Eigen::VectorXd::Zero(box.size()));
  Eigen::VectorXd ahead = y;
  double momentum = 1.0;
  result.bound = -std::numeric_limits<double>::infinity();
  for (; result.steps < kMostSteps; ++result.steps) {
    if (result.steps % kStepsPerLook == 0) {
      const Eigen::VectorXd gradient = box.Gradient(y, box.shift());
      const double gap = gradient.dot(y) - box.LeastLinear(gradient);
      result.bound = std::max(result.bound, box.Value(y, box.shift()) - gap);
      if (gap <= kGap * box.scale()) break;
    }
    const Eigen::VectorXd next =
        box.Project(ahead - step * box.Gradient(ahead, box.shift()));
    // Restarted where the momentum points uphill (O'Donoghue & Candes 2015).
    if ((ahead - next).dot(next - y) > 0.0) momentum = 1.0;
    const double larger =
        0.5 * (1.0 + std::sqrt(1.0 + 4.0 * momentum * momentum));
    ahead = next + (momentum - 1.0) / larger * (next - y);
    momentum = larger;
    y = next;
  }
  result.y = std::move(y);
  return result;
}

// Plain projected steps on f, each of which lowers it.
void DescendAsItIs(const UnitBox& box, Descent& result) {
  const double step = 1.0 / box.Curvature(0.0);
  for (int i = 0; i < kMostSteps; ++i) {
    const Eigen::VectorXd next =
        box.Project(result.y - step * box.Gradient(result.y, 0.0));
    ++result.steps;
    const double moved = (next - result.y).cwiseAbs().maxCoeff();
    result.y = next;
    if (moved < 1e-12) return;
  }
}

// What raising variable i by `by` adds to f; field = linear + Q x.
double Change(const BoxProgramme& p,
              const std::vector<double>& field,
              std::size_t i,
              double by) {
  return by * (field[i] + 0.5 * p.quadratic[i * p.size() + i] * by);
}

// Whole levels under change.
class LevelState {
 public:
  LevelState(const BoxProgramme& p,
             const std::vector<double>& x,
             const BoxLevels& levels)
      : p_(p), levels_(levels), field_(p.linear) {
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double per_unit = Most(i) / p.upper[i];
      at_.push_back(static_cast<int>(
          std::clamp(std::floor(x[i] * per_unit + 1e-9), 0.0, Most(i))));
      size_ += levels.sizes[i][static_cast<std::size_t>(at_[i])];
    }
    for (std::size_t i = 0; i < p.size(); ++i) {
      AddToField(i, p.upper[i] * at_[i] / Most(i));
    }
  }

  [[nodiscard]] std::int64_t over() const { return size_ - levels_.limit; }
  [[nodiscard]] const std::vector<int>& at() const { return at_; }

  // The move of the best ratio, one level down or up; false when there is
  // none.
  bool Lower() { return Move(-1); }
  bool Raise() { return Move(1); }

 private:
  [[nodiscard]] double Most(std::size_t i) const {
    return static_cast<double>(levels_.sizes[i].size() - 1);
  }

  void AddToField(std::size_t i, double by) {
    for (std::size_t j = 0; j < p_.size(); ++j) {
      field_[j] += by * p_.quadratic[i * p_.size() + j];
    }
  }

  bool Move(int direction) {
    std::size_t best = p_.size();
    double best_ratio = 0.0;
    for (std::size_t i = 0; i < p_.size(); ++i) {
      const int to = at_[i] + direction;
      if (to < 0 || to > static_cast<int>(Most(i))) continue;
      const std::int64_t more = SizeAt(i, to) - SizeAt(i, at_[i]);
      const double change =
          Change(p_, field_, i, direction * p_.upper[i] / Most(i));
      if (direction > 0 && (over() + more > 0 || change >= 0.0)) continue;
      // Gain (or loss) for each byte; bytes that cost nothing come first.
      const double ratio =
          change / std::max(1.0, std::abs(static_cast<double>(more)));
      if (best == p_.size() || ratio < best_ratio) {
        best = i;
        best_ratio = ratio;
      }
    }
    if (best == p_.size()) return false;
    const int to = at_[best] + direction;
    size_ += SizeAt(best, to) - SizeAt(best, at_[best]);
    at_[best] = to;
    AddToField(best, direction * p_.upper[best] / Most(best));
    return true;
  }

  [[nodiscard]] std::int64_t SizeAt(std::size_t i, int level) const {
    return levels_.sizes[i][static_cast<std::size_t>(level)];
  }

  const BoxProgramme& p_;
  const BoxLevels& levels_;
  std::vector<double> field_;
  std::vector<int> at_;
  std::int64_t size_ = 0;
};

}  // namespace

Expected<BoxSolution> SolveBoxProgramme(const BoxProgramme& programme) {
  const Expected<void> valid = Validate(programme);
  if (!valid) return tl::unexpected(valid.error());
  BoxSolution solution;
  solution.objective = std::numeric_limits<double>::infinity();
  solution.bound = solution.objective;
  if (programme.limit < 0.0) return solution;
  const UnitBox box(programme);
  Descent descent = MinimiseConvex(box);
  if (box.shift() > 0.0) DescendAsItIs(box, descent);
  for (std::size_t i = 0; i < programme.size(); ++i) {
    solution.x.push_back(programme.upper[i] *
                         descent.y[static_cast<Eigen::Index>(i)]);
  }
  solution.objective = programme.Value(solution.x);
  solution.bound = std::min(descent.bound, solution.objective);
  solution.shift = box.shift();
  solution.iterations = descent.steps;
  return solution;
}

std::vector<int> RoundToLevels(const BoxProgramme& programme,
                               const std::vector<double>& x,
                               const BoxLevels& levels) {
  BITPACT_CHECK(x.size() == programme.size() && levels.sizes.size() == x.size(),
                "one list of sizes a variable");
  for (const auto& sizes : levels.sizes) {
    BITPACT_CHECK(sizes.size() > 1, "two levels at least");
  }
  LevelState state(programme, x, levels);
  while (state.over() > 0) {
    if (!state.Lower()) return {};
  }
  while (state.Raise()) {
  }
  return state.at();
}

}  // namespace bitpact
