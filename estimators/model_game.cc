// SPDX-License-Identifier: Apache-2.0
#include "estimators/model_game.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/threads.h"
#include "models/elementwise.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

}  // namespace

// The activations of one window under the assignment that ran last, as far as
// the plan keeps them: with stages, what leaves every stage; with blocks, what
// enters every k-th block, and one buffer for each kind of output between.
class ModelGame::Trail {
 public:
  Trail(const GameMemoryShape& shape, int blocks_apart, std::int64_t tokens)
      : apart_(blocks_apart), num_layers_(shape.num_layers) {
    const std::int64_t widths[kStagesPerBlock] = {shape.attended_size,
                                                  shape.hidden_size,
                                                  shape.intermediate_size,
                                                  shape.hidden_size};
    embedded_.resize(Size(tokens, shape.hidden_size));
    const int kept = apart_ == 0 ? num_layers_ : 1;
    for (int i = 0; i < kept * kStagesPerBlock; ++i) {
      outputs_.emplace_back(Size(tokens, widths[i % kStagesPerBlock]));
    }
    for (int layer = apart_; apart_ > 0 && layer < num_layers_;
         layer += apart_) {
      kept_blocks_.emplace_back(Size(tokens, shape.hidden_size));
    }
  }

  std::span<float> embedded() { return embedded_; }
  // What leaves stage `stage` of block `layer`.
  std::span<float> Output(int layer, int stage) {
    if (apart_ == 0) {
      return outputs_[Size(layer, kStagesPerBlock) + Size(1, stage)];
    }
    const int next = layer + 1;
    if (stage == kStagesPerBlock - 1 && next % apart_ == 0 &&
        next < num_layers_) {
      return kept_blocks_[static_cast<std::size_t>(next / apart_ - 1)];
    }
    return outputs_[static_cast<std::size_t>(stage)];
  }
  // What enters block `layer`.
  std::span<float> Input(int layer) {
    return layer == 0 ? embedded() : Output(layer - 1, kStagesPerBlock - 1);
  }
  // The stage to run from when what enters `stage` is the first thing that has
  // changed; at or before it.
  [[nodiscard]] int Restart(int stage) const {
    if (apart_ == 0) return stage;
    const int layer = stage / kStagesPerBlock;
    return layer / apart_ * apart_ * kStagesPerBlock;
  }

  // Empty: nothing has run.
  FormatAssignment current;
  double sum = 0.0;  // of the loss of `current`

 private:
  int apart_;
  int num_layers_;
  std::vector<float> embedded_;
  std::vector<std::vector<float>> outputs_;
  std::vector<std::vector<float>> kept_blocks_;
};

struct ModelGame::Lane {
  Lane(const Model& model, ProductPrecision products)
      : transformer(model, products), weights(FullPrecisionWeights(model)) {}
  Transformer transformer;
  WeightSet weights;
  std::unique_ptr<Trail> trail;  // unless all windows have theirs
  std::vector<double> nll;
  std::vector<float> logits;            // a slab; KL only
  std::vector<float> reference_hidden;  // KL only
  std::vector<float> reference_logits;  // a window's or a slab's
  std::int64_t stages_run = 0;
};

ModelGame::ModelGame(const Model& model,
                     const TokenSet& tokens,
                     UnitVariants variants,
                     const ModelGameOptions& options)
    : model_(&model),
      tokens_(&tokens),
      variants_(std::move(variants)),
      options_(options),
      shape_(MakeMemoryShape(model, tokens, options.loss == LossKind::kKl)),
      full_(FullPrecisionWeights(model)) {
  for (const TokenWindow& window : tokens.windows) {
    window_tokens_.push_back(static_cast<double>(window.predicted()));
  }
}

ModelGame::~ModelGame() = default;

LinearWeight ModelGame::WeightAt(int option, int place) const {
  if (option < FirstFormat()) return full_[static_cast<std::size_t>(place)];
  return LinearWeight(variants_.packed(option - FirstFormat(), place));
}

Expected<std::unique_ptr<ModelGame>> ModelGame::Create(
    const Model& model,
    const std::vector<Unit>& units,
    const std::vector<FormatRule>& formats,
    const Quantizer& quantizer,
    const TokenSet& tokens,
    const ModelGameOptions& options) {
  BITPACT_CHECK(options.loss != LossKind::kOutside, "a loss of the model");
  const auto fits = PlanGameMemory(
      MakeMemoryShape(model, tokens, options.loss == LossKind::kKl),
      options.memory_bytes,
      ThreadCount());
  if (!fits) return tl::unexpected(fits.error());
  Expected<UnitVariants> variants =
      UnitVariants::Create(model, units, formats, quantizer, tokens);
  if (!variants) return tl::unexpected(variants.error());
  return std::unique_ptr<ModelGame>(
      new ModelGame(model, tokens, std::move(*variants), options));
}

