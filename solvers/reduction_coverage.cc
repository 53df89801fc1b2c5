// SPDX-License-Identifier: Apache-2.0
#include "solvers/reduction_coverage.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/dominance_checker.h"

namespace bitpact {
namespace {

std::size_t Index(int i) { return static_cast<std::size_t>(i); }

// Which unit choices a plan may still have, from pins, ties and sizes alone:
// units that must agree, and the option indices that are left to them.
struct Possible {
  std::vector<std::vector<std::size_t>> classes;  // units
  std::vector<std::vector<int>> options;          // one list a class
};

Possible ClassesOfUnits(const AllocationProblem& problem) {
  std::vector<std::size_t> label(problem.units.size());
  for (std::size_t u = 0; u < label.size(); ++u) label[u] = u;
  // As many rounds as it takes; ties are few.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Tie& tie : problem.ties) {
      std::size_t& a = label[Index(tie.first)];
      std::size_t& b = label[Index(tie.second)];
      if (a == b) continue;
      a = b = std::min(a, b);
      changed = true;
    }
  }
  Possible possible;
  std::vector<std::size_t> class_of(label.size());
  for (std::size_t u = 0; u < label.size(); ++u) {
    if (label[u] == u) {
      class_of[u] = possible.classes.size();
      possible.classes.emplace_back();
      possible.options.emplace_back();
      for (int o = 0; o < problem.NumOptions(static_cast<int>(u)); ++o) {
        possible.options.back().push_back(o);
      }
    }
    class_of[u] = class_of[label[u]];
    possible.classes[class_of[u]].push_back(u);
  }
  for (const Pin& pin : problem.pins) {
    possible.options[class_of[Index(pin.unit)]] = {pin.option};
  }
  return possible;
}

std::int64_t ClassSize(const AllocationProblem& problem,
                       const std::vector<std::size_t>& units,
                       int option,
                       std::size_t resource) {
  std::int64_t sum = 0;
  for (const std::size_t u : units) {
    sum += problem.units[u].options[Index(option)].sizes[resource];
  }
  return sum;
}

// Drops every option that cannot fit although all others take their least,
// until nothing changes.
void DropWhatCannotFit(const AllocationProblem& problem, Possible& possible) {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t k = 0; k < problem.resources.size(); ++k) {
      std::vector<std::int64_t> least;
      std::int64_t sum = 0;
      for (std::size_t c = 0; c < possible.classes.size(); ++c) {
        if (possible.options[c].empty()) return;  // no plan at all
        std::int64_t smallest = ClassSize(
            problem, possible.classes[c], possible.options[c].front(), k);
        for (const int o : possible.options[c]) {
          smallest =
              std::min(smallest, ClassSize(problem, possible.classes[c], o, k));
        }
        least.push_back(smallest);
        sum += smallest;
      }
      for (std::size_t c = 0; c < possible.classes.size(); ++c) {
        const auto dropped = std::erase_if(possible.options[c], [&](int o) {
          return ClassSize(problem, possible.classes[c], o, k) + sum -
                     least[c] >
                 problem.resources[k].limit;
        });
        changed = changed || dropped > 0;
      }
    }
  }
}

}  // namespace

std::string CoverageViolation(const AllocationProblem& problem,
                              const ReducedProblem& reduced) {
  std::vector<const ReducedGroup*> group_of(problem.units.size(), nullptr);
  for (const ReducedGroup& group : reduced.groups) {
    for (const int u : group.units) group_of[Index(u)] = &group;
  }
  Possible possible = ClassesOfUnits(problem);
  DropWhatCannotFit(problem, possible);
  const std::string violation = DropReplaced(
      problem, reduced.replacements, possible.classes, possible.options, [&] {
        DropWhatCannotFit(problem, possible);
      });
  if (!violation.empty()) return violation;
  for (std::size_t c = 0; c < possible.classes.size(); ++c) {
    const ReducedGroup* group = group_of[possible.classes[c].front()];
    for (const std::size_t u : possible.classes[c]) {
      if (group_of[u] != group) {
        return "the reduction separates tied units";
      }
      for (const int o : possible.options[c]) {
        const bool is_kept =
            group == nullptr
                ? reduced.folded[u] == o
                : std::find(group->options.begin(), group->options.end(), o) !=
                      group->options.end();
        if (!is_kept) {
          return "the reduction drops option " + std::to_string(o) +
                 " of unit " + std::to_string(u) + ", which may be feasible";
        }
      }
    }
  }
  return {};
}

}  // namespace bitpact
