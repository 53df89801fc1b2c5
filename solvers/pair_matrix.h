// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PAIR_MATRIX_H_
#define BITPACT_SOLVERS_PAIR_MATRIX_H_

// The symmetric matrix of pair coefficients as the searches want it: whole rows
// added at speed, single entries in O(1) (dense) or O(log row) (sparse). Dense
// up to 2,048 variables or when an eighth of the entries is not zero, sparse
// rows otherwise.
//
// Low-rank parts stay rows V: entry (i, j) of different groups is V_i.V_j on
// top of the rest (less the products of the columns with a negative sign).
// Entries then cost O(rank) and rows O(n * rank), and memory is linear in n *
// rank: written out only where the dense matrix is at most kDensePerFactor
// times as large, and where Expand is called.

#include <cstddef>
#include <span>
#include <vector>

#include "solvers/pair_terms.h"

namespace bitpact {

// V, size() x rank, row-major. Columns from `positive` on count negatively.
struct PairFactorRows {
  int rank = 0;
  int positive = 0;
  std::vector<double> values;

  [[nodiscard]] std::span<const double> Row(int i) const {
    const auto r = static_cast<std::size_t>(rank);
    return {values.data() + static_cast<std::size_t>(i) * r, r};
  }
  // V_i.w with the columns' signs.
  [[nodiscard]] double Dot(int i, std::span<const double> w) const;
};

class PairMatrix {
 public:
  // n <= this * rank: a row of the dense matrix is cheaper than the dot
  // products that a search makes for each row it uses.
  static constexpr int kDensePerFactor = 8;

  PairMatrix() = default;
  // `terms` over variables 0..n-1, first != second; repeats add up. The
  // coefficient of the unordered pair {i, j} is both entry (i, j) and (j, i),
  // so the quadratic form is sum over i < j, or half of x'Qx. The diagonal is
  // 0.
  PairMatrix(int n, std::span<const PairTerm> terms);
  // With factors; `group_of[i]` tells which variables belong together.
  PairMatrix(int n,
             std::span<const PairTerm> terms,
             PairFactorRows factors,
             std::vector<int> group_of);

  // Whether a part is kept as rows; false after Expand.
  [[nodiscard]] bool has_factors() const { return factors_.rank > 0; }
  [[nodiscard]] const PairFactorRows& factors() const { return factors_; }
  // Writes the factors out into a dense matrix. O(n^2 * rank).
  void Expand();

  [[nodiscard]] int size() const { return n_; }
  [[nodiscard]] double At(int i, int j) const;
  // out[j] += scale * Q[i][j] for every j; `out` has size() entries.
  void AddRow(int i, double scale, std::span<double> out) const;
  // The same for all but the factors.
  void AddListedRow(int i, double scale, std::span<double> out) const;
  // Calls visit(j, value) for the entries of row i that are not zero, j
  // ascending. O(n * rank) with factors.
  template <typename Visit>
  void ForEachInRow(int i, Visit&& visit) const {
    if (has_factors()) {
      std::vector<double> values(static_cast<std::size_t>(n_), 0.0);
      AddRow(i, 1.0, values);
      for (int j = 0; j < n_; ++j) {
        const double value = values[static_cast<std::size_t>(j)];
        if (value != 0.0) visit(j, value);
      }
      return;
    }
    ForEachListedInRow(i, visit);
  }
  // The same for all but the factors.
  template <typename Visit>
  void ForEachListedInRow(int i, Visit&& visit) const {
    const auto row = static_cast<std::size_t>(i);
    if (is_dense_) {
      const double* values = dense_.data() + row * static_cast<std::size_t>(n_);
      for (int j = 0; j < n_; ++j) {
        if (values[j] != 0.0) visit(j, values[j]);
      }
      return;
    }
    for (std::size_t at = start_[row]; at < start_[row + 1]; ++at) {
      visit(column_[at], value_[at]);
    }
  }

 private:
  [[nodiscard]] double ListedAt(int i, int j) const;
  void FillDense(std::span<const PairTerm> terms);
  void FillSparse(std::span<const PairTerm> terms);

  int n_ = 0;
  bool is_dense_ = true;
  std::vector<double> dense_;       // n x n, row-major
  std::vector<std::size_t> start_;  // sparse rows: n + 1 offsets
  std::vector<int> column_;
  std::vector<double> value_;
  PairFactorRows factors_;
  std::vector<int> group_of_;  // empty without factors
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PAIR_MATRIX_H_
