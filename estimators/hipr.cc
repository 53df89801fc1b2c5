// SPDX-License-Identifier: Apache-2.0
#include "estimators/hipr.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "core/check.h"
#include "estimators/pairs.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

std::size_t Index(int number) { return static_cast<std::size_t>(number); }

std::vector<FormatAssignment> Questions(const ValueFunction& game,
                                        const HiprDesign& design) {
  const std::size_t units = Index(game.num_units());
  const int last = game.num_options() - 1;
  std::vector<FormatAssignment> asked = {FormatAssignment(units, 0),
                                         FormatAssignment(units, last)};
  for (std::size_t u = 0; u < units; ++u) {
    for (int o = 1; o <= last; ++o) {
      asked.emplace_back(units, 0);
      asked.back()[u] = o;
    }
  }
  for (const auto& [u, w] : design.pairs) {
    for (const int a : design.pair_options) {
      for (const int b : design.pair_options) {
        asked.emplace_back(units, 0);
        asked.back()[Index(u)] = a + 1;
        asked.back()[Index(w)] = b + 1;
      }
    }
  }
  return asked;
}

// How the options of one unit are made of those that were measured:
// [option][place in measured]. Linear in the square root of the cost between
// neighbours, and from 0, where no error makes no pair; beyond the largest
// measured error as that one.
std::vector<std::vector<double>> Shares(const std::vector<double>& costs,
                                        const std::vector<int>& measured) {
  std::vector<double> errors;
  for (const double cost : costs)
    errors.push_back(std::sqrt(std::max(cost, 0.0)));
  std::vector<std::size_t> order(measured.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto at = [&](std::size_t place) {
    return errors[Index(measured[place])];
  };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return at(a) < at(b);
  });
  std::vector<std::vector<double>> shares(
      costs.size(), std::vector<double>(measured.size(), 0.0));
  for (std::size_t o = 0; o < costs.size(); ++o) {
    const auto itself =
        std::find(measured.begin(), measured.end(), static_cast<int>(o));
    if (itself != measured.end()) {
      shares[o][static_cast<std::size_t>(itself - measured.begin())] = 1.0;
      continue;
    }
    const auto above =
        std::find_if(order.begin(), order.end(), [&](std::size_t place) {
          return at(place) >= errors[o];
        });
    if (above == order.end()) {
      shares[o][order.back()] = 1.0;
      continue;
    }
    const double low = above == order.begin() ? 0.0 : at(*std::prev(above));
    const double width = at(*above) - low;
    const double share = width > 0.0 ? (errors[o] - low) / width : 0.0;
    shares[o][*above] = share;
    if (above != order.begin()) shares[o][*std::prev(above)] = 1.0 - share;
  }
  return shares;
}

class Assembly {
 public:
  Assembly(const ValueFunction& game,
           const HiprDesign& design,
           const std::vector<Evaluation>& values)
      : game_(game), design_(design), values_(values) {}

  Estimate Run() {
    Estimate estimate;
    estimate.base_loss = values_[0].loss;
    estimate.lowest_loss = values_[1].loss;
    Surrogate& surrogate = estimate.surrogate;
    AddCosts(surrogate);
    for (const auto& [u, w] : design_.pairs) AddPair(u, w, surrogate);
    return estimate;
  }

 private:
  void AddCosts(Surrogate& surrogate) {
    const Evaluation& base = values_[0];
    for (int u = 0; u < game_.num_units(); ++u) {
      std::vector<double> cost;
      std::vector<double> error;
      for (int o = 1; o < game_.num_options(); ++o, ++next_) {
        std::vector<double> rise = values_[next_].window_loss;
        for (std::size_t w = 0; w < rise.size(); ++w) {
          rise[w] -= base.window_loss[w];
        }
        cost.push_back(values_[next_].loss - base.loss);
        error.push_back(
            EstimateRatio(rise, game_.window_tokens()).standard_error);
      }
      shares_.push_back(Shares(cost, design_.pair_options));
      surrogate.linear.push_back(std::move(cost));
      surrogate.linear_standard_error.push_back(std::move(error));
    }
  }

  void AddPair(int u, int w, Surrogate& surrogate) {
    const std::vector<int>& at = design_.pair_options;
    const std::vector<double>& first = surrogate.linear[Index(u)];
    const std::vector<double>& second = surrogate.linear[Index(w)];
    std::vector<double> measured;
    for (const int a : at) {
      for (const int b : at) {
        measured.push_back(values_[next_++].loss - values_[0].loss -
                           first[Index(a)] - second[Index(b)]);
      }
    }
    for (std::size_t a = 0; a < first.size(); ++a) {
      for (std::size_t b = 0; b < second.size(); ++b) {
        double value = 0.0;
        for (std::size_t i = 0; i < at.size(); ++i) {
          for (std::size_t j = 0; j < at.size(); ++j) {
            value += shares_[Index(u)][a][i] * shares_[Index(w)][b][j] *
                     measured[i * at.size() + j];
          }
        }
        surrogate.pairs.push_back(
            {u, static_cast<int>(a), w, static_cast<int>(b), value});
      }
    }
  }

  const ValueFunction& game_;
  const HiprDesign& design_;
  const std::vector<Evaluation>& values_;
  std::size_t next_ = 2;
  std::vector<std::vector<std::vector<double>>> shares_;  // [unit]
};

}  // namespace

Expected<HiprDesign> DesignHipr(const std::vector<Unit>& units,
                                int num_options,
                                const HiprOptions& options) {
  HiprDesign design;
  design.pair_options = options.pair_options;
  for (int o = 0; o < num_options && options.pair_options.empty(); ++o) {
    design.pair_options.push_back(o);
  }
  std::sort(design.pair_options.begin(), design.pair_options.end());
  for (std::size_t i = 0; i < design.pair_options.size(); ++i) {
    const int option = design.pair_options[i];
    if (option < 0 || option >= num_options ||
        (i > 0 && option == design.pair_options[i - 1])) {
      return InvalidArgument("pair option " + std::to_string(option) +
                             " is out of range or given twice");
    }
  }
  design.pairs =
      ChooseUnitPairs(static_cast<int>(units.size()),
                      options.pairs_across_blocks ? nullptr : &units);
  const auto at = static_cast<std::int64_t>(design.pair_options.size());
  design.evaluations =
      2 + std::ssize(units) * num_options + std::ssize(design.pairs) * at * at;
  return design;
}

Expected<Estimate> MeasureHipr(ValueFunction& game, const HiprDesign& design) {
  BITPACT_CHECK(game.num_options() > 1, "an option besides full precision");
  const auto values = game.Evaluate(Questions(game, design));
  if (!values) return tl::unexpected(values.error());
  return Assembly(game, design, *values).Run();
}

}  // namespace bitpact
