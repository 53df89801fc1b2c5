// SPDX-License-Identifier: Apache-2.0
#include "estimators/continuous_ratios.h"

#include <algorithm>
#include <cstddef>

#include "Eigen/Dense"
#include "core/check.h"

namespace bitpact {
namespace {

struct Parabola {
  double constant = 0.0;
  double slope = 0.0;
  double curvature = 0.0;  // of r^2
};

// Rows 1, r, r^2, ... up to `degree`.
Eigen::MatrixXd Powers(const std::vector<double>& ratios, int degree) {
  Eigen::MatrixXd powers(static_cast<Eigen::Index>(ratios.size()), degree + 1);
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    powers(row, 0) = 1.0;
    for (int d = 1; d <= degree; ++d) {
      powers(row, d) = powers(row, d - 1) * ratios[i];
    }
  }
  return powers;
}

// What takes values at the ratios to the coefficients of their least squares.
Eigen::MatrixXd LeastSquares(const Eigen::MatrixXd& powers) {
  return powers.completeOrthogonalDecomposition().pseudoInverse();
}

class Fit {
 public:
  explicit Fit(const std::vector<double>& ratios)
      : ratios_(ratios),
        least_(*std::min_element(ratios.begin(), ratios.end())),
        greatest_(*std::max_element(ratios.begin(), ratios.end())),
        line_(LeastSquares(Powers(ratios, 1))),
        parabola_(LeastSquares(Powers(ratios, ratios.size() > 2 ? 2 : 1))) {}

  [[nodiscard]] Parabola Cost(const std::vector<double>& costs) const {
    const Eigen::Map<const Eigen::VectorXd> values(
        costs.data(), static_cast<Eigen::Index>(costs.size()));
    const Eigen::VectorXd fit = parabola_ * values;
    Parabola result{fit[0], fit[1], fit.size() > 2 ? fit[2] : 0.0};
    const double rise = At(greatest_, costs) - At(least_, costs);
    const bool turns = result.slope + 2.0 * result.curvature * greatest_ > 0.0;
    return rise < 0.0 && turns ? WithVertex(values) : result;
  }

  // Coefficients of 1 and the ratio, of each option.
  [[nodiscard]] double Line(int power, int option) const {
    return line_(power, option);
  }

 private:
  [[nodiscard]] double At(double ratio,
                          const std::vector<double>& costs) const {
    const auto found = std::find(ratios_.begin(), ratios_.end(), ratio);
    return costs[static_cast<std::size_t>(found - ratios_.begin())];
  }

  // a + c (r^2 - 2 R r).
  [[nodiscard]] Parabola WithVertex(
      const Eigen::Ref<const Eigen::VectorXd>& values) const {
    Eigen::MatrixXd basis = Powers(ratios_, 1);
    basis.col(1) = basis.col(1).cwiseProduct(basis.col(1)) -
                   2.0 * greatest_ * basis.col(1);
    const Eigen::VectorXd fit = LeastSquares(basis) * values;
    return {fit[0], -2.0 * greatest_ * fit[1], fit[1]};
  }

  const std::vector<double>& ratios_;
  double least_;
  double greatest_;
  Eigen::MatrixXd line_;
  Eigen::MatrixXd parabola_;
};

}  // namespace

Expected<BoxProgramme> FitContinuousRatios(
    const Surrogate& surrogate,
    const std::vector<double>& ratios,
    const std::vector<std::vector<std::int64_t>>& bytes,
    std::int64_t byte_limit) {
  const std::size_t n = surrogate.linear.size();
  BITPACT_CHECK(bytes.size() == n, "one list of bytes a unit");
  const auto [least, greatest] =
      std::minmax_element(ratios.begin(), ratios.end());
  if (ratios.size() < 2 || *least != 0.0 || *greatest <= 0.0) {
    return InvalidArgument(
        "continuous ratios: the candidates are 0 and at least one more");
  }
  const auto low = static_cast<std::size_t>(least - ratios.begin());
  const auto high = static_cast<std::size_t>(greatest - ratios.begin());
  const Fit fit(ratios);
  BoxProgramme programme;
  programme.constant = surrogate.constant;
  programme.quadratic.assign(n * n, 0.0);
  std::int64_t left = byte_limit;
  for (std::size_t u = 0; u < n; ++u) {
    const Parabola cost = fit.Cost(surrogate.linear[u]);
    programme.constant += cost.constant;
    programme.linear.push_back(cost.slope);
    programme.quadratic[u * n + u] = 2.0 * cost.curvature;
    programme.upper.push_back(*greatest);
    programme.weight.push_back(
        static_cast<double>(bytes[u][high] - bytes[u][low]) / *greatest);
    left -= bytes[u][low];
  }
  programme.limit = static_cast<double>(left);
  for (const SurrogatePair& pair : surrogate.pairs) {
    const auto u = static_cast<std::size_t>(pair.unit_a);
    const auto w = static_cast<std::size_t>(pair.unit_b);
    const auto part = [&](int a, int b) {
      return fit.Line(a, pair.option_a) * fit.Line(b, pair.option_b) *
             pair.value;
    };
    programme.constant += part(0, 0);
    programme.linear[u] += part(1, 0);
    programme.linear[w] += part(0, 1);
    programme.quadratic[u * n + w] += part(1, 1);
    programme.quadratic[w * n + u] += part(1, 1);
  }
  return programme;
}

}  // namespace bitpact
