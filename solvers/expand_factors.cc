// SPDX-License-Identifier: Apache-2.0
#include "solvers/expand_factors.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bitpact {
namespace {

std::vector<int> UnitOfVariables(const AllocationProblem& problem) {
  std::vector<int> unit_of;
  for (int u = 0; u < problem.NumUnits(); ++u) {
    unit_of.insert(
        unit_of.end(), static_cast<std::size_t>(problem.NumOptions(u)), u);
  }
  return unit_of;
}

PairBlock Expand(const PairFactor& factor, const std::vector<int>& unit_of) {
  PairBlock block;
  block.variables = factor.variables;
  const std::size_t m = factor.variables.size();
  const auto rank = static_cast<std::size_t>(factor.rank);
  block.values.reserve(m * (m - 1) / 2);
  const auto unit = [&](std::size_t i) {
    return unit_of[static_cast<std::size_t>(factor.variables[i])];
  };
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = i + 1; j < m; ++j) {
      double dot = 0.0;
      for (std::size_t r = 0; r < rank && unit(i) != unit(j); ++r) {
        dot += factor.values[i * rank + r] * factor.values[j * rank + r];
      }
      block.values.push_back(2.0 * factor.scale * dot);
    }
  }
  return block;
}

}  // namespace

Expected<AllocationProblem> ExpandFactors(const AllocationProblem& problem,
                                          std::size_t most_coefficients) {
  std::size_t count = 0;
  for (const PairFactor& factor : problem.pairs.factors()) {
    const std::size_t m = factor.variables.size();
    count += m * (m - 1) / 2;
  }
  if (count > most_coefficients) {
    return Fail(ErrorCode::kUnsupported,
                "the pair factors stand for " + std::to_string(count) +
                    " coefficients, more than " +
                    std::to_string(most_coefficients));
  }
  AllocationProblem expanded = problem;
  PairTerms pairs;
  for (const PairTerm& term : problem.pairs.terms()) {
    pairs.Add(term.first, term.second, term.value);
  }
  for (const PairBlock& block : problem.pairs.blocks()) pairs.AddBlock(block);
  const std::vector<int> unit_of = UnitOfVariables(problem);
  for (const PairFactor& factor : problem.pairs.factors()) {
    pairs.AddBlock(Expand(factor, unit_of));
  }
  expanded.pairs = std::move(pairs);
  return expanded;
}

}  // namespace bitpact
