// SPDX-License-Identifier: Apache-2.0
#include "models/perplexity.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/check.h"
#include "core/threads.h"
#include "models/elementwise.h"

namespace bitpact {
namespace {

// What one thread keeps between windows.
struct Lane {
  explicit Lane(const Model& model) : transformer(model) {}

  Transformer transformer;
  std::vector<float> hidden;
  std::vector<float> reference_hidden;
  std::vector<float> logits;
  std::vector<float> reference_logits;
};

struct WindowLoss {
  double nll = 0.0;  // sums over the predicted tokens, nats
  double kl = 0.0;
};

std::span<const float> Row(const std::vector<float>& matrix,
                           std::size_t row,
                           std::size_t width) {
  return std::span(matrix).subspan(row * width, width);
}

WindowLoss MeasureWindow(const Model& model,
                         const WeightSet& weights,
                         const WeightSet* reference,
                         const TokenWindow& window,
                         Lane& lane) {
  const auto width = static_cast<std::size_t>(model.config().hidden_size);
  const auto vocab = static_cast<std::size_t>(model.config().vocab_size);
  // The last token is only predicted.
  const std::size_t end = window.tokens.size() - 1;
  const std::span<const int> run = std::span(window.tokens).first(end);
  lane.hidden.resize(end * width);
  lane.transformer.RunBlocks(run, weights, lane.hidden);
  if (reference != nullptr) {
    lane.reference_hidden.resize(lane.hidden.size());
    lane.transformer.RunBlocks(run, *reference, lane.reference_hidden);
  }
  WindowLoss loss;
  const auto step = static_cast<std::size_t>(lane.transformer.LogitRows());
  // Row t predicts token t + 1.
  for (auto first = static_cast<std::size_t>(window.first_predicted - 1);
       first < end;
       first += step) {
    const std::size_t rows = std::min(step, end - first);
    const auto part = [&](const std::vector<float>& hidden) {
      return std::span(hidden).subspan(first * width, rows * width);
    };
    lane.logits.resize(rows * vocab);
    lane.transformer.Logits(part(lane.hidden), lane.logits);
    if (reference != nullptr) {
      lane.reference_logits.resize(rows * vocab);
      lane.transformer.Logits(part(lane.reference_hidden),
                              lane.reference_logits);
    }
    for (std::size_t row = 0; row < rows; ++row) {
      const auto logits = Row(lane.logits, row, vocab);
      const auto next =
          static_cast<std::size_t>(window.tokens[first + row + 1]);
      loss.nll += LogSumExp(logits) - static_cast<double>(logits[next]);
      if (reference != nullptr) {
        loss.kl += KlDivergence(Row(lane.reference_logits, row, vocab), logits);
      }
    }
  }
  return loss;
}

}  // namespace

RatioEstimate EstimateRatio(std::span<const double> sums,
                            std::span<const double> weights) {
  BITPACT_CHECK(sums.size() == weights.size(), "one weight a sum");
  double sum = 0.0;
  double weight = 0.0;
  for (std::size_t d = 0; d < sums.size(); ++d) {
    sum += sums[d];
    weight += weights[d];
  }
  RatioEstimate estimate;
  if (sums.empty()) return estimate;
  estimate.mean = sum / weight;
  if (sums.size() == 1) return estimate;
  double squares = 0.0;
  for (std::size_t d = 0; d < sums.size(); ++d) {
    const double residual = sums[d] - estimate.mean * weights[d];
    squares += residual * residual;
  }
  const auto count = static_cast<double>(sums.size());
  estimate.standard_error = std::sqrt(count / (count - 1.0) * squares) / weight;
  return estimate;
}

LossReport EvaluateLoss(const Model& model,
                        const WeightSet& weights,
                        const TokenSet& tokens,
                        const WeightSet* reference) {
  LossReport report;
  report.windows = std::ssize(tokens.windows);
  report.window_nll.resize(tokens.windows.size());
  report.window_kl.resize(tokens.windows.size());
  std::vector<std::optional<Lane>> lanes(
      static_cast<std::size_t>(ThreadCount()));
  ParallelFor(report.windows, [&](std::int64_t index, int worker) {
    std::optional<Lane>& lane = lanes[static_cast<std::size_t>(worker)];
    if (!lane) lane.emplace(model);
    const auto d = static_cast<std::size_t>(index);
    const WindowLoss loss =
        MeasureWindow(model, weights, reference, tokens.windows[d], *lane);
    report.window_nll[d] = loss.nll;
    report.window_kl[d] = loss.kl;
  });
  std::vector<double> predicted;
  for (const TokenWindow& window : tokens.windows) {
    report.predicted_tokens += window.predicted();
    predicted.push_back(static_cast<double>(window.predicted()));
  }
  report.nll = EstimateRatio(report.window_nll, predicted);
  report.perplexity.mean = std::exp(report.nll.mean);
  report.perplexity.standard_error =
      report.perplexity.mean * report.nll.standard_error;
  if (reference != nullptr) {
    report.kl = EstimateRatio(report.window_kl, predicted);
  }
  return report;
}

}  // namespace bitpact
