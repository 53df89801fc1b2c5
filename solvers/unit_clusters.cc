// SPDX-License-Identifier: Apache-2.0
#include "solvers/unit_clusters.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>

namespace bitpact {

std::vector<UnitCluster> FindClusters(const ReducedProblem& problem) {
  std::vector<int> root(static_cast<std::size_t>(problem.NumGroups()));
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](int g) {
    while (root[static_cast<std::size_t>(g)] != g) {
      auto& parent = root[static_cast<std::size_t>(g)];
      parent = root[static_cast<std::size_t>(parent)];
      g = parent;
    }
    return g;
  };
  for (int v = 0; v < problem.NumVariables(); ++v) {
    const int group = problem.group_of[static_cast<std::size_t>(v)];
    problem.pairs.ForEachListedInRow(v, [&](int w, double) {
      const int a = find(group);
      const int b = find(problem.group_of[static_cast<std::size_t>(w)]);
      root[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
    });
  }
  // Low-rank parts couple every group they name with all others.
  int coupled = -1;
  for (int v = 0; v < problem.NumVariables() && problem.pairs.has_factors();
       ++v) {
    const std::span<const double> row = problem.pairs.factors().Row(v);
    if (std::all_of(
            row.begin(), row.end(), [](double u) { return u == 0.0; })) {
      continue;
    }
    const int group = problem.group_of[static_cast<std::size_t>(v)];
    if (coupled < 0) coupled = group;
    const int a = find(group);
    const int b = find(coupled);
    root[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  std::vector<UnitCluster> clusters;
  std::vector<int> index(root.size(), -1);
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const auto top = static_cast<std::size_t>(find(g));
    if (index[top] < 0) {
      index[top] = static_cast<int>(clusters.size());
      clusters.emplace_back();
    }
    clusters[static_cast<std::size_t>(index[top])].push_back(g);
  }
  return clusters;
}

double NumPlans(const ReducedProblem& problem, const UnitCluster& cluster) {
  double plans = 1.0;
  for (const int g : cluster) {
    plans *= problem.groups[static_cast<std::size_t>(g)].NumChoices();
  }
  return plans;
}

void DecodePlan(const ReducedProblem& problem,
                const UnitCluster& cluster,
                std::int64_t code,
                Choices& choices) {
  for (std::size_t i = cluster.size(); i-- > 0;) {
    const auto g = static_cast<std::size_t>(cluster[i]);
    const std::int64_t radix = problem.groups[g].NumChoices();
    choices[g] = static_cast<int>(code % radix);
    code /= radix;
  }
}

int FirstUnit(const ReducedProblem& problem, const UnitCluster& cluster) {
  return problem.groups[static_cast<std::size_t>(cluster.front())]
      .units.front();
}

}  // namespace bitpact
