// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PAIR_TERMS_H_
#define BITPACT_SOLVERS_PAIR_TERMS_H_

// The quadratic part of an allocation problem, kept as what it is. Variables
// are numbered as in solvers/allocation_problem.h, unit by unit.
//
// CONVENTION (all of solvers/): a coefficient belongs to an UNORDERED pair and
// is counted ONCE. The pair {i, j} adds value * x_i * x_j to the objective, so
// a symmetric matrix K in x'Kx enters with value 2 * K_ij for i < j, and its
// diagonal K_ii (x*x = x) goes into the linear costs. The parts add up: a pair
// that occurs twice counts with the sum.
//
// Three kinds of parts exist: single terms; dense blocks over any list of
// variables (all of them, the low option of every unit, or one block of a block
// diagonal); and factors, scale * U U', the covariance of a few samples over
// many variables. A factor is never expanded unasked: who wants its pairs one
// by one calls ExpandFactors (solvers/expand_factors.h) with a limit.

#include <cstddef>
#include <utility>
#include <vector>

#include "core/check.h"

namespace bitpact {

// value * x[first] * x[second]; first != second.
struct PairTerm {
  int first = 0;
  int second = 0;
  double value = 0.0;

  friend bool operator==(const PairTerm&, const PairTerm&) = default;
};

// A dense symmetric block over `variables` (ascending, no repeats).
struct PairBlock {
  std::vector<int> variables;
  // Strict upper triangle row by row: with m variables, m * (m - 1) / 2 values,
  // the pair (variables[r], variables[c]), r < c, at PairBlockIndex(m, r, c).
  std::vector<double> values;

  friend bool operator==(const PairBlock&, const PairBlock&) = default;
};

// Where the pair (row, column), row < column < m, lies in PairBlock::values.
constexpr std::size_t PairBlockIndex(std::size_t m,
                                     std::size_t row,
                                     std::size_t column) {
  return row * m - row * (row + 1) / 2 + (column - row - 1);
}

// A low-rank part: with u_i the row of U of variables[i] and x the variables,
//
//   2 * scale * sum over pairs i < j OF DIFFERENT UNITS of (u_i . u_j) x_i x_j.
//
// A plan takes one variable a unit, so for plans this is
// scale * (|sum of the chosen rows|^2 - sum of the chosen |u_i|^2): the
// products within a unit and the squares are no part of it. K = U U' in x'Kx
// therefore enters as this part with scale 1 and |u_i|^2 as cost, as for the
// other kinds. A negative scale makes the form indefinite. Memory: variables *
// rank.
struct PairFactor {
  std::vector<int> variables;  // ascending, no repeats; others have row 0
  int rank = 0;                // >= 1: columns of U
  double scale = 1.0;          // finite
  std::vector<double> values;  // U, variables x rank, row-major; finite

  friend bool operator==(const PairFactor&, const PairFactor&) = default;
};

class PairTerms {
 public:
  // Adds value * x[first] * x[second]. Nothing is checked here: Validate of the
  // problem names bad indices, repeated use of one unit and non-finite values.
  void Add(int first, int second, double value) {
    terms_.push_back({first, second, value});
  }
  void AddBlock(PairBlock block) { blocks_.push_back(std::move(block)); }
  void AddFactor(PairFactor factor) { factors_.push_back(std::move(factor)); }

  [[nodiscard]] const std::vector<PairTerm>& terms() const { return terms_; }
  [[nodiscard]] const std::vector<PairBlock>& blocks() const { return blocks_; }
  [[nodiscard]] const std::vector<PairFactor>& factors() const {
    return factors_;
  }
  [[nodiscard]] bool empty() const {
    return terms_.empty() && blocks_.empty() && factors_.empty();
  }
  // Stored coefficients, zeros included.
  [[nodiscard]] std::size_t Count() const;

  // Calls visit(first, second, value) for every pair coefficient that is not
  // zero; the same pair may come up several times. Needs valid block sizes, and
  // that there are no factors: those are not pairs until somebody expands them.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    BITPACT_CHECK(factors_.empty(), "factors must be expanded first");
    ForEachListed(std::forward<Visit>(visit));
  }
  // The same for terms and blocks only; the caller sees to the factors.
  template <typename Visit>
  void ForEachListed(Visit&& visit) const {
    for (const PairTerm& term : terms_) {
      if (term.value != 0.0) visit(term.first, term.second, term.value);
    }
    for (const PairBlock& block : blocks_) {
      std::size_t at = 0;
      for (std::size_t r = 0; r < block.variables.size(); ++r) {
        for (std::size_t c = r + 1; c < block.variables.size(); ++c, ++at) {
          if (block.values[at] == 0.0) continue;
          visit(block.variables[r], block.variables[c], block.values[at]);
        }
      }
    }
  }

  // The sum of all terms whose two variables are both chosen, added up in long
  // double. `chosen[v]` says whether x_v = 1, one entry a variable, one
  // variable a unit at most. O(Count()).
  [[nodiscard]] long double Value(const std::vector<bool>& chosen) const;

  friend bool operator==(const PairTerms&, const PairTerms&) = default;

 private:
  std::vector<PairTerm> terms_;
  std::vector<PairBlock> blocks_;
  std::vector<PairFactor> factors_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PAIR_TERMS_H_
