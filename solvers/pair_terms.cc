// SPDX-License-Identifier: Apache-2.0
#include "solvers/pair_terms.h"

namespace bitpact {
namespace {

long double FactorValue(const PairFactor& factor,
                        const std::vector<bool>& chosen) {
  const auto rank = static_cast<std::size_t>(factor.rank);
  std::vector<long double> sum(rank, 0.0L);
  long double squares = 0.0L;
  for (std::size_t i = 0; i < factor.variables.size(); ++i) {
    if (!chosen[static_cast<std::size_t>(factor.variables[i])]) continue;
    for (std::size_t r = 0; r < rank; ++r) {
      const auto u = static_cast<long double>(factor.values[i * rank + r]);
      sum[r] += u;
      squares += u * u;
    }
  }
  long double value = -squares;
  for (const long double s : sum) value += s * s;
  return static_cast<long double>(factor.scale) * value;
}

}  // namespace

std::size_t PairTerms::Count() const {
  std::size_t count = terms_.size();
  for (const PairBlock& block : blocks_) count += block.values.size();
  for (const PairFactor& factor : factors_) count += factor.values.size();
  return count;
}

long double PairTerms::Value(const std::vector<bool>& chosen) const {
  const auto is_chosen = [&](int variable) {
    return chosen[static_cast<std::size_t>(variable)];
  };
  long double sum = 0.0L;
  for (const PairTerm& term : terms_) {
    if (is_chosen(term.first) && is_chosen(term.second)) {
      sum += static_cast<long double>(term.value);
    }
  }
  for (const PairBlock& block : blocks_) {
    const std::size_t m = block.variables.size();
    for (std::size_t r = 0; r < m; ++r) {
      if (!is_chosen(block.variables[r])) continue;
      for (std::size_t c = r + 1; c < m; ++c) {
        if (!is_chosen(block.variables[c])) continue;
        sum += static_cast<long double>(block.values[PairBlockIndex(m, r, c)]);
      }
    }
  }
  for (const PairFactor& factor : factors_) sum += FactorValue(factor, chosen);
  return sum;
}

}  // namespace bitpact
