// SPDX-License-Identifier: Apache-2.0
#include "solvers/reduce_factors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace bitpact {
namespace {

// One factor folded; writes its columns into `rows` from `column` on.
class FactorFold {
 public:
  FactorFold(const PairFactor& factor,
             std::span<const int> slot_of,
             ReducedProblem& reduced)
      : factor_(factor),
        rank_(static_cast<std::size_t>(factor.rank)),
        reduced_(reduced),
        base_(rank_, 0.0),
        sums_((reduced.groups.size() + reduced.linear.size()) * rank_, 0.0),
        squares_(reduced.groups.size() + reduced.linear.size(), 0.0) {
    for (std::size_t i = 0; i < factor.variables.size(); ++i) {
      AddRow(i, slot_of[static_cast<std::size_t>(factor.variables[i])]);
    }
  }

  void Write(std::size_t column, PairFactorRows& rows) {
    for (int g = 0; g < reduced_.NumGroups(); ++g) {
      const auto reference =
          static_cast<std::size_t>(ReducedSlot(Group(g), g, 0));
      for (std::size_t r = 0; r < rank_; ++r) {
        base_[r] += sums_[reference * rank_ + r];
      }
      base_squares_ += squares_[reference];
    }
    double constant = -base_squares_;
    for (const double b : base_) constant += b * b;
    reduced_.constant += factor_.scale * constant;
    double length = 0.0;
    for (int g = 0; g < reduced_.NumGroups(); ++g) {
      double longest = 0.0;
      for (int c = 1; c < Group(g).NumChoices(); ++c) {
        longest = std::max(longest, WriteRow(g, c, column, rows));
      }
      length += longest;
    }
    reduced_.scale += length * length / 2.0;
  }

 private:
  [[nodiscard]] const ReducedGroup& Group(int g) const {
    return reduced_.groups[static_cast<std::size_t>(g)];
  }

  void AddRow(std::size_t i, int slot) {
    if (slot == kVariableDropped) return;
    const double* row = factor_.values.data() + i * rank_;
    double* sum = slot == kVariableFixed
                      ? base_.data()
                      : sums_.data() + static_cast<std::size_t>(slot) * rank_;
    double square = 0.0;
    for (std::size_t r = 0; r < rank_; ++r) {
      sum[r] += row[r];
      square += row[r] * row[r];
    }
    (slot == kVariableFixed ? base_squares_
                            : squares_[static_cast<std::size_t>(slot)]) +=
        square;
  }

  // Returns the length of the row as written.
  double WriteRow(int g, int c, std::size_t column, PairFactorRows& rows) {
    const auto reference =
        static_cast<std::size_t>(ReducedSlot(Group(g), g, 0));
    const auto slot = static_cast<std::size_t>(ReducedSlot(Group(g), g, c));
    const auto variable = static_cast<std::size_t>(Group(g).first + c - 1);
    const double unit = std::sqrt(2.0 * std::abs(factor_.scale));
    double cost = squares_[reference] - squares_[slot];
    double square = 0.0;
    double* out =
        rows.values.data() + variable * static_cast<std::size_t>(rows.rank);
    for (std::size_t r = 0; r < rank_; ++r) {
      const double v = sums_[slot * rank_ + r] - sums_[reference * rank_ + r];
      cost += (2.0 * base_[r] + v) * v;
      out[column + r] = unit * v;
      square += v * v;
    }
    reduced_.linear[variable] += factor_.scale * cost;
    return unit * std::sqrt(square);
  }

  const PairFactor& factor_;
  std::size_t rank_;
  ReducedProblem& reduced_;
  std::vector<double> base_;  // B
  double base_squares_ = 0.0;
  std::vector<double> sums_;  // U, slots x rank
  std::vector<double> squares_;
};

}  // namespace

PairFactorRows ReduceFactors(const AllocationProblem& problem,
                             std::span<const int> slot_of,
                             ReducedProblem& reduced) {
  PairFactorRows rows;
  for (const PairFactor& factor : problem.pairs.factors()) {
    rows.rank += factor.rank;
    if (factor.scale > 0.0) rows.positive += factor.rank;
  }
  rows.values.assign(
      reduced.linear.size() * static_cast<std::size_t>(rows.rank), 0.0);
  std::size_t positive = 0;
  auto negative = static_cast<std::size_t>(rows.positive);
  for (const PairFactor& factor : problem.pairs.factors()) {
    std::size_t& column = factor.scale > 0.0 ? positive : negative;
    FactorFold(factor, slot_of, reduced).Write(column, rows);
    column += static_cast<std::size_t>(factor.rank);
  }
  return rows;
}

}  // namespace bitpact
