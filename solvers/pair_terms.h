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
// Two kinds of parts exist: single terms, and dense blocks over any list of
// variables (all of them, the low option of every unit, or one block of a block
// diagonal). A further kind, such as diagonal + low rank, is one more list of
// parts here and one more case in Value and ForEach; nobody else asks what a
// part is made of.

#include <cstddef>
#include <utility>
#include <vector>

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

class PairTerms {
 public:
  // Adds value * x[first] * x[second]. Nothing is checked here: Validate of the
  // problem names bad indices, repeated use of one unit and non-finite values.
  void Add(int first, int second, double value) {
    terms_.push_back({first, second, value});
  }
  void AddBlock(PairBlock block) { blocks_.push_back(std::move(block)); }

  [[nodiscard]] const std::vector<PairTerm>& terms() const { return terms_; }
  [[nodiscard]] const std::vector<PairBlock>& blocks() const { return blocks_; }
  [[nodiscard]] bool empty() const { return terms_.empty() && blocks_.empty(); }
  // Stored coefficients, zeros included.
  [[nodiscard]] std::size_t Count() const;

  // Calls visit(first, second, value) for every stored coefficient that is not
  // zero; the same pair may come up several times. Needs valid block sizes.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
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
  // double. `chosen[v]` says whether x_v = 1, one entry a variable. O(Count()).
  [[nodiscard]] long double Value(const std::vector<bool>& chosen) const;

  friend bool operator==(const PairTerms&, const PairTerms&) = default;

 private:
  std::vector<PairTerm> terms_;
  std::vector<PairBlock> blocks_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PAIR_TERMS_H_
