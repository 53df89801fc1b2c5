// SPDX-License-Identifier: Apache-2.0
#include "solvers/block_plans.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace bitpact {
namespace {

constexpr std::size_t kBatch = 1 << 14;

// The plans that no other one beats, so far.
class Front {
 public:
  void Offer(const KnapsackItem& item) {
    const auto above =
        std::ranges::upper_bound(front_, item.size, {}, &KnapsackItem::size);
    if (above != front_.begin() && std::prev(above)->cost <= item.cost) return;
    batch_.push_back(item);
    if (batch_.size() >= kBatch) Merge();
  }

  KnapsackClass Take() {
    Merge();
    return std::move(front_);
  }

 private:
  // Those of the front come first, so that of equal plans the first met stays.
  void Merge() {
    front_.insert(front_.end(), batch_.begin(), batch_.end());
    batch_.clear();
    KeepParetoItems(front_);
  }

  KnapsackClass front_;  // by ascending size and falling cost
  KnapsackClass batch_;
};

class Enumeration {
 public:
  Enumeration(const ReducedProblem& problem,
              const UnitCluster& cluster,
              const std::function<bool(std::int64_t)>& must_stop,
              std::int64_t& plans)
      : must_stop_(must_stop), plans_(plans), next_look_(plans) {
    std::vector<int> variables;
    for (const int g : cluster) {
      const int choices =
          problem.groups[static_cast<std::size_t>(g)].NumChoices();
      first_.push_back(static_cast<int>(variables.size()));
      choices_.push_back(choices);
      for (int c = 1; c < choices; ++c) {
        variables.push_back(problem.VariableOf(g, c));
      }
    }
    const std::size_t n = variables.size();
    fields_.assign(cluster.size(), std::vector<double>(n));
    pairs_.resize(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = static_cast<std::size_t>(variables[i]);
      fields_[0][i] = problem.linear[v];
      sizes_.push_back(problem.sizes.empty() ? 0 : problem.sizes[0][v]);
      for (std::size_t j = 0; j < n; ++j) {
        pairs_[i * n + j] =
            i == j ? 0.0 : problem.pairs.At(variables[i], variables[j]);
      }
    }
  }

  KnapsackClass Run() {
    Descend(0, {});
    return is_stopped_ ? KnapsackClass{} : front_.Take();
  }

 private:
  // fields_[depth][i]: the cost of variable i with the choices before `depth`.
  void Descend(std::size_t depth, const KnapsackItem& partial) {
    const bool is_last = depth + 1 == choices_.size();
    if (is_last && plans_ >= next_look_) {
      is_stopped_ = must_stop_(plans_);
      next_look_ = plans_ + kBlockPlansPerLook;
    }
    for (int c = 0; c < choices_[depth] && !is_stopped_; ++c) {
      KnapsackItem item = partial;
      item.code = partial.code * choices_[depth] + c;
      const auto i = static_cast<std::size_t>(first_[depth] + c - 1);
      if (c > 0) {
        item.cost += fields_[depth][i];
        item.size += sizes_[i];
      }
      if (is_last) {
        ++plans_;
        front_.Offer(item);
        continue;
      }
      CarryDown(depth, c > 0 ? &pairs_[i * sizes_.size()] : nullptr);
      Descend(depth + 1, item);
    }
  }

  void CarryDown(std::size_t depth, const double* row) {
    const std::vector<double>& from = fields_[depth];
    std::vector<double>& to = fields_[depth + 1];
    for (auto j = static_cast<std::size_t>(first_[depth + 1]); j < to.size();
         ++j) {
      to[j] = from[j] + (row == nullptr ? 0.0 : row[j]);
    }
  }

  const std::function<bool(std::int64_t)>& must_stop_;
  std::int64_t& plans_;
  std::int64_t next_look_;
  bool is_stopped_ = false;
  std::vector<int> first_;    // variable of choice 1 of each group, within
  std::vector<int> choices_;  // the cluster; and its number of choices
  std::vector<double> pairs_;
  std::vector<std::int64_t> sizes_;
  std::vector<std::vector<double>> fields_;
  Front front_;
};

}  // namespace

KnapsackClass ParetoPlans(const ReducedProblem& problem,
                          const UnitCluster& cluster,
                          const std::function<bool(std::int64_t)>& must_stop,
                          std::int64_t& plans) {
  return Enumeration(problem, cluster, must_stop, plans).Run();
}

}  // namespace bitpact
