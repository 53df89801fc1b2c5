// SPDX-License-Identifier: Apache-2.0
#include "solvers/tie_classes.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>

namespace bitpact {
namespace {

std::string UnitText(const AllocationProblem& problem, int unit) {
  return "unit " + std::to_string(unit) + " '" +
         problem.units[static_cast<std::size_t>(unit)].name + "'";
}

// Union by smallest member, with path halving.
class DisjointSets {
 public:
  explicit DisjointSets(int count) : parent_(static_cast<std::size_t>(count)) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int Find(int i) {
    while (Parent(i) != i) {
      Parent(i) = Parent(Parent(i));
      i = Parent(i);
    }
    return i;
  }
  void Join(int i, int j) {
    const int a = Find(i);
    const int b = Find(j);
    Parent(std::max(a, b)) = std::min(a, b);
  }

 private:
  int& Parent(int i) { return parent_[static_cast<std::size_t>(i)]; }
  std::vector<int> parent_;
};

}  // namespace

Expected<std::vector<TieClass>> ComputeTieClasses(
    const AllocationProblem& problem) {
  DisjointSets sets(problem.NumUnits());
  for (const Tie& tie : problem.ties) {
    if (problem.NumOptions(tie.first) != problem.NumOptions(tie.second)) {
      return InvalidArgument(UnitText(problem, tie.first) + " with " +
                             std::to_string(problem.NumOptions(tie.first)) +
                             " options is tied to " +
                             UnitText(problem, tie.second) + " with " +
                             std::to_string(problem.NumOptions(tie.second)) +
                             ": tied units have equally many");
    }
    sets.Join(tie.first, tie.second);
  }
  std::vector<TieClass> classes;
  std::vector<int> class_of(problem.units.size(), -1);
  for (int unit = 0; unit < problem.NumUnits(); ++unit) {
    int& index = class_of[static_cast<std::size_t>(sets.Find(unit))];
    if (index < 0) {
      index = static_cast<int>(classes.size());
      classes.emplace_back();
    }
    classes[static_cast<std::size_t>(index)].units.push_back(unit);
  }
  for (const Pin& pin : problem.pins) {
    const int index = class_of[static_cast<std::size_t>(sets.Find(pin.unit))];
    TieClass& members = classes[static_cast<std::size_t>(index)];
    if (members.pinned_option >= 0 && members.pinned_option != pin.option) {
      return InvalidArgument(UnitText(problem, pin.unit) +
                             " is pinned to option " +
                             std::to_string(pin.option) +
                             ", and itself or a tied unit to option " +
                             std::to_string(members.pinned_option));
    }
    members.pinned_option = pin.option;
  }
  return classes;
}

}  // namespace bitpact
