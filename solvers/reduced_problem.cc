// SPDX-License-Identifier: Apache-2.0
#include "solvers/reduced_problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "solvers/dominated_options.h"
#include "solvers/reduce_factors.h"
#include "solvers/tie_classes.h"

namespace bitpact {
namespace {

// Passes that look for dominated options; the last one found nothing in all
// problems tried.
constexpr int kMostPasses = 8;

// A tie class while options are being dropped.
struct Candidate {
  std::vector<int> units;
  std::vector<int> options;                      // still possible, ascending
  std::vector<std::vector<std::int64_t>> sizes;  // [original option][resource]
};

// What the members take of each resource when all choose the option.
std::vector<std::int64_t> SumSizes(const AllocationProblem& problem,
                                   const std::vector<int>& units,
                                   int option) {
  std::vector<std::int64_t> sums(problem.resources.size(), 0);
  for (const int unit : units) {
    const std::vector<std::int64_t>& sizes =
        problem.units[static_cast<std::size_t>(unit)]
            .options[static_cast<std::size_t>(option)]
            .sizes;
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += sizes[k];
  }
  return sums;
}

std::vector<Candidate> MakeCandidates(const AllocationProblem& problem) {
  const Expected<std::vector<TieClass>> classes = ComputeTieClasses(problem);
  BITPACT_CHECK(classes.has_value(), "needs a valid problem");
  std::vector<Candidate> candidates;
  candidates.reserve(classes->size());
  for (const TieClass& members : *classes) {
    Candidate candidate;
    candidate.units = members.units;
    const int options = problem.NumOptions(members.units.front());
    for (int o = 0; o < options; ++o) {
      candidate.sizes.push_back(SumSizes(problem, members.units, o));
      if (members.pinned_option < 0 || members.pinned_option == o) {
        candidate.options.push_back(o);
      }
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

std::int64_t ExtremeSize(const Candidate& candidate,
                         std::size_t resource,
                         bool largest) {
  std::int64_t extreme =
      candidate
          .sizes[static_cast<std::size_t>(candidate.options.front())][resource];
  for (const int option : candidate.options) {
    const std::int64_t size =
        candidate.sizes[static_cast<std::size_t>(option)][resource];
    extreme = largest ? std::max(extreme, size) : std::min(extreme, size);
  }
  return extreme;
}

// Drops what is larger than the smallest option by more than `slack`. Returns
// how many.
int DropAbove(Candidate& candidate, std::size_t resource, std::int64_t slack) {
  const std::int64_t least = ExtremeSize(candidate, resource, false);
  return static_cast<int>(std::erase_if(candidate.options, [&](int option) {
    const auto o = static_cast<std::size_t>(option);
    return candidate.sizes[o][resource] - least > slack;
  }));
}

// What the units can take of the resource with the options that are left.
SizeRange RangeOf(const AllocationProblem& problem,
                  const std::vector<Candidate>& candidates,
                  std::size_t resource) {
  SizeRange range;
  range.least_by_unit.resize(problem.units.size());
  range.greatest_by_unit.resize(problem.units.size());
  for (const Candidate& candidate : candidates) {
    range.least += ExtremeSize(candidate, resource, false);
    range.greatest += ExtremeSize(candidate, resource, true);
    const auto total = [&](int option) {
      return candidate.sizes[static_cast<std::size_t>(option)][resource];
    };
    const auto [least, greatest] = std::minmax_element(
        candidate.options.begin(), candidate.options.end(), [&](int a, int b) {
          return total(a) < total(b);
        });
    for (const int unit : candidate.units) {
      const auto u = static_cast<std::size_t>(unit);
      const auto& options = problem.units[u].options;
      range.least_by_unit[u] =
          options[static_cast<std::size_t>(*least)].sizes[resource];
      range.greatest_by_unit[u] =
          options[static_cast<std::size_t>(*greatest)].sizes[resource];
    }
  }
  return range;
}

// Drops options that cannot fit. Returns the reason when some candidate has
// none left. Each round drops at least one option.
std::optional<std::string> DropOversized(const AllocationProblem& problem,
                                         std::vector<Candidate>& candidates,
                                         int& dropped) {
  for (int before = -1; before != dropped;) {
    before = dropped;
    for (std::size_t k = 0; k < problem.resources.size(); ++k) {
      std::int64_t least = 0;
      for (const Candidate& candidate : candidates) {
        least += ExtremeSize(candidate, k, false);
      }
      const Resource& resource = problem.resources[k];
      if (least > resource.limit) {
        return ExplainRange(problem,
                            static_cast<int>(k),
                            RangeOf(problem, candidates, k)) +
               "; options that cannot keep the other limits are left out";
      }
      const std::int64_t slack = resource.limit - least;
      for (Candidate& candidate : candidates) {
        dropped += DropAbove(candidate, k, slack);
      }
    }
  }
  return std::nullopt;
}

// Takes the dominated options away, notes what stands in for them.
void DropDominated(const std::vector<DominatedChoice>& dominated,
                   const ReducedProblem& reduced,
                   std::vector<Candidate>& candidates,
                   std::vector<ReducedProblem::Replacement>& replacements) {
  for (const DominatedChoice& drop : dominated) {
    const ReducedGroup& group =
        reduced.groups[static_cast<std::size_t>(drop.group)];
    const int from = group.options[static_cast<std::size_t>(drop.choice)];
    const int to = group.options[static_cast<std::size_t>(drop.by)];
    replacements.push_back({group.units, from, to});
    const auto candidate = std::find_if(
        candidates.begin(), candidates.end(), [&](const Candidate& c) {
          return c.units.front() == group.units.front();
        });
    std::erase(candidate->options, from);
  }
}

// floor(a / b) for b > 0.
std::int64_t FloorDivide(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

// Coefficients of one original variable after folding.
struct VariableRole {
  enum class Kind { kDropped, kFixed, kFree };
  Kind kind = Kind::kDropped;
  int group = -1;
  int choice = 0;
};

class Reducer {
 public:
  Reducer(const AllocationProblem& problem, ReducedProblem& reduced)
      : problem_(problem),
        reduced_(reduced),
        first_(problem.FirstVariables()),
        roles_(static_cast<std::size_t>(first_.back())) {}

  void Run(const std::vector<Candidate>& candidates) {
    CountPairs();
    reduced_.constant = problem_.constant;
    reduced_.folded.assign(problem_.units.size(), -1);
    for (const Candidate& candidate : candidates) {
      if (candidate.options.size() == 1) {
        Fold(candidate);
      } else {
        AddGroup(candidate);
      }
    }
    AddCosts();
    AddResources(candidates);
    AddPairs();
    SubstituteReferences();
  }

 private:
  using Kind = VariableRole::Kind;

  [[nodiscard]] std::size_t Variable(int unit, int option) const {
    return static_cast<std::size_t>(first_[static_cast<std::size_t>(unit)]) +
           static_cast<std::size_t>(option);
  }

  void CountPairs() {
    pair_count_.assign(roles_.size(), 0);
    problem_.pairs.ForEachListed([&](int i, int j, double) {
      ++listed_pairs_;
      ++pair_count_[static_cast<std::size_t>(i)];
      ++pair_count_[static_cast<std::size_t>(j)];
    });
    for (const PairFactor& factor : problem_.pairs.factors()) {
      for (const int variable : factor.variables) {
        pair_count_[static_cast<std::size_t>(variable)] +=
            static_cast<std::int64_t>(factor.variables.size()) - 1;
      }
    }
  }

  void Fold(const Candidate& candidate) {
    const int option = candidate.options.front();
    for (const int unit : candidate.units) {
      roles_[Variable(unit, option)].kind = Kind::kFixed;
      reduced_.folded[static_cast<std::size_t>(unit)] = option;
    }
    reduced_.counts.fixed_units += static_cast<int>(candidate.units.size());
  }

  void AddGroup(const Candidate& candidate) {
    ReducedGroup group;
    group.units = candidate.units;
    group.options = candidate.options;
    const auto preference = [&](int option) {
      std::int64_t pairs = 0;
      for (const int unit : group.units) {
        pairs += pair_count_[Variable(unit, option)];
      }
      const auto& sizes = candidate.sizes[static_cast<std::size_t>(option)];
      return std::pair(pairs, sizes.empty() ? 0 : sizes.front());
    };
    const auto reference = std::min_element(
        group.options.begin(), group.options.end(), [&](int a, int b) {
          return preference(a) < preference(b);
        });
    std::rotate(group.options.begin(), reference, reference + 1);
    group.first = static_cast<int>(reduced_.group_of.size());
    const int index = reduced_.NumGroups();
    for (int c = 0; c < group.NumChoices(); ++c) {
      const int option = group.options[static_cast<std::size_t>(c)];
      for (const int unit : group.units) {
        roles_[Variable(unit, option)] = {Kind::kFree, index, c};
      }
    }
    for (int c = 1; c < group.NumChoices(); ++c) {
      reduced_.group_of.push_back(index);
    }
    costs_.emplace_back(group.options.size(), 0.0);
    reduced_.groups.push_back(std::move(group));
  }

  void AddLinear(const VariableRole& role, double value) {
    if (role.kind == Kind::kFixed) {
      reduced_.constant += value;
    } else if (role.kind == Kind::kFree) {
      costs_[static_cast<std::size_t>(role.group)]
            [static_cast<std::size_t>(role.choice)] += value;
    }
  }

  void AddCosts() {
    for (std::size_t u = 0; u < problem_.units.size(); ++u) {
      const auto& options = problem_.units[u].options;
      for (std::size_t o = 0; o < options.size(); ++o) {
        AddLinear(roles_[static_cast<std::size_t>(first_[u]) + o],
                  options[o].cost);
      }
    }
  }

  void AddResources(const std::vector<Candidate>& candidates) {
    for (std::size_t k = 0; k < problem_.resources.size(); ++k) {
      std::int64_t greatest = 0;
      std::int64_t base = 0;
      std::vector<std::int64_t> row;
      std::size_t group = 0;
      for (const Candidate& candidate : candidates) {
        greatest += ExtremeSize(candidate, k, true);
        const bool is_free = candidate.options.size() > 1;
        const std::vector<int>& order =
            is_free ? reduced_.groups[group++].options : candidate.options;
        const auto size = [&](int option) {
          return candidate.sizes[static_cast<std::size_t>(option)][k];
        };
        base += size(order.front());
        for (std::size_t c = 1; c < order.size(); ++c) {
          row.push_back(size(order[c]) - size(order.front()));
        }
      }
      if (greatest <= problem_.resources[k].limit) {
        ++reduced_.counts.idle_resources;
        continue;
      }
      AddResource(static_cast<int>(k), problem_.resources[k].limit - base, row);
    }
  }

  void AddResource(int index,
                   std::int64_t limit,
                   std::vector<std::int64_t>& row) {
    std::int64_t divisor = 0;
    for (const std::int64_t size : row) divisor = std::gcd(divisor, size);
    if (divisor > 1) {
      ++reduced_.counts.divided_resources;
      for (std::int64_t& size : row) size /= divisor;
      limit = FloorDivide(limit, divisor);
    }
    reduced_.sizes.push_back(std::move(row));
    reduced_.limits.push_back(limit);
    reduced_.resource_index.push_back(index);
  }

  // Calls visit(variable, sign) for the terms that stand for the choice, a
  // reference being one (variable -1) minus the other choices of its group.
  template <typename Visit>
  void ForEachTerm(const VariableRole& role, Visit&& visit) const {
    const auto& group = reduced_.groups[static_cast<std::size_t>(role.group)];
    if (role.choice != 0) {
      visit(group.first + role.choice - 1, 1.0);
      return;
    }
    visit(-1, 1.0);
    for (int c = 1; c < group.NumChoices(); ++c) {
      visit(group.first + c - 1, -1.0);
    }
  }

  // Emits the terms of q * x_a * x_b.
  void AddFreePair(const VariableRole& a, const VariableRole& b, double value) {
    ForEachTerm(a, [&](int i, double sign_i) {
      ForEachTerm(b, [&](int j, double sign_j) {
        const double term = sign_i * sign_j * value;
        if (i < 0 && j < 0) {
          reduced_.constant += term;
        } else if (i < 0 || j < 0) {
          linear_[static_cast<std::size_t>(std::max(i, j))] += term;
        } else {
          terms_.push_back({i, j, term});
        }
      });
    });
  }

  void AddPairs() {
    linear_.assign(reduced_.group_of.size(), 0.0);
    terms_.reserve(static_cast<std::size_t>(listed_pairs_));
    problem_.pairs.ForEachListed([&](int i, int j, double value) {
      const VariableRole& a = roles_[static_cast<std::size_t>(i)];
      const VariableRole& b = roles_[static_cast<std::size_t>(j)];
      if (a.kind == Kind::kDropped || b.kind == Kind::kDropped) return;
      const bool are_free = a.kind == Kind::kFree && b.kind == Kind::kFree;
      if (are_free && a.group != b.group) {
        AddFreePair(a, b, value);
      } else if (!are_free || a.choice == b.choice) {
        // One is certain, or they are tied and come together: the product is
        // the other variable.
        AddLinear(a.kind == Kind::kFree ? a : b, value);
      }
    });
  }

  void SubstituteReferences() {
    for (std::size_t g = 0; g < costs_.size(); ++g) {
      const std::vector<double>& costs = costs_[g];
      reduced_.constant += costs[0];
      for (std::size_t c = 1; c < costs.size(); ++c) {
        linear_[static_cast<std::size_t>(reduced_.groups[g].first) + c - 1] +=
            costs[c] - costs[0];
      }
    }
    reduced_.linear = std::move(linear_);
    PairFactorRows factors = ReduceFactors(problem_, Slots(), reduced_);
    reduced_.pairs = PairMatrix(
        reduced_.NumVariables(), terms_, std::move(factors), reduced_.group_of);
    reduced_.scale += std::abs(reduced_.constant);
    for (const double value : reduced_.linear) {
      reduced_.scale += std::abs(value);
    }
    for (const PairTerm& term : terms_) {
      reduced_.scale += std::abs(term.value);
    }
  }

  // What each original variable has become, as ReduceFactors wants it.
  [[nodiscard]] std::vector<int> Slots() const {
    std::vector<int> slots;
    slots.reserve(roles_.size());
    for (const VariableRole& role : roles_) {
      if (role.kind == Kind::kFree) {
        slots.push_back(
            ReducedSlot(reduced_.groups[static_cast<std::size_t>(role.group)],
                        role.group,
                        role.choice));
      } else {
        slots.push_back(role.kind == Kind::kFixed ? kVariableFixed
                                                  : kVariableDropped);
      }
    }
    return slots;
  }

  const AllocationProblem& problem_;
  ReducedProblem& reduced_;
  std::vector<int> first_;
  std::vector<VariableRole> roles_;
  std::vector<std::int64_t> pair_count_;
  std::int64_t listed_pairs_ = 0;
  std::vector<std::vector<double>> costs_;  // [group][choice]
  std::vector<double> linear_;
  std::vector<PairTerm> terms_;
};

}  // namespace

Assignment ReducedProblem::Expand(const Choices& choices) const {
  Assignment assignment = folded;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const int option = groups[g].options[static_cast<std::size_t>(choices[g])];
    for (const int unit : groups[g].units) {
      assignment[static_cast<std::size_t>(unit)] = option;
    }
  }
  return assignment;
}

Choices ReducedProblem::Contract(const Assignment& assignment) const {
  Assignment plan = assignment;
  for (const Replacement& replacement : replacements) {
    for (const int unit : replacement.units) {
      int& option = plan[static_cast<std::size_t>(unit)];
      if (option == replacement.from) option = replacement.to;
    }
  }
  Choices choices;
  choices.reserve(groups.size());
  for (const ReducedGroup& group : groups) {
    const int option = plan[static_cast<std::size_t>(group.units.front())];
    const auto found =
        std::find(group.options.begin(), group.options.end(), option);
    BITPACT_CHECK(found != group.options.end(), "needs a feasible assignment");
    choices.push_back(static_cast<int>(found - group.options.begin()));
  }
  return choices;
}

ReduceOptions ReduceFor(const SolveOptions& options) {
  return {.drop_dominated = options.pool_size == 1};
}

ReducedProblem Reduce(const AllocationProblem& problem,
                      const ReduceOptions& options) {
  ReducedProblem reduced;
  std::vector<Candidate> candidates = MakeCandidates(problem);
  int oversized = 0;
  reduced.infeasible = DropOversized(problem, candidates, oversized);
  if (reduced.infeasible) return reduced;
  std::vector<ReducedProblem::Replacement> replacements;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    reduced = {};
    Reducer(problem, reduced).Run(candidates);
    if (!options.drop_dominated || pass + 1 == kMostPasses) break;
    const std::vector<DominatedChoice> dominated = FindDominated(reduced);
    if (dominated.empty()) break;
    DropDominated(dominated, reduced, candidates, replacements);
  }
  reduced.counts.tied_units =
      problem.NumUnits() - static_cast<int>(candidates.size());
  reduced.counts.oversized_options = oversized;
  reduced.counts.dominated_options = static_cast<int>(replacements.size());
  reduced.counts.free_units = reduced.NumGroups();
  reduced.counts.binaries = reduced.NumVariables();
  reduced.replacements = std::move(replacements);
  return reduced;
}

}  // namespace bitpact
