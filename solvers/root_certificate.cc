// SPDX-License-Identifier: Apache-2.0
#include "solvers/root_certificate.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "core/check.h"

namespace bitpact {
namespace {

using Real = long double;

// More than what a double rounds, relative.
constexpr Real kPayment = 1e-15L;

// What the shift needs on top of the model's, one entry a variable.
std::vector<double> Widening(const ReducedProblem& reduced,
                             const ConvexModel& model) {
  const int n = model.NumVariables();
  std::vector<double> missed(static_cast<std::size_t>(n), 0.0);
  std::vector<double> row(static_cast<std::size_t>(n));
  double largest = 0.0;
  for (int v = 0; v < n; ++v) {
    std::fill(row.begin(), row.end(), 0.0);
    reduced.pairs.AddRow(v, 1.0, row);
    double sum = 0.0;
    for (int w = 0; w < n; ++w) {
      const auto at = static_cast<std::size_t>(w);
      const double bend = model.Bend(v, w);
      sum += std::abs(bend);
      if (model.group_of[at] == model.group_of[static_cast<std::size_t>(v)]) {
        continue;
      }
      missed[static_cast<std::size_t>(v)] += std::abs(row[at] - bend);
    }
    largest = std::max(largest, sum);
  }
  const double margin =
      4.0 * std::numeric_limits<double>::epsilon() * n * largest;
  for (double& entry : missed) entry = 2.0 * entry + margin;
  return missed;
}

// S point, S = Q + shift + group pairs.
std::vector<Real> Pull(const ReducedProblem& reduced,
                       const RootCertificate& certificate) {
  const std::size_t n = certificate.point.size();
  std::vector<Real> pull(n);
  for (std::size_t v = 0; v < n; ++v) {
    Real sum = static_cast<Real>(certificate.shift[v]) *
               static_cast<Real>(certificate.point[v]);
    reduced.pairs.ForEachInRow(static_cast<int>(v), [&](int w, double value) {
      sum += static_cast<Real>(value) *
             static_cast<Real>(certificate.point[static_cast<std::size_t>(w)]);
    });
    pull[v] = sum;
  }
  for (const PairTerm& pair : certificate.group_pairs) {
    const auto v = static_cast<std::size_t>(pair.first);
    const auto w = static_cast<std::size_t>(pair.second);
    const Real value = static_cast<Real>(pair.value);
    pull[v] += value * static_cast<Real>(certificate.point[w]);
    pull[w] += value * static_cast<Real>(certificate.point[v]);
  }
  return pull;
}

// The formula of RootCertificate, lowered by what doubles round of prices,
// which may be of any size where little fits.
double BoundOf(const ReducedProblem& reduced,
               const RootCertificate& certificate) {
  const std::vector<Real> pull = Pull(reduced, certificate);
  Real bound = static_cast<Real>(reduced.constant);
  Real paid = 0.0L;
  for (std::size_t k = 0; k < reduced.limits.size(); ++k) {
    const Real price = static_cast<Real>(certificate.multipliers[k]);
    bound -= price * static_cast<Real>(reduced.limits[k]);
    paid += price * std::abs(static_cast<Real>(reduced.limits[k]));
  }
  for (const ReducedGroup& group : reduced.groups) {
    Real least = 0.0L;
    for (int c = 1; c < group.NumChoices(); ++c) {
      const auto v = static_cast<std::size_t>(group.first + c - 1);
      Real price = static_cast<Real>(reduced.linear[v]) -
                   0.5L * static_cast<Real>(certificate.shift[v]) + pull[v];
      for (std::size_t k = 0; k < reduced.limits.size(); ++k) {
        const Real part = static_cast<Real>(certificate.multipliers[k]) *
                          static_cast<Real>(reduced.sizes[k][v]);
        price += part;
        paid += std::abs(part);
      }
      least = std::min(least, price);
      bound -= 0.5L * static_cast<Real>(certificate.point[v]) * pull[v];
    }
    bound += least;
  }
  return static_cast<double>(bound - kPayment * paid);
}

}  // namespace

RootCertificate CertifyRoot(const ReducedProblem& reduced,
                            const ConvexModel& model,
                            std::span<const double> point,
                            std::span<const double> multipliers) {
  BITPACT_CHECK(model.NumVariables() == reduced.NumVariables(),
                "of the whole domain");
  RootCertificate certificate;
  certificate.point.assign(point.begin(), point.end());
  certificate.multipliers.assign(multipliers.begin(), multipliers.end());
  certificate.shift = Widening(reduced, model);
  for (const ConvexModel::Group& group : model.groups) {
    const int end = group.first + group.NumChoices() - 1;
    for (int v = group.first; v < end; ++v) {
      certificate.shift[static_cast<std::size_t>(v)] += model.Bend(v, v);
      for (int w = v + 1; w < end; ++w) {
        certificate.group_pairs.push_back({v, w, model.Bend(v, w)});
      }
    }
  }
  certificate.bound = BoundOf(reduced, certificate) - model.rounding;
  return certificate;
}

}  // namespace bitpact
