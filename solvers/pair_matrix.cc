// SPDX-License-Identifier: Apache-2.0
#include "solvers/pair_matrix.h"

#include <algorithm>
#include <utility>

// Twice the width where the machine has it, chosen at run time; a product and a
// sum each rounded, so every machine computes the same numbers.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define BITPACT_HAVE_AVX2_ROWS 1
#include <immintrin.h>
#endif

namespace bitpact {
namespace {

// target[j] += scale * values[j] for j < n.
void AddScaled(double scale,
               const double* values,
               std::size_t n,
               double* target) {
  for (std::size_t j = 0; j < n; ++j) target[j] += scale * values[j];
}

#ifdef BITPACT_HAVE_AVX2_ROWS
__attribute__((target("avx2"))) void AddScaledAvx2(double scale,
                                                   const double* values,
                                                   std::size_t n,
                                                   double* target) {
  const __m256d factor = _mm256_set1_pd(scale);
  std::size_t j = 0;
  for (; j + 4 <= n; j += 4) {
    const __m256d product = _mm256_mul_pd(factor, _mm256_loadu_pd(values + j));
    _mm256_storeu_pd(target + j,
                     _mm256_add_pd(_mm256_loadu_pd(target + j), product));
  }
  for (; j < n; ++j) target[j] += scale * values[j];
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

constexpr int kAlwaysDense = 2048;
constexpr std::size_t kSparseBelowShare = 8;

}  // namespace

double PairFactorRows::Dot(int i, std::span<const double> w) const {
  const std::span<const double> row = Row(i);
  const auto split = static_cast<std::size_t>(positive);
  // Four sums, so that additions do not wait for each other.
  double sum[4] = {0.0, 0.0, 0.0, 0.0};
  std::size_t r = 0;
  for (; r + 4 <= split; r += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      sum[lane] += row[r + lane] * w[r + lane];
    }
  }
  for (; r < split; ++r) sum[0] += row[r] * w[r];
  for (; r < row.size(); ++r) sum[1] -= row[r] * w[r];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

PairMatrix::PairMatrix(int n,
                       std::span<const PairTerm> terms,
                       PairFactorRows factors,
                       std::vector<int> group_of)
    : PairMatrix(n, terms) {
  if (factors.rank == 0) return;
  factors_ = std::move(factors);
  group_of_ = std::move(group_of);
  if (n <= kDensePerFactor * factors_.rank) {
    Expand();
  } else if (terms.empty()) {
    is_dense_ = false;
    dense_ = {};
    FillSparse({});
  }
}

void PairMatrix::Expand() {
  if (!has_factors()) return;
  const auto size = static_cast<std::size_t>(n_);
  std::vector<double> all(size * size, 0.0);
  for (int i = 0; i < n_; ++i) {
    AddRow(i, 1.0, {all.data() + static_cast<std::size_t>(i) * size, size});
  }
  dense_ = std::move(all);
  is_dense_ = true;
  start_ = {};
  column_ = {};
  value_ = {};
  factors_ = {};
  group_of_ = {};
}

PairMatrix::PairMatrix(int n, std::span<const PairTerm> terms) : n_(n) {
  const auto size = static_cast<std::size_t>(n);
  is_dense_ =
      n <= kAlwaysDense || 2 * terms.size() >= size * size / kSparseBelowShare;
  if (is_dense_) {
    FillDense(terms);
  } else {
    FillSparse(terms);
  }
}

void PairMatrix::FillDense(std::span<const PairTerm> terms) {
  const auto size = static_cast<std::size_t>(n_);
  dense_.assign(size * size, 0.0);
  for (const PairTerm& term : terms) {
    const auto i = static_cast<std::size_t>(term.first);
    const auto j = static_cast<std::size_t>(term.second);
    dense_[i * size + j] += term.value;
    dense_[j * size + i] += term.value;
  }
}

void PairMatrix::FillSparse(std::span<const PairTerm> terms) {
  std::vector<PairTerm> both;
  both.reserve(2 * terms.size());
  for (const PairTerm& term : terms) {
    both.push_back(term);
    both.push_back({term.second, term.first, term.value});
  }
  // Stable, so that repeats add up in the same order for (i, j) and (j, i).
  std::stable_sort(both.begin(), both.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second < b.second;
  });
  start_.assign(static_cast<std::size_t>(n_) + 1, 0);
  for (std::size_t k = 0; k < both.size();) {
    const PairTerm& entry = both[k];
    double sum = 0.0;
    while (k < both.size() && both[k].first == entry.first &&
           both[k].second == entry.second) {
      sum += both[k++].value;
    }
    if (sum == 0.0) continue;
    column_.push_back(entry.second);
    value_.push_back(sum);
    ++start_[static_cast<std::size_t>(entry.first) + 1];
  }
  for (std::size_t i = 1; i < start_.size(); ++i) start_[i] += start_[i - 1];
}

double PairMatrix::At(int i, int j) const {
  const double listed = ListedAt(i, j);
  if (!has_factors() || group_of_[static_cast<std::size_t>(i)] ==
                            group_of_[static_cast<std::size_t>(j)]) {
    return listed;
  }
  return listed + factors_.Dot(i, factors_.Row(j));
}

double PairMatrix::ListedAt(int i, int j) const {
  const auto row = static_cast<std::size_t>(i);
  if (is_dense_) {
    return dense_[row * static_cast<std::size_t>(n_) +
                  static_cast<std::size_t>(j)];
  }
  const auto begin = column_.begin() + static_cast<std::ptrdiff_t>(start_[row]);
  const auto end =
      column_.begin() + static_cast<std::ptrdiff_t>(start_[row + 1]);
  const auto found = std::lower_bound(begin, end, j);
  if (found == end || *found != j) return 0.0;
  return value_[static_cast<std::size_t>(found - column_.begin())];
}

void PairMatrix::AddRow(int i, double scale, std::span<double> out) const {
  const auto row = static_cast<std::size_t>(i);
  if (has_factors()) {
    const int group = group_of_[row];
    const std::span<const double> mine = factors_.Row(i);
    for (int j = 0; j < n_; ++j) {
      const auto at = static_cast<std::size_t>(j);
      if (group_of_[at] != group) out[at] += scale * factors_.Dot(j, mine);
    }
  }
  AddListedRow(i, scale, out);
}

void PairMatrix::AddListedRow(int i,
                              double scale,
                              std::span<double> out) const {
  const auto row = static_cast<std::size_t>(i);
  if (is_dense_) {
    const auto size = static_cast<std::size_t>(n_);
    const double* values = dense_.data() + row * size;
#ifdef BITPACT_HAVE_AVX2_ROWS
    if (kHasAvx2) {
      AddScaledAvx2(scale, values, size, out.data());
      return;
    }
#endif
    AddScaled(scale, values, size, out.data());
    return;
  }
  for (std::size_t at = start_[row]; at < start_[row + 1]; ++at) {
    out[static_cast<std::size_t>(column_[at])] += scale * value_[at];
  }
}

}  // namespace bitpact
