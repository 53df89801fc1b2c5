// SPDX-License-Identifier: Apache-2.0
#include "solvers/linearization.h"

#include "core/check.h"
#include "solvers/glover.h"
#include "solvers/mccormick.h"
#include "solvers/rlt.h"

namespace bitpact {

std::string_view LinearFormName(LinearForm form) {
  switch (form) {
    case LinearForm::kMcCormick:
      return "McCormick";
    case LinearForm::kGlover:
      return "Glover";
    case LinearForm::kRlt:
      return "RLT-1";
  }
  BITPACT_CHECK(false, "a linearization without a name");
}

std::vector<double> LiftToColumns(const LinearModel& model,
                                  const ReducedProblem& problem,
                                  const Choices& choices) {
  std::vector<double> values;
  values.reserve(model.milp.columns.size());
  values.assign(problem.linear.size(), 0.0);
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const int variable =
        problem.VariableOf(g, choices[static_cast<std::size_t>(g)]);
    if (variable >= 0) values[static_cast<std::size_t>(variable)] = 1.0;
  }
  for (const auto& [i, j] : model.products) {
    values.push_back(values[static_cast<std::size_t>(i)] *
                     values[static_cast<std::size_t>(j)]);
  }
  for (const LinearModel::Floor& floor : model.floors) {
    double sum = 0.0;
    if (values[static_cast<std::size_t>(floor.variable)] != 0.0) {
      problem.pairs.ForEachInRow(floor.variable, [&](int j, double value) {
        if (j <= floor.variable) return;
        sum += value * values[static_cast<std::size_t>(j)];
      });
      sum = (sum - floor.floor) / floor.unit;
    }
    values.push_back(sum);
  }
  return values;
}

Choices ChoicesOfColumns(const ReducedProblem& problem,
                         std::span<const double> values) {
  Choices choices(static_cast<std::size_t>(problem.NumGroups()), 0);
  for (int v = 0; v < problem.NumVariables(); ++v) {
    if (values[static_cast<std::size_t>(v)] < 0.5) continue;
    const int group = problem.group_of[static_cast<std::size_t>(v)];
    const int first = problem.groups[static_cast<std::size_t>(group)].first;
    choices[static_cast<std::size_t>(group)] = v - first + 1;
  }
  return choices;
}

std::size_t CountColumns(LinearForm form, const ReducedProblem& problem) {
  const std::size_t variables = problem.linear.size();
  switch (form) {
    case LinearForm::kMcCormick:
      return variables + CountPairs(problem);
    case LinearForm::kGlover:
      return variables + CountGloverColumns(problem);
    case LinearForm::kRlt:
      return variables + CountCrossPairs(problem);
  }
  BITPACT_CHECK(false, "a linearization without a size");
}

LinearModel Linearize(LinearForm form, const ReducedProblem& problem) {
  switch (form) {
    case LinearForm::kMcCormick:
      return LinearizeMcCormick(problem);
    case LinearForm::kGlover:
      return LinearizeGlover(problem);
    case LinearForm::kRlt:
      return LinearizeRlt(problem);
  }
  BITPACT_CHECK(false, "an unknown linearization");
}

}  // namespace bitpact
