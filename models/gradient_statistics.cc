// SPDX-License-Identifier: Apache-2.0
#include "models/gradient_statistics.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/threads.h"
#include "models/reverse_pass.h"

namespace bitpact {
namespace {

// Windows whose sums are held apart until they are added in order.
constexpr std::size_t kChunk = 32;

// One window's share, by place and row.
struct WindowShare {
  std::vector<std::vector<double>> fisher;
  std::vector<std::vector<double>> squares;
};

void Measure(const LinearBackprop& linear,
             std::vector<float>& gradient,
             WindowShare& share) {
  const auto rows = static_cast<std::size_t>(linear.rows);
  const auto cols = static_cast<std::size_t>(linear.cols);
  gradient.resize(rows * cols);
  WeightGradient(linear, gradient);
  std::vector<double>& fisher = share.fisher[linear.place()];
  std::vector<double>& squares = share.squares[linear.place()];
  fisher.assign(rows, 0.0);
  squares.assign(rows, 0.0);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const auto value = static_cast<double>(gradient[i]);
    fisher[i / cols] += value * value / static_cast<double>(cols);
  }
  for (std::size_t i = 0; i < linear.dy.size(); ++i) {
    const auto value = static_cast<double>(linear.dy[i]);
    squares[i % rows] += value * value;
  }
}

void AddTo(std::vector<std::vector<double>>& total,
           const std::vector<std::vector<double>>& part,
           double factor) {
  for (std::size_t place = 0; place < part.size(); ++place) {
    total[place].resize(part[place].size(), 0.0);
    for (std::size_t row = 0; row < part[place].size(); ++row) {
      total[place][row] += part[place][row] * factor;
    }
  }
}

}  // namespace

Expected<GradientStatistics> MeasureGradients(const Model& model,
                                              const WeightSet& weights,
                                              const TokenSet& tokens) {
  GradientStatistics statistics;
  statistics.row_fisher.resize(weights.size());
  statistics.row_gradient_squares.resize(weights.size());
  std::int64_t predicted = 0;
  for (const TokenWindow& window : tokens.windows) {
    predicted += window.predicted();
  }
  const double factor = 1.0 / static_cast<double>(predicted);
  std::vector<std::vector<float>> scratch(
      static_cast<std::size_t>(ThreadCount()));
  for (std::size_t first = 0; first < tokens.windows.size(); first += kChunk) {
    std::vector<WindowShare> shares(
        std::min(kChunk, tokens.windows.size() - first));
    for (WindowShare& share : shares) {
      share.fisher.resize(weights.size());
      share.squares.resize(weights.size());
    }
    const auto losses = BackpropagateWindows(
        model,
        weights,
        tokens,
        [&](const WindowBackprop& seen) {
          Measure(*seen.linear,
                  scratch[static_cast<std::size_t>(seen.worker)],
                  shares[seen.window - first]);
        },
        {.first = first, .count = kChunk, .head = nullptr});
    if (!losses) return tl::unexpected(losses.error());
    for (const WindowShare& share : shares) {
      AddTo(statistics.row_fisher, share.fisher, factor);
      AddTo(statistics.row_gradient_squares, share.squares, factor);
    }
  }
  return statistics;
}

}  // namespace bitpact
