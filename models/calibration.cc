// SPDX-License-Identifier: Apache-2.0
#include "models/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/check.h"
#include "core/threads.h"
#include "quant/hessian.h"

namespace bitpact {
namespace {

constexpr std::int64_t kBatchTokens = 2048;

std::size_t Size(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

std::span<const int> TokensToRun(const TokenWindow& window) {
  return std::span(window.tokens).first(window.tokens.size() - 1);
}

}  // namespace

std::span<const LinearStage> LinearStages() {
  using enum LinearKind;
  static const std::array<LinearStage, 4> stages = {
      LinearStage{kQ, {kQ, kK, kV}},
      LinearStage{kO, {kO}},
      LinearStage{kGate, {kGate, kUp}},
      LinearStage{kDown, {kDown}}};
  return stages;
}

Calibration::Calibration(const Model& model, const TokenSet& tokens)
    : model_(&model), set_(&tokens) {
  for (std::size_t w = 0; w < set_->windows.size(); ++w) {
    const auto count = std::ssize(TokensToRun(set_->windows[w]));
    if (batches_.empty() || batches_.back().tokens >= kBatchTokens) {
      batches_.push_back({w, 0, 0});
    }
    ++batches_.back().windows;
    batches_.back().tokens += count;
    starts_.push_back(tokens_);
    tokens_ += count;
  }
  starts_.push_back(tokens_);
  const std::int64_t width = model_->config().hidden_size;
  hidden_.resize(Size(tokens_, width));
  Transformer transformer(*model_);
  for (std::size_t w = 0; w < set_->windows.size(); ++w) {
    const auto run = TokensToRun(set_->windows[w]);
    transformer.Embed(run,
                      std::span(hidden_).subspan(Size(starts_[w], width),
                                                 Size(std::ssize(run), width)));
  }
}

Transformer& Calibration::Lane(int worker) {
  auto& lane = lanes_.at(static_cast<std::size_t>(worker));
  if (lane == nullptr) lane = std::make_unique<Transformer>(*model_);
  return *lane;
}

void Calibration::Collect(const Batch& batch,
                          std::span<const LinearWeight> block,
                          LinearKind input,
                          std::span<float> x) {
  const std::int64_t width = model_->config().hidden_size;
  const std::int64_t cols = model_->linear_matrix(layer_, input).cols;
  lanes_.resize(
      std::max(lanes_.size(), static_cast<std::size_t>(ThreadCount())));
  ParallelFor(static_cast<std::int64_t>(batch.windows),
              [&](std::int64_t index, int worker) {
                const std::size_t w =
                    batch.first_window + static_cast<std::size_t>(index);
                const std::int64_t count = starts_[w + 1] - starts_[w];
                const auto entering = std::span(hidden_).subspan(
                    Size(starts_[w], width), Size(count, width));
                const auto out = x.subspan(
                    Size(starts_[w] - starts_[batch.first_window], cols),
                    Size(count, cols));
                std::vector<float> hidden(entering.begin(), entering.end());
                Lane(worker).RunBlock(
                    layer_,
                    block,
                    hidden,
                    [&](LinearKind kind, std::span<const float> inputs) {
                      if (kind != input) return true;
                      std::ranges::copy(inputs, out.begin());
                      return false;
                    });
              });
}

Expected<void> Calibration::CheckFinite(const Batch& batch,
                                        LinearKind input,
                                        std::span<const float> x) const {
  const auto bad = std::ranges::find_if_not(
      x, [](float value) { return std::isfinite(value); });
  if (bad == x.end()) return {};
  const UnitMatrix matrix = model_->linear_matrix(layer_, input);
  const std::int64_t at = bad - x.begin();
  const std::int64_t token = starts_[batch.first_window] + at / matrix.cols;
  const auto window = std::ranges::upper_bound(starts_, token) - 1;
  return InvalidArgument("input of tensor " + QuotedName(matrix.tensor) +
                         ": window " +
                         std::to_string(window - starts_.begin()) + ", token " +
                         std::to_string(token - *window) + ", column " +
                         std::to_string(at % matrix.cols) + " is " +
                         std::to_string(*bad) + ": activations must be finite");
}

Expected<std::vector<float>> Calibration::StageHessian(
    std::span<const LinearWeight> block, const LinearStage& stage) {
  BITPACT_CHECK(layer_ < model_->config().num_layers, "a block is left");
  const std::int64_t cols = model_->linear_matrix(layer_, stage.input).cols;
  HessianSum sum(cols);
  std::vector<float> x;
  for (const Batch& batch : batches_) {
    x.resize(Size(batch.tokens, cols));
    Collect(batch, block, stage.input, x);
    const auto finite = CheckFinite(batch, stage.input, x);
    if (!finite) return tl::unexpected(finite.error());
    sum.Add(x, batch.tokens);
  }
  return sum.Finish();
}

void Calibration::Advance(std::span<const LinearWeight> block) {
  BITPACT_CHECK(layer_ < model_->config().num_layers, "a block is left");
  const std::int64_t width = model_->config().hidden_size;
  lanes_.resize(
      std::max(lanes_.size(), static_cast<std::size_t>(ThreadCount())));
  ParallelFor(std::ssize(set_->windows), [&](std::int64_t index, int worker) {
    const auto w = static_cast<std::size_t>(index);
    Lane(worker).RunBlock(
        layer_,
        block,
        std::span(hidden_).subspan(Size(starts_[w], width),
                                   Size(starts_[w + 1] - starts_[w], width)));
  });
  ++layer_;
}

}  // namespace bitpact
