// SPDX-License-Identifier: Apache-2.0
#include "solvers/certificate_checker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "solvers/reduced_problem.h"
#include "solvers/reduction_coverage.h"

namespace bitpact {
namespace {

using Real = long double;
constexpr Real kUnit = 0x1p-64L;

std::string Shown(Real value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.12Lg", value);
  return text.data();
}

std::size_t Index(int i) { return static_cast<std::size_t>(i); }

// The original problem in terms of the reduced variables.
struct Derived {
  Real constant = 0.0L;
  std::vector<Real> linear;
  std::vector<Real> matrix;              // n x n: Q, later S
  std::vector<Real> magnitude;           // of row sums: what was added up
  std::vector<std::vector<Real>> sizes;  // [multiplier][variable]
  std::vector<Real> limits;
  Real scale = 0.0L;
  std::vector<Real> terms;  // how many those were

  [[nodiscard]] Real& At(std::size_t row, std::size_t column) {
    return matrix[row * linear.size() + column];
  }
};

// What one original variable being chosen means: 1 of `base` (the plan where
// every group takes its reference) plus `coefficient` of reduced variables.
struct Meaning {
  bool is_in_base = false;
  // (reduced variable, +1 or -1).
  std::vector<std::pair<std::size_t, int>> changes;
};

std::vector<Meaning> Meanings(const AllocationProblem& problem,
                              const ReducedProblem& reduced) {
  const std::vector<int> first = problem.FirstVariables();
  std::vector<Meaning> meanings(Index(first.back()));
  for (std::size_t u = 0; u < reduced.folded.size(); ++u) {
    if (reduced.folded[u] < 0) continue;
    meanings[Index(first[u] + reduced.folded[u])].is_in_base = true;
  }
  for (const ReducedGroup& group : reduced.groups) {
    for (const int u : group.units) {
      Meaning& reference = meanings[Index(first[Index(u)] + group.options[0])];
      reference.is_in_base = true;
      for (int c = 1; c < group.NumChoices(); ++c) {
        const std::size_t variable = Index(group.first + c - 1);
        reference.changes.emplace_back(variable, -1);
        meanings[Index(first[Index(u)] + group.options[Index(c)])]
            .changes.emplace_back(variable, 1);
      }
    }
  }
  return meanings;
}

// Every pair of a factor, written out: variables^2 * rank.
template <typename Visit>
void ForEachFactorPair(const AllocationProblem& problem,
                       const PairFactor& factor,
                       const Visit& visit) {
  std::vector<int> unit_of;
  for (int u = 0; u < problem.NumUnits(); ++u) {
    unit_of.insert(
        unit_of.end(), static_cast<std::size_t>(problem.NumOptions(u)), u);
  }
  const std::size_t rank = Index(factor.rank);
  for (std::size_t a = 0; a < factor.variables.size(); ++a) {
    for (std::size_t b = a + 1; b < factor.variables.size(); ++b) {
      const int i = factor.variables[a];
      const int j = factor.variables[b];
      if (unit_of[Index(i)] == unit_of[Index(j)]) continue;
      Real sum = 0.0L;
      for (std::size_t r = 0; r < rank; ++r) {
        sum += static_cast<Real>(factor.values[a * rank + r]) *
               static_cast<Real>(factor.values[b * rank + r]);
      }
      visit(i, j, 2.0L * static_cast<Real>(factor.scale) * sum);
    }
  }
}

void AddPairs(const AllocationProblem& problem,
              const ReducedProblem& reduced,
              const std::vector<Meaning>& meanings,
              Derived& derived) {
  const auto add = [&](int i, int j, Real q) {
    const Meaning& a = meanings[Index(i)];
    const Meaning& b = meanings[Index(j)];
    derived.scale += std::abs(q);
    if (a.is_in_base && b.is_in_base) derived.constant += q;
    if (b.is_in_base) {
      for (const auto& [v, sign] : a.changes) derived.linear[v] += sign * q;
    }
    if (a.is_in_base) {
      for (const auto& [v, sign] : b.changes) derived.linear[v] += sign * q;
    }
    for (const auto& [v, sign_v] : a.changes) {
      for (const auto& [w, sign_w] : b.changes) {
        const Real entry = static_cast<Real>(sign_v * sign_w) * q;
        if (v == w) {
          // z * z = z: tied units that couple with each other.
          derived.linear[v] += entry;
          continue;
        }
        // z_v z_w = 0 inside a group.
        if (reduced.group_of[v] == reduced.group_of[w]) continue;
        derived.At(v, w) += entry;
        derived.At(w, v) += entry;
        derived.magnitude[v] += std::abs(q);
        derived.magnitude[w] += std::abs(q);
        derived.terms[v] += 1.0L;
        derived.terms[w] += 1.0L;
      }
    }
  };
  problem.pairs.ForEachListed(add);
  for (const PairFactor& factor : problem.pairs.factors()) {
    ForEachFactorPair(problem, factor, add);
  }
}

Derived Derive(const AllocationProblem& problem,
               const ReducedProblem& reduced) {
  const std::size_t n = reduced.linear.size();
  Derived derived;
  derived.constant = static_cast<Real>(problem.constant);
  derived.scale = std::abs(derived.constant);
  derived.linear.assign(n, 0.0L);
  derived.matrix.assign(n * n, 0.0L);
  derived.magnitude.assign(n, 0.0L);
  derived.terms.assign(n, 0.0L);
  const std::vector<Meaning> meanings = Meanings(problem, reduced);
  for (const int k : reduced.resource_index) {
    derived.limits.push_back(
        static_cast<Real>(problem.resources[Index(k)].limit));
    derived.sizes.emplace_back(n, 0.0L);
  }
  std::size_t variable = 0;
  for (const ProblemUnit& unit : problem.units) {
    for (const ProblemOption& option : unit.options) {
      const Meaning& meaning = meanings[variable++];
      const Real cost = static_cast<Real>(option.cost);
      derived.scale += std::abs(cost);
      if (meaning.is_in_base) derived.constant += cost;
      for (const auto& [v, sign] : meaning.changes) {
        derived.linear[v] += sign * cost;
      }
      for (std::size_t r = 0; r < derived.limits.size(); ++r) {
        const Real size =
            static_cast<Real>(option.sizes[Index(reduced.resource_index[r])]);
        if (meaning.is_in_base) derived.limits[r] -= size;
        for (const auto& [v, sign] : meaning.changes) {
          derived.sizes[r][v] += sign * size;
        }
      }
    }
  }
  AddPairs(problem, reduced, meanings, derived);
  return derived;
}

std::string ShapeViolation(const ReducedProblem& reduced,
                           const RootCertificate& certificate) {
  const std::size_t n = reduced.linear.size();
  if (certificate.shift.size() != n || certificate.point.size() != n ||
      certificate.multipliers.size() != reduced.limits.size()) {
    return "has vectors of the wrong length";
  }
  const auto is_finite = [](double value) { return std::isfinite(value); };
  const auto is_price = [](double value) {
    return std::isfinite(value) && value >= 0.0;
  };
  if (!std::all_of(
          certificate.shift.begin(), certificate.shift.end(), is_finite) ||
      !std::all_of(
          certificate.point.begin(), certificate.point.end(), is_finite)) {
    return "has a shift or point that is not finite";
  }
  if (!std::all_of(certificate.multipliers.begin(),
                   certificate.multipliers.end(),
                   is_price)) {
    return "has a multiplier below 0";
  }
  for (const PairTerm& pair : certificate.group_pairs) {
    const bool is_inside = pair.first >= 0 && pair.second >= 0 &&
                           Index(pair.first) < n && Index(pair.second) < n &&
                           pair.first != pair.second &&
                           std::isfinite(pair.value) &&
                           reduced.group_of[Index(pair.first)] ==
                               reduced.group_of[Index(pair.second)];
    if (!is_inside) return "has a group pair that is not inside one group";
  }
  return {};
}

// S from Q, in place.
void AddShift(const RootCertificate& certificate, Derived& derived) {
  for (std::size_t v = 0; v < certificate.shift.size(); ++v) {
    const Real shift = static_cast<Real>(certificate.shift[v]);
    derived.At(v, v) += shift;
    derived.linear[v] -= shift / 2.0L;
    derived.magnitude[v] += std::abs(shift);
  }
  for (const PairTerm& pair : certificate.group_pairs) {
    const Real value = static_cast<Real>(pair.value);
    derived.At(Index(pair.first), Index(pair.second)) += value;
    derived.At(Index(pair.second), Index(pair.first)) += value;
    derived.magnitude[Index(pair.first)] += std::abs(value);
    derived.magnitude[Index(pair.second)] += std::abs(value);
    derived.terms[Index(pair.first)] += 1.0L;
    derived.terms[Index(pair.second)] += 1.0L;
  }
}

// What the Cholesky factorization of S needs on the diagonal to be a proof.
Real CholeskyMargin(const Derived& derived) {
  const std::size_t n = derived.linear.size();
  Real trace = 0.0L;
  Real rounding = 0.0L;  // of the entries, as the largest sum of a row
  for (std::size_t v = 0; v < n; ++v) {
    trace += std::abs(derived.matrix[v * n + v]);
    rounding = std::max(
        rounding, kUnit * (derived.terms[v] + 3.0L) * derived.magnitude[v]);
  }
  return 4.0L * kUnit * (static_cast<Real>(n) + 2.0L) * trace + 2.0L * rounding;
}

// Shifts all variables by four margins more, so that a matrix of zeros, or one
// whose pairs cancel, passes too. It costs the bound no more than its own
// rounding.
void WidenShift(Derived& derived) {
  const Real more = 4.0L * CholeskyMargin(derived);
  for (std::size_t v = 0; v < derived.linear.size(); ++v) {
    derived.At(v, v) += more;
    derived.linear[v] -= more / 2.0L;
  }
}

// Cholesky of S less the margin on the diagonal, lower triangle, row by row.
bool IsSemidefinite(const Derived& derived) {
  const std::size_t n = derived.linear.size();
  const Real margin = CholeskyMargin(derived);
  std::vector<Real> factor(n * n, 0.0L);
  for (std::size_t i = 0; i < n; ++i) {
    Real* row = factor.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) {
      const Real* other = factor.data() + j * n;
      Real sum = derived.matrix[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = other[j] == 0.0L ? 0.0L : sum / other[j];
        continue;
      }
      // A row of zeros is semidefinite without any margin.
      const bool is_empty = derived.magnitude[i] == 0.0L;
      if (is_empty) continue;
      if (!(sum - margin > 0.0L)) return false;
      row[i] = std::sqrt(sum - margin);
    }
  }
  return true;
}

// Sizes are whole numbers below 2^62, exact in long double, so that a limit
// holds if and only if it does after division by their common divisor and
// rounding down.
void DivideSizes(Derived& derived) {
  for (std::size_t r = 0; r < derived.limits.size(); ++r) {
    Real divisor = 0.0L;
    for (Real size : derived.sizes[r]) {
      for (size = std::abs(size); size > 0.0L;) {
        divisor = std::exchange(size, std::fmod(divisor, size));
      }
    }
    if (divisor <= 1.0L) continue;
    Real remainder = std::fmod(derived.limits[r], divisor);
    if (remainder < 0.0L) remainder += divisor;
    derived.limits[r] = (derived.limits[r] - remainder) / divisor;
    for (Real& size : derived.sizes[r]) size /= divisor;
  }
}

Real BoundAt(const ReducedProblem& reduced,
             const RootCertificate& certificate,
             const Derived& derived) {
  const std::size_t n = derived.linear.size();
  std::vector<Real> price(n);  // g + multipliers'sizes
  Real bound = derived.constant;
  Real magnitude = derived.scale;
  for (std::size_t v = 0; v < n; ++v) {
    const Real y = static_cast<Real>(certificate.point[v]);
    const Real shifted = derived.linear[v];
    Real product = 0.0L;
    Real product_magnitude = 0.0L;
    for (std::size_t w = 0; w < n; ++w) {
      const Real term =
          derived.matrix[v * n + w] * static_cast<Real>(certificate.point[w]);
      product += term;
      product_magnitude += std::abs(term);
    }
    price[v] = shifted + product;
    // f_S(y) - g'y = constant - y'Sy / 2.
    bound -= y * product / 2.0L;
    magnitude +=
        std::abs(y) * product_magnitude + std::abs(shifted) + product_magnitude;
    for (std::size_t r = 0; r < derived.limits.size(); ++r) {
      const Real paid =
          static_cast<Real>(certificate.multipliers[r]) * derived.sizes[r][v];
      price[v] += paid;
      magnitude += std::abs(paid);
    }
  }
  for (std::size_t r = 0; r < derived.limits.size(); ++r) {
    const Real paid =
        static_cast<Real>(certificate.multipliers[r]) * derived.limits[r];
    bound -= paid;
    magnitude += std::abs(paid);
  }
  for (const ReducedGroup& group : reduced.groups) {
    Real least = 0.0L;
    for (int c = 1; c < group.NumChoices(); ++c) {
      least = std::min(least, price[Index(group.first + c - 1)]);
    }
    bound += least;
  }
  return bound - 1e-17L * magnitude;
}

}  // namespace

