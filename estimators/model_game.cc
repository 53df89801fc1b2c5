// SPDX-License-Identifier: Apache-2.0
#include "estimators/model_game.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/threads.h"
#include "models/calibration.h"

namespace bitpact {

// The assignments of one call in walking order. first_layer[i]: the first block
// in which assignment order[i] differs from order[i - 1]; num_layers when
// equal.
struct ModelGame::Walk {
  std::vector<const FormatAssignment*> assignments;
  std::vector<std::size_t> order;
  std::vector<int> first_layer;
  std::int64_t blocks = 0;  // that a window runs
};

// What one thread keeps: the activations that enter each block.
struct ModelGame::Lane {
  explicit Lane(const Model& model)
      : transformer(model),
        weights(FullPrecisionWeights(model)),
        hidden(static_cast<std::size_t>(model.config().num_layers) + 1) {}
  Transformer transformer;
  WeightSet weights;
  std::vector<std::vector<float>> hidden;
  std::vector<double> nll;
};

ModelGame::ModelGame(const Model& model, const TokenSet& tokens)
    : model_(&model), tokens_(&tokens) {
  for (const TokenWindow& window : tokens.windows) {
    window_tokens_.push_back(static_cast<double>(window.predicted()));
  }
}

Expected<std::unique_ptr<ModelGame>> ModelGame::Create(
    const Model& model,
    const std::vector<Unit>& units,
    const std::vector<FormatRule>& formats,
    const Quantizer& quantizer,
    const TokenSet& tokens) {
  BITPACT_CHECK(!units.empty() && !formats.empty(), "an empty game");
  std::unique_ptr<ModelGame> game(new ModelGame(model, tokens));
  game->num_options_ = static_cast<int>(formats.size());
  for (const Unit& unit : units) {
    const Expected<void> added = game->AddUnit(unit, formats);
    if (!added) return tl::unexpected(added.error());
  }
  const Expected<void> done = game->QuantizeAll(units, formats, quantizer);
  if (!done) return tl::unexpected(done.error());
  return game;
}

Expected<void> ModelGame::AddUnit(const Unit& unit,
                                  const std::vector<FormatRule>& formats) {
  Expected<std::vector<int>> places = WeightIndices(*model_, unit);
  if (!places) return tl::unexpected(places.error());
  if (variants_.empty()) {
    variants_.resize(formats.size());
    for (auto& option : variants_) {
      option.resize(static_cast<std::size_t>(model_->config().num_layers) *
                    kLinearsPerBlock);
    }
  }
  const int layer = places->front() / kLinearsPerBlock;
  for (const int place : *places) {
    if (place / kLinearsPerBlock != layer) {
      return InvalidArgument("unit '" + unit.name +
                             "' spans two blocks; a unit lies in one");
    }
    for (const std::vector<int>& other : unit_weights_) {
      if (std::find(other.begin(), other.end(), place) != other.end()) {
        return InvalidArgument("unit '" + unit.name +
                               "' shares a matrix with another unit");
      }
    }
  }
  unit_weights_.push_back(std::move(*places));
  unit_layer_.push_back(layer);
  return {};
}

struct ModelGame::Variant {
  UnitMatrix matrix;
  int place;
  std::size_t option;
  BitFormat format;
};

Expected<void> ModelGame::QuantizeVariants(const std::vector<Variant>& variants,
                                           const Quantizer& quantizer,
                                           std::span<const float> hessian) {
  std::vector<std::optional<Error>> errors(variants.size());
  ParallelFor(std::ssize(variants), [&](std::int64_t index, int) {
    const Variant& variant = variants[static_cast<std::size_t>(index)];
    const MatrixView view{model_->linear(variant.place / kLinearsPerBlock,
                                         static_cast<LinearKind>(
                                             variant.place % kLinearsPerBlock)),
                          variant.matrix.rows,
                          variant.matrix.cols};
    Expected<PackedMatrix> packed =
        quantizer.Quantize(view, {.hessian = hessian}, variant.format);
    if (!packed) {
      errors[static_cast<std::size_t>(index)] = {
          packed.error().code,
          variant.matrix.tensor + ": " + packed.error().message};
      return;
    }
    variants_[variant.option][static_cast<std::size_t>(variant.place)] =
        std::make_shared<const PackedMatrix>(std::move(*packed));
  });
  for (const std::optional<Error>& error : errors) {
    if (error) return tl::unexpected(*error);
  }
  return {};
}

Expected<void> ModelGame::QuantizeAll(const std::vector<Unit>& units,
                                      const std::vector<FormatRule>& formats,
                                      const Quantizer& quantizer) {
  std::vector<Variant> all;
  for (std::size_t u = 0; u < units.size(); ++u) {
    for (std::size_t m = 0; m < units[u].matrices.size(); ++m) {
      const UnitMatrix& matrix = units[u].matrices[m];
      for (std::size_t o = 0; o < formats.size(); ++o) {
        all.push_back({matrix,
                       unit_weights_[u][m],
                       o,
                       FormatFor(formats[o], matrix.cols)});
      }
    }
  }
  if (!quantizer.needs_hessian()) return QuantizeVariants(all, quantizer, {});
  Calibration calibration(*model_, *tokens_);
  const WeightSet weights = FullPrecisionWeights(*model_);
  for (int layer = 0; layer < model_->config().num_layers; ++layer) {
    const auto block = std::span(weights).subspan(
        static_cast<std::size_t>(layer) * kLinearsPerBlock, kLinearsPerBlock);
    for (const LinearStage& stage : LinearStages()) {
      std::vector<Variant> some;
      std::ranges::copy_if(
          all, std::back_inserter(some), [&](const Variant& variant) {
            const auto kind =
                static_cast<LinearKind>(variant.place % kLinearsPerBlock);
            return variant.place / kLinearsPerBlock == layer &&
                   std::ranges::count(stage.kinds, kind) > 0;
          });
      if (some.empty()) continue;
      const auto hessian = calibration.StageHessian(block, stage);
      if (!hessian) return tl::unexpected(hessian.error());
      const auto done = QuantizeVariants(some, quantizer, *hessian);
      if (!done) return done;
    }
    calibration.Advance(block);
  }
  return {};
}

std::int64_t ModelGame::activation_bytes() const {
  std::size_t longest = 0;
  for (const TokenWindow& window : tokens_->windows) {
    longest = std::max(longest, window.tokens.size());
  }
  return (model_->config().num_layers + std::int64_t{1}) *
         static_cast<std::int64_t>(longest) * model_->config().hidden_size *
         static_cast<std::int64_t>(sizeof(float));
}

std::vector<double> ModelGame::RunWindow(const Walk& walk,
                                         std::size_t window,
                                         Lane& lane) const {
  const TokenWindow& text = tokens_->windows[window];
  const auto layers = static_cast<std::size_t>(model_->config().num_layers);
  // The last token is only predicted.
  const std::span<const int> run =
      std::span(text.tokens).first(text.tokens.size() - 1);
  const std::size_t values =
      run.size() * static_cast<std::size_t>(model_->config().hidden_size);
  for (std::vector<float>& hidden : lane.hidden) hidden.resize(values);
  lane.nll.resize(run.size());
  lane.transformer.Embed(run, lane.hidden[0]);
  std::vector<double> sums(walk.order.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < walk.order.size(); ++i) {
    const FormatAssignment& assignment = *walk.assignments[walk.order[i]];
    const auto first = static_cast<std::size_t>(walk.first_layer[i]);
    for (std::size_t u = 0; u < unit_weights_.size(); ++u) {
      if (unit_layer_[u] < walk.first_layer[i]) continue;
      const auto& option = variants_[static_cast<std::size_t>(assignment[u])];
      for (const int place : unit_weights_[u]) {
        const auto at = static_cast<std::size_t>(place);
        lane.weights[at] = LinearWeight(option[at].get());
      }
    }
    for (std::size_t layer = first; layer < layers; ++layer) {
      lane.hidden[layer + 1] = lane.hidden[layer];
      lane.transformer.RunBlock(
          static_cast<int>(layer),
          std::span(lane.weights)
              .subspan(layer * kLinearsPerBlock, kLinearsPerBlock),
          lane.hidden[layer + 1]);
    }
    if (first < layers || i == 0) {
      lane.transformer.NegativeLogLikelihood(
          lane.hidden[layers], text.tokens, lane.nll);
      sum = 0.0;
      for (std::size_t t = static_cast<std::size_t>(text.first_predicted) - 1;
           t < lane.nll.size();
           ++t) {
        sum += lane.nll[t];
      }
    }
    sums[walk.order[i]] = sum;
  }
  return sums;
}

ModelGame::Walk ModelGame::MakeWalk(
    std::vector<const FormatAssignment*> asked) const {
  // Units sorted by layer, so that comparing assignments in this order finds
  // the first block that differs.
  std::vector<std::size_t> by_layer(unit_layer_.size());
  std::iota(by_layer.begin(), by_layer.end(), 0U);
  std::stable_sort(by_layer.begin(), by_layer.end(), [&](auto a, auto b) {
    return unit_layer_[a] < unit_layer_[b];
  });
  Walk walk;
  walk.assignments = std::move(asked);
  walk.order.resize(walk.assignments.size());
  std::iota(walk.order.begin(), walk.order.end(), 0U);
  const auto at = [&](std::size_t i) -> const FormatAssignment& {
    return *walk.assignments[i];
  };
  std::sort(walk.order.begin(), walk.order.end(), [&](auto a, auto b) {
    for (const std::size_t u : by_layer) {
      if (at(a)[u] != at(b)[u]) return at(a)[u] < at(b)[u];
    }
    return a < b;
  });
  const int layers = model_->config().num_layers;
  for (std::size_t i = 0; i < walk.order.size(); ++i) {
    BITPACT_CHECK(at(walk.order[i]).size() == unit_layer_.size(),
                  "one option a unit");
    int first = i == 0 ? 0 : layers;
    for (std::size_t k = 0; i > 0 && k < by_layer.size(); ++k) {
      const std::size_t u = by_layer[k];
      if (at(walk.order[i])[u] != at(walk.order[i - 1])[u]) {
        first = unit_layer_[u];
        break;
      }
    }
    walk.first_layer.push_back(first);
    walk.blocks += layers - first;
  }
  return walk;
}

std::vector<std::vector<double>> ModelGame::RunWalks(
    std::span<const Walk* const> walks, std::span<const std::size_t> windows) {
  for (const Walk* walk : walks) {
    blocks_run_ += walk->blocks;
    blocks_asked_ += std::ssize(walk->order) * model_->config().num_layers;
  }
  std::vector<std::vector<double>> sums(walks.size());
  std::vector<std::unique_ptr<Lane>> lanes(
      static_cast<std::size_t>(ThreadCount()));
  ParallelFor(std::ssize(walks), [&](std::int64_t index, int worker) {
    auto& lane = lanes[static_cast<std::size_t>(worker)];
    if (!lane) lane = std::make_unique<Lane>(*model_);
    const auto i = static_cast<std::size_t>(index);
    sums[i] = RunWindow(*walks[i], windows[i], *lane);
  });
  return sums;
}

Expected<std::vector<Evaluation>> ModelGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  std::vector<const FormatAssignment*> asked;
  for (const FormatAssignment& assignment : assignments) {
    asked.push_back(&assignment);
  }
  const Walk walk = MakeWalk(std::move(asked));
  std::vector<std::size_t> windows(window_tokens_.size());
  std::iota(windows.begin(), windows.end(), 0U);
  const std::vector<const Walk*> walks(windows.size(), &walk);
  const std::vector<std::vector<double>> sums = RunWalks(walks, windows);
  std::vector<Evaluation> results;
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    std::vector<double> window_loss;
    for (const std::size_t w : windows) window_loss.push_back(sums[w][i]);
    results.push_back(MakeEvaluation(std::move(window_loss), window_tokens_));
  }
  return results;
}

Expected<std::vector<double>> ModelGame::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  std::vector<std::vector<std::size_t>> by_window(window_tokens_.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    by_window[static_cast<std::size_t>(questions[i].window)].push_back(i);
  }
  std::vector<std::size_t> windows;
  std::vector<Walk> walks;
  for (std::size_t w = 0; w < by_window.size(); ++w) {
    if (by_window[w].empty()) continue;
    std::vector<const FormatAssignment*> asked;
    for (const std::size_t i : by_window[w]) {
      asked.push_back(&questions[i].assignment);
    }
    windows.push_back(w);
    walks.push_back(MakeWalk(std::move(asked)));
  }
  std::vector<const Walk*> pointers;
  for (const Walk& walk : walks) pointers.push_back(&walk);
  const std::vector<std::vector<double>> sums = RunWalks(pointers, windows);
  std::vector<double> results(questions.size());
  for (std::size_t k = 0; k < windows.size(); ++k) {
    const std::vector<std::size_t>& places = by_window[windows[k]];
    for (std::size_t j = 0; j < places.size(); ++j) {
      results[places[j]] = sums[k][j];
    }
  }
  return results;
}

}  // namespace bitpact
