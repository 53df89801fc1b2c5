// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_QKP_MODEL_H_
#define BITPACT_SOLVERS_QKP_MODEL_H_

// The 0-1 quadratic knapsack in the form of its literature (Kellerer, Pferschy
// & Pisinger, Knapsack Problems, ch. 12):
//
//   maximise   base + sum profit[i] x[i] + sum over i < j of pair(i, j) x[i]
//   x[j] subject to sum weight[i] x[i] <= capacity,  x binary,  pair(i, j) >=
//   0.
//
// More than the textbook's is allowed: profits and weights of either sign.
// Items whose two choices were exchanged (see MakeQkpModel) have weights below
// zero.

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// A model of some items, the others being decided and folded in.
struct QkpModel {
  double base = 0.0;
  std::int64_t capacity = 0;
  std::vector<int> item;  // number of each item in the first model, ascending
  std::vector<double> profit;
  std::vector<std::int64_t> weight;
  // Pairs above zero, row by row, each pair in both rows: entries start[j] ..
  // start[j + 1] - 1 of row j, columns ascending; mirror: where the same pair
  // lies in the row of the column.
  std::vector<int> start;
  std::vector<int> column;
  std::vector<int> mirror;
  std::vector<double> pair;
  // What row j is given of the pair, in [0, pair]; an entry and its mirror
  // share the whole pair (up to rounding). See solvers/qkp_bound.h.
  std::vector<double> share;
  // Where each row's knapsack became full when it was last looked at: where the
  // next look starts.
  std::vector<double> ratio;

  [[nodiscard]] int NumItems() const { return static_cast<int>(item.size()); }
};

// What is known of each item of a model.
enum class ItemState : char { kFree, kOut, kIn };

// The model of a reduced problem, values negated, and for each item whether it
// is the exchanged binary 1 - z: that is done to a set of binaries that leaves
// no pair cost above zero, which exists if and only if every cycle of pairs has
// an even number of positive costs. Without a resource all weights are 0.
struct SwitchedQkpModel {
  QkpModel model;
  std::vector<char> is_exchanged;
};

// kUnsupported naming the feature: units with more than two options, more than
// one resource, pair costs above zero that no exchange removes. O(n + pairs).
Expected<SwitchedQkpModel> MakeQkpModel(const ReducedProblem& problem);

// Marks free items that some best solution must take or leave, whatever the
// others do: one that no longer fits, one that only costs, one that costs
// nothing. Returns false when no solution fits the capacity. O(n + pairs).
bool MarkForced(const QkpModel& model, std::span<ItemState> states);

// The model of the items that are still free. Shares are inherited. O(n +
// pairs).
[[nodiscard]] QkpModel Compress(const QkpModel& model,
                                std::span<const ItemState> states);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_QKP_MODEL_H_
