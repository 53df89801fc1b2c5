// SPDX-License-Identifier: Apache-2.0
#include "estimators/pairs.h"

#include <string>

#include "models/perplexity.h"

namespace bitpact {
namespace {

// "layers.3" of "layers.3.mlp.up_proj".
std::string BlockName(const std::string& unit) {
  const std::size_t first = unit.find('.');
  return unit.substr(
      0, first == std::string::npos ? first : unit.find('.', first + 1));
}

class PairsEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "pairs"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& options) const override {
    if (options.pairs_in_block && input.evidence == nullptr) {
      return Fail(
          ErrorCode::kUnsupported,
          "pairs within blocks: the units' blocks are not known without "
          "a model");
    }
    ValueFunction& game = *input.game;
    const auto units = static_cast<std::size_t>(game.num_units());
    const int last = game.num_options() - 1;
    std::vector<FormatAssignment> asked = {FormatAssignment(units, 0),
                                           FormatAssignment(units, last)};
    for (std::size_t u = 0; u < units; ++u) {
      for (int a = 1; a <= last; ++a) {
        asked.emplace_back(units, 0);
        asked.back()[u] = a;
      }
    }
    const auto pairs = ChooseUnitPairs(
        game.num_units(),
        options.pairs_in_block ? input.evidence->units : nullptr);
    for (const auto& [u, w] : pairs) {
      for (int a = 1; a <= last; ++a) {
        for (int b = 1; b <= last; ++b) {
          asked.emplace_back(units, 0);
          asked.back()[static_cast<std::size_t>(u)] = a;
          asked.back()[static_cast<std::size_t>(w)] = b;
        }
      }
    }
    const auto values = game.Evaluate(asked);
    if (!values) return tl::unexpected(values.error());
    return Assemble(game, *values, pairs);
  }

 private:
  static Estimate Assemble(const ValueFunction& game,
                           const std::vector<Evaluation>& values,
                           const std::vector<std::pair<int, int>>& pairs) {
    Estimate estimate;
    const Evaluation& base = values[0];
    estimate.base_loss = base.loss;
    estimate.lowest_loss = values[1].loss;
    const int last = game.num_options() - 1;
    Surrogate& surrogate = estimate.surrogate;
    std::size_t at = 2;
    for (int u = 0; u < game.num_units(); ++u) {
      std::vector<double> cost(1, 0.0);
      std::vector<double> error(1, 0.0);
      for (int a = 1; a <= last; ++a, ++at) {
        std::vector<double> rise = values[at].window_loss;
        for (std::size_t w = 0; w < rise.size(); ++w) {
          rise[w] -= base.window_loss[w];
        }
        cost.push_back(values[at].loss - base.loss);
        error.push_back(
            EstimateRatio(rise, game.window_tokens()).standard_error);
      }
      surrogate.linear.push_back(std::move(cost));
      surrogate.linear_standard_error.push_back(std::move(error));
    }
    for (const auto& [u, w] : pairs) {
      const auto& first = surrogate.linear[static_cast<std::size_t>(u)];
      const auto& second = surrogate.linear[static_cast<std::size_t>(w)];
      for (int a = 1; a <= last; ++a) {
        for (int b = 1; b <= last; ++b, ++at) {
          surrogate.pairs.push_back({u,
                                     a,
                                     w,
                                     b,
                                     values[at].loss - base.loss -
                                         first[static_cast<std::size_t>(a)] -
                                         second[static_cast<std::size_t>(b)]});
        }
      }
    }
    return estimate;
  }
};

}  // namespace

std::vector<std::pair<int, int>> ChooseUnitPairs(
    int units, const std::vector<Unit>* names) {
  std::vector<std::pair<int, int>> pairs;
  for (int u = 0; u < units; ++u) {
    for (int w = u + 1; w < units; ++w) {
      if (names != nullptr &&
          BlockName((*names)[static_cast<std::size_t>(u)].name) !=
              BlockName((*names)[static_cast<std::size_t>(w)].name)) {
        continue;
      }
      pairs.emplace_back(u, w);
    }
  }
  return pairs;
}

std::unique_ptr<SensitivityEstimator> MakePairsEstimator() {
  return std::make_unique<PairsEstimator>();
}

}  // namespace bitpact
