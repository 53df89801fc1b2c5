// SPDX-License-Identifier: Apache-2.0
#include "solvers/qkp_model.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace bitpact {
namespace {

std::size_t At(int index) { return static_cast<std::size_t>(index); }

// Two-colours the binaries: both ends of a pair cost above zero differ, both
// ends of one below zero agree. False when there is no such colouring.
bool FindExchange(const PairMatrix& pairs, std::vector<char>& is_exchanged) {
  const int n = pairs.size();
  constexpr char kUnseen = 2;
  is_exchanged.assign(At(n), kUnseen);
  std::vector<int> queue;
  bool agrees = true;
  for (int root = 0; root < n && agrees; ++root) {
    if (is_exchanged[At(root)] != kUnseen) continue;
    is_exchanged[At(root)] = 0;
    queue.assign(1, root);
    while (!queue.empty() && agrees) {
      const int i = queue.back();
      queue.pop_back();
      pairs.ForEachInRow(i, [&](int j, double value) {
        const auto wanted =
            static_cast<char>(is_exchanged[At(i)] ^ (value > 0.0 ? 1 : 0));
        if (is_exchanged[At(j)] == kUnseen) {
          is_exchanged[At(j)] = wanted;
          queue.push_back(j);
        } else if (is_exchanged[At(j)] != wanted) {
          agrees = false;
        }
      });
    }
  }
  return agrees;
}

// Rows from pair values; entry and mirror are found in one pass because rows
// are filled in ascending order of the other end.
class RowBuilder {
 public:
  explicit RowBuilder(QkpModel& model) : model_(model) {}

  // `counts`: entries of each row.
  void Start(const std::vector<int>& counts) {
    model_.start.assign(counts.size() + 1, 0);
    for (std::size_t j = 0; j < counts.size(); ++j) {
      model_.start[j + 1] = model_.start[j] + counts[j];
    }
    const auto entries = At(model_.start.back());
    model_.column.resize(entries);
    model_.mirror.resize(entries);
    model_.pair.resize(entries);
    model_.share.resize(entries);
    next_.assign(model_.start.begin(), model_.start.end() - 1);
  }

  // i < j, in ascending order of (i, j); `share` is row i's.
  void Add(int i, int j, double pair, double share) {
    const int in_i = next_[At(i)]++;
    const int in_j = next_[At(j)]++;
    Set(in_i, j, in_j, pair, share);
    Set(in_j, i, in_i, pair, pair - share);
  }

 private:
  void Set(int entry, int column, int mirror, double pair, double share) {
    model_.column[At(entry)] = column;
    model_.mirror[At(entry)] = mirror;
    model_.pair[At(entry)] = pair;
    model_.share[At(entry)] = share;
  }

  QkpModel& model_;
  std::vector<int> next_;
};

void AddPairs(const PairMatrix& pairs, QkpModel& model) {
  const int n = pairs.size();
  std::vector<int> counts(At(n), 0);
  for (int i = 0; i < n; ++i) {
    pairs.ForEachInRow(i, [&](int, double) { ++counts[At(i)]; });
  }
  RowBuilder rows(model);
  rows.Start(counts);
  // Row j's entries with columns below j come in while rows above are read, so
  // they lie in front of those with columns above j.
  for (int i = 0; i < n; ++i) {
    pairs.ForEachInRow(i, [&](int j, double value) {
      const double pair = value > 0.0 ? value : -value;
      if (j > i) rows.Add(i, j, pair, 0.5 * pair);
    });
  }
}

}  // namespace

Expected<SwitchedQkpModel> MakeQkpModel(const ReducedProblem& problem) {
  if (!problem.IsTwoWay()) {
    return Fail(ErrorCode::kUnsupported,
                "lagrangian-qkp: units with more than two options");
  }
  if (problem.NumResources() > 1) {
    return Fail(ErrorCode::kUnsupported,
                "lagrangian-qkp: more than one resource");
  }
  SwitchedQkpModel result;
  if (!FindExchange(problem.pairs, result.is_exchanged)) {
    return Fail(ErrorCode::kUnsupported,
                "lagrangian-qkp: pair costs above zero");
  }
  QkpModel& model = result.model;
  const int n = problem.NumVariables();
  model.base = -problem.constant;
  for (int i = 0; i < n; ++i) {
    model.item.push_back(i);
    model.profit.push_back(-problem.linear[At(i)]);
  }
  model.ratio.assign(At(n), 0.0);
  const bool has_row = problem.NumResources() > 0;
  model.weight =
      has_row ? problem.sizes[0] : std::vector<std::int64_t>(At(n), 0);
  model.capacity = has_row ? problem.limits[0] : 0;
  // z = 1 - x for exchanged ones: a pair with both ends exchanged is -q (1 - x)
  // (1 - y) = -q + q x + q y - q x y; with one end, the other keeps -q.
  for (int i = 0; i < n; ++i) {
    if (result.is_exchanged[At(i)] == 0) continue;
    model.base += model.profit[At(i)];
    model.profit[At(i)] = -model.profit[At(i)];
    model.capacity -= model.weight[At(i)];
    model.weight[At(i)] = -model.weight[At(i)];
    problem.pairs.ForEachInRow(i, [&](int j, double value) {
      if (result.is_exchanged[At(j)] == 0) {
        model.profit[At(j)] -= value;
        return;
      }
      model.profit[At(i)] += value;
      if (i < j) model.base -= value;
    });
  }
  AddPairs(problem.pairs, model);
  return result;
}

