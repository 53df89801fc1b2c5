// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PAIR_MATRIX_H_
#define BITPACT_SOLVERS_PAIR_MATRIX_H_

// The symmetric matrix of pair coefficients as the searches want it: whole rows
// added at speed, single entries in O(1) (dense) or O(log row) (sparse). Dense
// up to 2,048 variables or when an eighth of the entries is not zero, sparse
// rows otherwise.

#include <cstddef>
#include <span>
#include <vector>

#include "solvers/pair_terms.h"

namespace bitpact {

class PairMatrix {
 public:
  PairMatrix() = default;
  // `terms` over variables 0..n-1, first != second; repeats add up. The
  // coefficient of the unordered pair {i, j} is both entry (i, j) and (j, i),
  // so the quadratic form is sum over i < j, or half of x'Qx. The diagonal is
  // 0.
  PairMatrix(int n, std::span<const PairTerm> terms);

  [[nodiscard]] int size() const { return n_; }
  [[nodiscard]] double At(int i, int j) const;
  // out[j] += scale * Q[i][j] for every j; `out` has size() entries.
  void AddRow(int i, double scale, std::span<double> out) const;
  // Calls visit(j, value) for the entries of row i that are not zero, j
  // ascending.
  template <typename Visit>
  void ForEachInRow(int i, Visit&& visit) const {
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
  void FillDense(std::span<const PairTerm> terms);
  void FillSparse(std::span<const PairTerm> terms);

  int n_ = 0;
  bool is_dense_ = true;
  std::vector<double> dense_;       // n x n, row-major
  std::vector<std::size_t> start_;  // sparse rows: n + 1 offsets
  std::vector<int> column_;
  std::vector<double> value_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PAIR_MATRIX_H_