Expected<double> DeriveRootBound(const AllocationProblem& problem,
                                 const RootCertificate& certificate) {
  const auto fail = [](const std::string& what) {
    return Fail(ErrorCode::kInternal, "the root certificate " + what);
  };
  const ReducedProblem reduced =
      Reduce(problem, {.drop_dominated = certificate.drops_dominated});
  if (reduced.infeasible) return fail("is of a problem without plans");
  std::string violation = ShapeViolation(reduced, certificate);
  if (!violation.empty()) return fail(violation);
  violation = CoverageViolation(problem, reduced);
  if (!violation.empty()) return fail("cannot hold: " + violation);
  Derived derived = Derive(problem, reduced);
  DivideSizes(derived);
  AddShift(certificate, derived);
  WidenShift(derived);
  if (!IsSemidefinite(derived)) {
    return fail("has a matrix that is not positive semidefinite");
  }
  return static_cast<double>(BoundAt(reduced, certificate, derived));
}

Expected<void> CheckRootCertificate(const AllocationProblem& problem,
                                    const RootCertificate& certificate) {
  const Expected<double> derived = DeriveRootBound(problem, certificate);
  if (!derived) return tl::unexpected(derived.error());
  const double rounding = 1e-15 * ObjectiveScale(problem);
  // Written so that a bound of NaN fails.
  if (certificate.bound <= *derived + rounding) return {};
  return Fail(ErrorCode::kInternal,
              "the root certificate claims the bound " +
                  Shown(static_cast<Real>(certificate.bound)) + " and proves " +
                  Shown(static_cast<Real>(*derived)));
}

}  // namespace bitpact