bool MarkForced(const QkpModel& model, std::span<ItemState> states) {
  const int n = model.NumItems();
  std::int64_t least = 0;
  std::int64_t greatest = 0;
  for (int i = 0; i < n; ++i) {
    const std::int64_t weight = model.weight[At(i)];
    if (states[At(i)] == ItemState::kFree) {
      least += std::min<std::int64_t>(weight, 0);
      greatest += std::max<std::int64_t>(weight, 0);
    } else if (states[At(i)] == ItemState::kIn) {
      least += weight;
      greatest += weight;
    }
  }
  if (least > model.capacity) return false;
  for (int i = 0; i < n; ++i) {
    if (states[At(i)] != ItemState::kFree) continue;
    const std::int64_t weight = model.weight[At(i)];
    double most = model.profit[At(i)];
    double sure = model.profit[At(i)];
    for (int e = model.start[At(i)]; e < model.start[At(i) + 1]; ++e) {
      const ItemState other = states[At(model.column[At(e)])];
      if (other != ItemState::kOut) most += model.pair[At(e)];
      if (other == ItemState::kIn) sure += model.pair[At(e)];
    }
    const std::int64_t size = weight > 0 ? weight : -weight;
    if (least + size > model.capacity) {
      states[At(i)] = weight > 0 ? ItemState::kOut : ItemState::kIn;
    } else if (sure >= 0.0 && (weight <= 0 || greatest <= model.capacity)) {
      states[At(i)] = ItemState::kIn;
    } else if (most <= 0.0 && (weight >= 0 || greatest <= model.capacity)) {
      states[At(i)] = ItemState::kOut;
    }
    // The sums stay valid, if not tight, while items close: `least` only for
    // those that take their lesser weight, so it is kept exact here.
    if (states[At(i)] == ItemState::kFree) continue;
    const bool is_in = states[At(i)] == ItemState::kIn;
    least += (is_in ? weight : 0) - std::min<std::int64_t>(weight, 0);
    greatest += (is_in ? weight : 0) - std::max<std::int64_t>(weight, 0);
  }
  return least <= model.capacity;
}

QkpModel Compress(const QkpModel& model, std::span<const ItemState> states) {
  QkpModel result;
  result.base = model.base;
  result.capacity = model.capacity;
  const int n = model.NumItems();
  std::vector<int> position(At(n), -1);
  std::vector<int> counts;
  for (int i = 0; i < n; ++i) {
    if (states[At(i)] == ItemState::kFree) {
      position[At(i)] = result.NumItems();
      result.item.push_back(model.item[At(i)]);
      result.weight.push_back(model.weight[At(i)]);
      result.ratio.push_back(model.ratio[At(i)]);
      double profit = model.profit[At(i)];
      int count = 0;
      for (int e = model.start[At(i)]; e < model.start[At(i) + 1]; ++e) {
        const ItemState other = states[At(model.column[At(e)])];
        if (other == ItemState::kIn) profit += model.pair[At(e)];
        if (other == ItemState::kFree) ++count;
      }
      result.profit.push_back(profit);
      counts.push_back(count);
    } else if (states[At(i)] == ItemState::kIn) {
      result.base += model.profit[At(i)];
      result.capacity -= model.weight[At(i)];
      for (int e = model.start[At(i)]; e < model.start[At(i) + 1]; ++e) {
        const int j = model.column[At(e)];
        if (j > i && states[At(j)] == ItemState::kIn) {
          result.base += model.pair[At(e)];
        }
      }
    }
  }
  RowBuilder rows(result);
  rows.Start(counts);
  for (int i = 0; i < n; ++i) {
    if (position[At(i)] < 0) continue;
    for (int e = model.start[At(i)]; e < model.start[At(i) + 1]; ++e) {
      const int j = model.column[At(e)];
      if (j < i || position[At(j)] < 0) continue;
      rows.Add(position[At(i)],
               position[At(j)],
               model.pair[At(e)],
               model.share[At(e)]);
    }
  }
  return result;
}

}  // namespace bitpact
