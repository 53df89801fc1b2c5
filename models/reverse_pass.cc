// SPDX-License-Identifier: Apache-2.0
#include "models/reverse_pass.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "core/check.h"
#include "core/progress.h"
#include "core/threads.h"
#include "models/elementwise.h"
#include "models/elementwise_reverse.h"

namespace bitpact {
namespace {

// A row of logits becomes dL/dlogits = softmax - (1 at the next token); returns
// -log p(next).
double SoftmaxLoss(std::span<float> logits, std::size_t next) {
  const double norm = LogSumExp(logits);
  const double loss = norm - static_cast<double>(logits[next]);
  const auto shift = static_cast<float>(norm);
  for (float& logit : logits) logit = std::exp(logit - shift);
  // 1 - p without cancellation when p is nearly 1.
  logits[next] = static_cast<float>(std::expm1(-loss));
  return loss;
}

}  // namespace

ReversePass::ReversePass(const Model& model)
    : model_(&model),
      transformer_(model),
      block_(model),
      hidden_(static_cast<std::size_t>(model.config().num_layers) + 1) {}

// Fills gradient_ with dL/d(what leaves the last block).
double ReversePass::HeadBackward(const TokenWindow& window,
                                 const LogitGradient& other) {
  const ModelConfig& config = model_->config();
  const std::vector<float>& hidden = hidden_.back();
  const auto width = static_cast<std::size_t>(config.hidden_size);
  const auto vocab = static_cast<std::size_t>(config.vocab_size);
  const LinearWeight head(
      model_->head(), config.vocab_size, config.hidden_size);
  gradient_.assign(hidden.size(), 0.0F);
  const std::size_t end = window.tokens.size() - 1;
  const auto step = static_cast<std::size_t>(transformer_.LogitRows());
  double loss = 0.0;
  // Row t predicts token t + 1.
  for (auto first = static_cast<std::size_t>(window.first_predicted - 1);
       first < end;
       first += step) {
    const std::size_t rows = std::min(step, end - first);
    const auto part = std::span(hidden).subspan(first * width, rows * width);
    logits_.resize(rows * vocab);
    transformer_.Logits(part, logits_);
    for (std::size_t row = 0; row < rows; ++row) {
      const auto line = std::span(logits_).subspan(row * vocab, vocab);
      const std::size_t next = first + row + 1;
      loss += other ? other(next, line)
                    : SoftmaxLoss(
                          line, static_cast<std::size_t>(window.tokens[next]));
    }
    normed_gradient_.assign(rows * width, 0.0F);
    AddInputGradient(head,
                     logits_,
                     normed_gradient_,
                     static_cast<std::int64_t>(rows),
                     scratch_);
    RmsNormReverse(part,
                   model_->final_norm(),
                   config.rms_norm_eps,
                   normed_gradient_,
                   std::span(gradient_).subspan(first * width, rows * width));
  }
  return loss;
}

double ReversePass::Run(const TokenWindow& window,
                        const WeightSet& weights,
                        const LinearVisitor& visitor,
                        const LogitGradient& head) {
  const ModelConfig& config = model_->config();
  const auto layers = static_cast<std::size_t>(config.num_layers);
  BITPACT_CHECK(weights.size() == layers * kLinearsPerBlock,
                "kLinearsPerBlock weights a layer");
  BITPACT_CHECK(window.tokens.size() >= 2 && window.first_predicted >= 1,
                "a window predicts a token");
  const auto block = [&](std::size_t layer) {
    return std::span(weights).subspan(layer * kLinearsPerBlock,
                                      kLinearsPerBlock);
  };
  // The last token is only predicted.
  const auto run = std::span(window.tokens).first(window.tokens.size() - 1);
  hidden_[0].resize(run.size() * static_cast<std::size_t>(config.hidden_size));
  transformer_.Embed(run, hidden_[0]);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    hidden_[layer + 1] = hidden_[layer];
    transformer_.RunBlock(
        static_cast<int>(layer), block(layer), hidden_[layer + 1]);
  }
  const double loss = HeadBackward(window, head);
  for (std::size_t layer = layers; layer-- > 0;) {
    block_.Forward(static_cast<int>(layer), block(layer), hidden_[layer]);
    block_.Backward(block(layer), gradient_, visitor);
  }
  return loss;
}

std::vector<std::vector<float>> ReversePass::WeightGradients(
    const TokenWindow& window, const WeightSet& weights) {
  std::vector<std::vector<float>> gradients(weights.size());
  Run(window, weights, [&](const LinearBackprop& linear) {
    std::vector<float>& gradient = gradients[linear.place()];
    gradient.resize(static_cast<std::size_t>(linear.rows * linear.cols));
    WeightGradient(linear, gradient);
  });
  return gradients;
}

Expected<std::vector<double>> BackpropagateWindows(
    const Model& model,
    const WeightSet& weights,
    const TokenSet& tokens,
    const std::function<void(const WindowBackprop&)>& visitor,
    const BackpropagateOptions& options) {
  const std::size_t first = std::min(options.first, tokens.windows.size());
  std::vector<double> losses(
      std::min(options.count, tokens.windows.size() - first));
  if (losses.empty()) return losses;
  std::vector<std::unique_ptr<ReversePass>> lanes(
      static_cast<std::size_t>(ThreadCount()));
  Progress progress("reverse pass", std::ssize(losses));
  ParallelFor(std::ssize(losses), [&](std::int64_t index, int worker) {
    auto& lane = lanes[static_cast<std::size_t>(worker)];
    if (!lane) lane = std::make_unique<ReversePass>(model);
    const std::size_t window = first + static_cast<std::size_t>(index);
    LogitGradient head;
    if (options.head) {
      head = [&](std::size_t token, std::span<float> logits) {
        return options.head(window, token, logits);
      };
    }
    losses[static_cast<std::size_t>(index)] = lane->Run(
        tokens.windows[window],
        weights,
        [&](const LinearBackprop& linear) {
          visitor({.window = window, .worker = worker, .linear = &linear});
        },
        head);
    progress.Advance();
  });
  for (std::size_t w = 0; w < losses.size(); ++w) {
    if (std::isfinite(losses[w])) continue;
    return InvalidArgument("calibration window " + std::to_string(first + w) +
                           ": the loss is " +
                           (std::isnan(losses[w]) ? "nan" : "infinite") +
                           "; gradients need a finite one");
  }
  return losses;
}

}  // namespace bitpact
