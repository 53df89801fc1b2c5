// SPDX-License-Identifier: Apache-2.0
#include "quant/gptq_factor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include "cblas.h"
#include "core/check.h"
#include "lapacke.h"

namespace bitpact {
namespace {

std::size_t At(std::int64_t row, std::int64_t col, std::int64_t n) {
  return static_cast<std::size_t>(row * n + col);
}

Expected<void> CheckHessian(std::span<const float> hessian, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    float nothing = 0.0F;  // NaN as soon as an entry is not finite
    for (std::int64_t j = i; j < n; ++j) {
      const float entry = hessian[At(i, j, n)];
      nothing += entry - entry;
    }
    if (nothing == 0.0F && hessian[At(i, i, n)] >= 0.0F) continue;
    std::int64_t bad = i;
    if (nothing != 0.0F) {
      while (std::isfinite(hessian[At(i, bad, n)])) ++bad;
    }
    return InvalidArgument("Hessian at row " + std::to_string(i) + ", column " +
                           std::to_string(bad) + " is " +
                           std::to_string(hessian[At(i, bad, n)]) +
                           "; entries must be finite, the diagonal >= 0");
  }
  return {};
}

double MeanLiveDiagonal(std::span<const float> hessian, std::int64_t n) {
  double sum = 0.0;
  std::int64_t live = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float entry = hessian[At(i, i, n)];
    sum += entry;
    live += entry > 0.0F ? 1 : 0;
  }
  return live == 0 ? 1.0 : sum / static_cast<double>(live);
}

// The upper triangle of the reordered, reversed and damped Hessian, a tile at a
// time: one of the two goes down columns.
void FillReversed(std::span<const float> hessian,
                  std::int64_t n,
                  std::span<const std::int64_t> order,
                  double damping,
                  std::span<float> out) {
  constexpr std::int64_t kTile = 32;
  const double mean = MeanLiveDiagonal(hessian, n);
  const auto place = [&](std::int64_t i) {
    return order.empty() ? n - 1 - i
                         : order[static_cast<std::size_t>(n - 1 - i)];
  };
  for (std::int64_t top = 0; top < n; top += kTile) {
    for (std::int64_t left = top; left < n; left += kTile) {
      for (std::int64_t i = top; i < std::min(top + kTile, n); ++i) {
        const std::int64_t row = place(i);
        for (std::int64_t j = std::max(left, i + 1);
             j < std::min(left + kTile, n);
             ++j) {
          const std::int64_t col = place(j);
          out[At(i, j, n)] =
              hessian[At(std::min(row, col), std::max(row, col), n)];
        }
      }
    }
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const float diagonal = hessian[At(place(i), place(i), n)];
    out[At(i, i, n)] = static_cast<float>((diagonal == 0.0F ? mean : diagonal) +
                                          damping * mean);
  }
}

// H = L L^T in place, L^T upper and row-major; false when H is not positive
// definite.
bool Cholesky(std::int64_t n, std::span<float> matrix) {
  static const bool one_thread = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(one_thread);
  // A row-major upper triangle is a column-major lower one.
  const auto size = static_cast<lapack_int>(n);
  return LAPACKE_spotrf_work(
             LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) == 0;
}

// (L^-1)^T in place of L^T.
bool Invert(std::int64_t n, std::span<float> matrix) {
  const auto size = static_cast<lapack_int>(n);
  return LAPACKE_strtri_work(
             LAPACK_COL_MAJOR, 'L', 'N', size, matrix.data(), size) == 0;
}

// The factors of the diagonal entries, reversed, that turn R into C.
std::vector<float> InverseDiagonal(std::int64_t n,
                                   std::span<const float> matrix) {
  std::vector<float> inverse(static_cast<std::size_t>(n));
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t at = n - 1 - k;
    inverse[static_cast<std::size_t>(k)] = 1.0F / matrix[At(at, at, n)];
  }
  return inverse;
}

// From L^T or (L^-1)^T of the reversed matrix, in the upper triangle, to C^T in
// the lower one: entry (j, k) of R or R^-1 is entry (n-1-k, n-1-j) of it.
void CouplingFromReversed(std::int64_t n,
                          GptqForm form,
                          std::span<const float> inverse,
                          std::span<float> matrix) {
  for (std::int64_t k = 1; k < n; ++k) {
    const float* const row = &matrix[At(n - 1 - k, 0, n)];
    float* const out = &matrix[At(k, 0, n)];
    const float own = inverse[static_cast<std::size_t>(k)];
    for (std::int64_t j = 0; j < k; ++j) {
      const float by = form == GptqForm::kInverse
                           ? -inverse[static_cast<std::size_t>(j)]
                           : own;
      out[j] = row[n - 1 - j] * by;
    }
  }
}

}  // namespace

Expected<GptqFactor> FactorHessian(std::span<const float> hessian,
                                   std::int64_t n,
                                   std::span<const std::int64_t> order,
                                   double damping,
                                   GptqForm form) {
  BITPACT_CHECK(n > 0 && hessian.size() == At(n, 0, n), "hessian is [n, n]");
  BITPACT_CHECK(order.empty() || order.size() == static_cast<std::size_t>(n),
                "one place a column");
  BITPACT_CHECK(damping > 0.0, "damping > 0");
  if (const auto valid = CheckHessian(hessian, n); !valid) {
    return tl::unexpected(valid.error());
  }
  GptqFactor factor;
  factor.coupling.resize(hessian.size());
  const double most = std::max(kMostDamping, 10.0 * damping);
  for (double used = damping;; used *= 10.0) {
    // Tenfold steps of a decimal fraction end a little beside 1.
    if (used > 1.5 * most) break;
    factor.damping_used = used;
    FillReversed(hessian, n, order, used, factor.coupling);
    if (Cholesky(n, factor.coupling) &&
        (form == GptqForm::kLdlq || Invert(n, factor.coupling))) {
      // Of R for kLdlq, of U = R^-1 for kInverse.
      factor.pivots = InverseDiagonal(n, factor.coupling);
      CouplingFromReversed(n, form, factor.pivots, factor.coupling);
      for (float& pivot : factor.pivots) {
        const float root = form == GptqForm::kLdlq ? 1.0F / pivot : pivot;
        pivot = root * root;
      }
      return factor;
    }
  }
  return InvalidArgument(
      "Hessian is not positive definite, not even with " +
      DampingText(factor.damping_used) +
      " times the mean of its diagonal added to each diagonal entry");
}

std::string DampingText(double damping) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", damping);
  return text.data();
}

}  // namespace bitpact