GameMemoryPlan ModelGame::memory_plan() const {
  // One lane fits, as Create has seen.
  return *PlanGameMemory(shape_, options_.memory_bytes, ThreadCount());
}

void ModelGame::Prepare() {
  const GameMemoryPlan plan = memory_plan();
  if (plan == plan_ && !lanes_.empty()) return;
  plan_ = plan;
  lanes_.clear();
  trails_.clear();
  reference_.clear();
  lanes_.resize(static_cast<std::size_t>(plan.lanes));
  if (plan.all_windows) trails_.resize(window_tokens_.size());
  if (plan.reference == KeptReference::kWindowLogits) {
    reference_.resize(window_tokens_.size());
  }
}

std::span<const int> ModelGame::RunTokens(std::size_t window) const {
  const TokenWindow& text = tokens_->windows[window];
  return std::span(text.tokens).first(text.tokens.size() - 1);
}

void ModelGame::PrepareReference(std::size_t window, Lane& lane) {
  if (plan_.reference == KeptReference::kNone) return;
  const bool for_good = plan_.reference == KeptReference::kWindowLogits;
  if (for_good && !reference_[window].empty()) return;
  const std::span<const int> run = RunTokens(window);
  lane.reference_hidden.resize(Size(std::ssize(run), shape_.hidden_size));
  lane.transformer.RunBlocks(run, full_, lane.reference_hidden);
  if (plan_.reference == KeptReference::kLaneHidden) return;
  std::vector<float>& logits =
      for_good ? reference_[window] : lane.reference_logits;
  logits.resize(Size(std::ssize(run), shape_.vocab_size));
  const std::int64_t step = lane.transformer.LogitRows();
  for (std::int64_t first = 0; first < std::ssize(run); first += step) {
    const std::int64_t rows = std::min(step, std::ssize(run) - first);
    lane.transformer.Logits(
        std::span(lane.reference_hidden)
            .subspan(Size(first, shape_.hidden_size),
                     Size(rows, shape_.hidden_size)),
        std::span(logits).subspan(Size(first, shape_.vocab_size),
                                  Size(rows, shape_.vocab_size)));
  }
}

double ModelGame::WindowKl(std::size_t window,
                           std::span<const float> hidden,
                           Lane& lane) const {
  const TokenWindow& text = tokens_->windows[window];
  const std::int64_t end = std::ssize(text.tokens) - 1;
  const std::int64_t step = lane.transformer.LogitRows();
  const std::int64_t width = shape_.hidden_size;
  const std::int64_t vocab = shape_.vocab_size;
  const bool by_slab = plan_.reference == KeptReference::kLaneHidden;
  const std::vector<float>& kept =
      plan_.reference == KeptReference::kWindowLogits ? reference_[window]
                                                      : lane.reference_logits;
  lane.logits.resize(Size(step, vocab));
  if (by_slab) lane.reference_logits.resize(Size(step, vocab));
  double sum = 0.0;
  // Row t predicts token t + 1.
  for (std::int64_t first = text.first_predicted - 1; first < end;
       first += step) {
    const std::int64_t rows = std::min(step, end - first);
    lane.transformer.Logits(
        hidden.subspan(Size(first, width), Size(rows, width)),
        std::span(lane.logits).first(Size(rows, vocab)));
    if (by_slab) {
      lane.transformer.Logits(
          std::span(lane.reference_hidden)
              .subspan(Size(first, width), Size(rows, width)),
          std::span(lane.reference_logits).first(Size(rows, vocab)));
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t place = by_slab ? row : first + row;
      sum += KlDivergence(
          std::span(kept).subspan(Size(place, vocab), Size(1, vocab)),
          std::span(lane.logits).subspan(Size(row, vocab), Size(1, vocab)));
    }
  }
  return sum;
}

double ModelGame::WindowLoss(std::size_t window,
                             std::span<const float> hidden,
                             Lane& lane) const {
  if (options_.loss == LossKind::kKl) return WindowKl(window, hidden, lane);
  const TokenWindow& text = tokens_->windows[window];
  // Positions whose next token is not predicted need no logits.
  const std::int64_t skip = text.first_predicted - 1;
  lane.nll.resize(static_cast<std::size_t>(text.predicted()));
  lane.transformer.NegativeLogLikelihood(
      hidden.subspan(Size(skip, shape_.hidden_size)),
      std::span(text.tokens).subspan(static_cast<std::size_t>(skip)),
      lane.nll);
  return std::accumulate(lane.nll.begin(), lane.nll.end(), 0.0);
}

