// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_allocation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <queue>

#include "core/check.h"

namespace bitpact {
namespace {

constexpr std::size_t kChoices = kLevelCounts.size();

// Bits a code takes in full words.
double BitsOf(std::size_t index) {
  return index == 0 ? 0.0 : 64.0 / DigitsPerWord(kLevelCounts[index]);
}

// From one choice of a column to a dearer one.
struct Step {
  std::size_t column = 0;
  std::size_t to = 0;
  double saved_a_bit = 0.0;
  // Most saved first; equal ones by column, so that ties have one outcome.
  bool operator<(const Step& other) const {
    if (saved_a_bit != other.saved_a_bit) {
      return saved_a_bit < other.saved_a_bit;
    }
    return column > other.column;
  }
};

class Allocator {
 public:
  Allocator(std::span<const LevelCosts> costs,
            std::int64_t rows,
            std::int64_t code_bytes)
      : costs_(costs), rows_(rows), budget_(code_bytes) {
    result_.indices.resize(costs.size());
    counts_[0] = std::ssize(costs);
  }

  LevelAllocation Run() && {
    TakeHullSteps();
    TakeSingleSteps();
    result_.code_bytes = CodeBytes(counts_, rows_);
    for (std::size_t col = 0; col < costs_.size(); ++col) {
      result_.cost += costs_[col][result_.indices[col]];
    }
    result_.lower_bound = LowerBound();
    return std::move(result_);
  }

 private:
  // The next step on the lower convex hull of the column's costs.
  [[nodiscard]] std::optional<Step> NextHullStep(std::size_t column) const {
    const LevelCosts& costs = costs_[column];
    const std::size_t from = result_.indices[column];
    Step best{column, from, 0.0};
    for (std::size_t to = from + 1; to < kChoices; ++to) {
      const double saved =
          (costs[from] - costs[to]) / (BitsOf(to) - BitsOf(from));
      if (saved > best.saved_a_bit) best = {column, to, saved};
    }
    if (best.to == from) return std::nullopt;
    return best;
  }

  bool TakeIfItFits(const Step& step) {
    std::uint8_t& at = result_.indices[step.column];
    --counts_[at];
    ++counts_[step.to];
    if (CodeBytes(counts_, rows_) <= budget_) {
      at = static_cast<std::uint8_t>(step.to);
      return true;
    }
    ++counts_[at];
    --counts_[step.to];
    return false;
  }

  void TakeHullSteps() {
    std::priority_queue<Step> queue;
    for (std::size_t col = 0; col < costs_.size(); ++col) {
      if (const auto step = NextHullStep(col)) queue.push(*step);
    }
    while (!queue.empty()) {
      const Step step = queue.top();
      queue.pop();
      if (!TakeIfItFits(step)) {
        // All steps before were the best there are at their price.
        if (!multiplier_) multiplier_ = step.saved_a_bit;
        continue;
      }
      if (const auto next = NextHullStep(step.column)) queue.push(*next);
    }
  }

  // What is left is less than a hull step: any step of any column, best first.
  void TakeSingleSteps() {
    std::vector<Step> steps;
    for (std::size_t col = 0; col < costs_.size(); ++col) {
      const std::size_t from = result_.indices[col];
      for (std::size_t to = from + 1; to < kChoices; ++to) {
        const double saved = costs_[col][from] - costs_[col][to];
        if (saved > 0.0) steps.push_back({col, to, saved});
      }
    }
    std::ranges::stable_sort(steps, [](const Step& a, const Step& b) {
      return a.saved_a_bit > b.saved_a_bit;
    });
    std::vector<bool> moved(costs_.size());
    for (const Step& step : steps) {
      if (moved[step.column]) continue;
      moved[step.column] = TakeIfItFits(step);
    }
  }

  // Lagrangian bound; padding of words is left out, which only lowers it.
  [[nodiscard]] double LowerBound() const {
    const double price = multiplier_.value_or(0.0);
    double bound = -price * 8.0 * static_cast<double>(budget_) /
                   static_cast<double>(rows_);
    for (const LevelCosts& costs : costs_) {
      double least = costs[0];
      for (std::size_t i = 1; i < kChoices; ++i) {
        least = std::min(least, costs[i] + price * BitsOf(i));
      }
      bound += least;
    }
    return bound;
  }

  std::span<const LevelCosts> costs_;
  std::int64_t rows_;
  std::int64_t budget_;
  std::array<std::int64_t, kChoices> counts_{};
  std::optional<double> multiplier_;
  LevelAllocation result_;
};

}  // namespace

std::int64_t CodeBytes(
    std::span<const std::int64_t, kLevelCounts.size()> counts,
    std::int64_t rows) {
  std::int64_t bytes = 0;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    bytes += RadixBytes(kLevelCounts[i], counts[i] * rows);
  }
  return bytes;
}

LevelAllocation AllocateLevels(std::span<const LevelCosts> costs,
                               std::int64_t rows,
                               std::int64_t code_bytes) {
  BITPACT_CHECK(!costs.empty() && rows > 0 && code_bytes >= 0,
                "columns, rows and a budget");
  return Allocator(costs, rows, code_bytes).Run();
}

}  // namespace bitpact