std::vector<double> ModelGame::RunWindow(const AssignmentWalk& walk,
                                         std::size_t window,
                                         Lane& lane) {
  const int num_stages = shape_.num_layers * kStagesPerBlock;
  const std::span<const int> run = RunTokens(window);
  std::unique_ptr<Trail>& slot =
      plan_.all_windows ? trails_[window] : lane.trail;
  if (!slot || !plan_.all_windows) {
    slot = std::make_unique<Trail>(shape_, plan_.blocks_apart, std::ssize(run));
    lane.transformer.Embed(run, slot->embedded());
  }
  Trail& trail = *slot;
  PrepareReference(window, lane);
  std::vector<double> sums(walk.order.size());
  // The lane's weights are those of its last window's last assignment.
  int changed = 0;
  for (const std::size_t asked : walk.order) {
    const FormatAssignment& assignment = *walk.assignments[asked];
    const int first = trail.current.empty()
                          ? 0
                          : FirstDifference(trail.current,
                                            assignment,
                                            variants_.first_stages(),
                                            num_stages);
    const int restart = first == num_stages ? first : trail.Restart(first);
    changed = std::min(changed, restart);
    for (std::size_t u = 0; u < assignment.size(); ++u) {
      if (variants_.first_stages()[u] < changed) continue;
      for (const int place : variants_.places(u)) {
        lane.weights[static_cast<std::size_t>(place)] =
            WeightAt(assignment[u], place);
      }
    }
    for (int stage = restart; stage < num_stages; ++stage) {
      const int layer = stage / kStagesPerBlock;
      const auto block =
          std::span(lane.weights)
              .subspan(Size(layer, kLinearsPerBlock), kLinearsPerBlock);
      Transformer& transformer = lane.transformer;
      switch (stage % kStagesPerBlock) {
        case 0:
          transformer.RunAttention(
              layer, block, trail.Input(layer), trail.Output(layer, 0));
          break;
        case 1:
          transformer.RunOutput(block,
                                trail.Output(layer, 0),
                                trail.Input(layer),
                                trail.Output(layer, 1));
          break;
        case 2:
          transformer.RunGate(
              layer, block, trail.Output(layer, 1), trail.Output(layer, 2));
          break;
        default:
          transformer.RunDown(block,
                              trail.Output(layer, 2),
                              trail.Output(layer, 1),
                              trail.Output(layer, 3));
      }
    }
    lane.stages_run += num_stages - restart;
    if (restart < num_stages) {
      trail.sum = WindowLoss(window, trail.Input(shape_.num_layers), lane);
      trail.current = assignment;
    }
    changed = num_stages;
    sums[asked] = trail.sum;
  }
  return sums;
}

std::vector<std::vector<double>> ModelGame::RunWalks(
    std::span<const AssignmentWalk* const> walks,
    std::span<const std::size_t> windows) {
  Prepare();
  std::vector<std::vector<double>> sums(walks.size());
  std::atomic<std::size_t> next{0};
  // Lanes and not windows are shared out, since memory may allow fewer of them
  // than threads.
  ParallelFor(std::ssize(lanes_), [&](std::int64_t index, int /*worker*/) {
    auto& lane = lanes_[static_cast<std::size_t>(index)];
    if (!lane) lane = std::make_unique<Lane>(*model_, options_.products);
    for (std::size_t i = next++; i < walks.size(); i = next++) {
      sums[i] = RunWindow(*walks[i], windows[i], *lane);
    }
  });
  for (const auto& lane : lanes_) {
    if (lane) stages_run_ += std::exchange(lane->stages_run, 0);
  }
  for (const AssignmentWalk* walk : walks) {
    stages_asked_ += std::ssize(walk->order) * shape_.num_layers *
                     std::int64_t{kStagesPerBlock};
  }
  return sums;
}

Expected<std::vector<Evaluation>> ModelGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  std::vector<const FormatAssignment*> asked;
  for (const FormatAssignment& assignment : assignments) {
    asked.push_back(&assignment);
  }
  const AssignmentWalk walk =
      MakeWalk(std::move(asked), variants_.first_stages());
  std::vector<std::size_t> windows(window_tokens_.size());
  std::iota(windows.begin(), windows.end(), 0U);
  const std::vector<const AssignmentWalk*> walks(windows.size(), &walk);
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
  std::vector<AssignmentWalk> walks;
  for (std::size_t w = 0; w < by_window.size(); ++w) {
    if (by_window[w].empty()) continue;
    std::vector<const FormatAssignment*> asked;
    for (const std::size_t i : by_window[w]) {
      asked.push_back(&questions[i].assignment);
    }
    windows.push_back(w);
    walks.push_back(MakeWalk(std::move(asked), variants_.first_stages()));
  }
  std::vector<const AssignmentWalk*> pointers;
  for (const AssignmentWalk& walk : walks) pointers.push_back(&walk);
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
