// SPDX-License-Identifier: Apache-2.0
#include "models/block_reconstruction.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "models/block_reverse.h"

namespace bitpact {
namespace {

using Matrix = std::vector<float>;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

class Learner {
 public:
  Learner(const Model& model,
          int layer,
          std::span<LearnedMatrix* const> matrices,
          std::span<const LinearWeight> fixed,
          const BlockActivations& activations,
          const ReconstructionOptions& options)
      : model_(model),
        layer_(layer),
        matrices_(matrices),
        weights_(fixed.begin(), fixed.end()),
        activations_(activations),
        options_(options),
        dense_(kLinearsPerBlock),
        order_(
            options.seed, "reconstruction", static_cast<std::uint64_t>(layer)),
        lanes_(Size(ThreadCount())) {
    for (std::size_t kind = 0; kind < kLinearsPerBlock; ++kind) {
      LearnedMatrix* const matrix = matrices_[kind];
      if (matrix == nullptr) continue;
      kinds_.push_back(kind);
      dense_[kind].resize(Size(matrix->rows() * matrix->cols()));
      weights_[kind] =
          LinearWeight(dense_[kind], matrix->rows(), matrix->cols());
      rounded_weights_ += matrix->rounded_weights();
    }
  }

  Expected<ReconstructionOutcome> Run() {
    const int windows = static_cast<int>(activations_.starts.size()) - 1;
    auto judges = HeldOutWindows(windows, options_.held_out);
    if (!judges) return tl::unexpected(judges.error());
    judges_ = std::move(*judges);
    for (int w = 0; w < windows; ++w) {
      if (!std::ranges::binary_search(judges_, w)) learning_.push_back(w);
    }
    ReconstructionOutcome outcome;
    outcome.layer = layer_;
    outcome.start_loss = outcome.loss = Judge();
    if (!std::isfinite(outcome.start_loss)) {
      return InvalidArgument("block " + std::to_string(layer_) +
                             ": activations of the calibration text are not "
                             "finite");
    }
    if (outcome.start_loss > 0.0) Learn(outcome);
    return outcome;
  }

 private:
  using States = std::vector<LearnedMatrix::State>;

  void Learn(ReconstructionOutcome& outcome) {
    // A step's slopes are those of L / L(start) * weights, L a token's.
    unit_ = outcome.start_loss *
            static_cast<double>(model_.config().hidden_size) /
            static_cast<double>(std::max<std::int64_t>(1, rounded_weights_));
    Progress progress("learn block " + std::to_string(layer_),
                      options_.iterations);
    States best = Save();
    const int distance = std::max(1, options_.iterations / options_.checks);
    int without = 0;
    for (int i = 0; i < options_.iterations; ++i) {
      Step(static_cast<double>(i) / options_.iterations);
      progress.Advance();
      outcome.iterations = i + 1;
      if ((i + 1) % distance != 0 && i + 1 < options_.iterations) continue;
      const double loss = Judge();
      if (loss < outcome.loss) {
        outcome.loss = loss;
        outcome.best_iteration = i + 1;
        best = Save();
        without = 0;
      } else if (++without * 2 > options_.checks) {
        break;
      }
    }
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      matrices_[kinds_[i]]->Restore(best[i]);
    }
  }

  States Save() const {
    States states;
    for (const std::size_t kind : kinds_) {
      states.push_back(matrices_[kind]->Save());
    }
    return states;
  }

  // The next window to learn from.
  int NextWindow() {
    if (next_ == 0) order_.Shuffle(learning_);
    const int window = learning_[next_];
    next_ = (next_ + 1) % learning_.size();
    return window;
  }

  void Step(double progress) {
    std::vector<int> batch;
    std::int64_t tokens = 0;
    for (int i = 0; i < options_.batch; ++i) {
      batch.push_back(NextWindow());
      tokens += Tokens(batch.back());
    }
    EachMatrix(
        [&](std::size_t kind) { matrices_[kind]->SoftWeights(dense_[kind]); });
    slopes_.resize(batch.size(), std::vector<Matrix>(kLinearsPerBlock));
    const auto factor =
        static_cast<float>(2.0 / (static_cast<double>(tokens) * unit_));
    ParallelFor(std::ssize(batch), [&](std::int64_t slot, int worker) {
      Slopes(batch[Size(slot)], factor, slopes_[Size(slot)], Lane(worker));
    });
    EachMatrix([&](std::size_t kind) {
      Matrix& sum = slopes_[0][kind];
      for (std::size_t slot = 1; slot < batch.size(); ++slot) {
        for (std::size_t i = 0; i < sum.size(); ++i) {
          sum[i] += slopes_[slot][kind][i];
        }
      }
      matrices_[kind]->Step(sum, progress);
    });
  }

  // One window's share of dL/d(weights).
  void Slopes(int window,
              float factor,
              std::vector<Matrix>& slopes,
              BlockReverse& lane) const {
    const auto wanted = Rows(activations_.wanted, window);
    const auto entering = Rows(activations_.entering, window);
    Matrix hidden(entering.begin(), entering.end());
    lane.Forward(layer_, weights_, hidden);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      hidden[i] = factor * (hidden[i] - wanted[i]);
    }
    lane.Backward(weights_, hidden, [&](const LinearBackprop& linear) {
      const auto kind = static_cast<std::size_t>(linear.kind);
      if (matrices_[kind] == nullptr) return;
      slopes[kind].resize(dense_[kind].size());
      WeightGradient(linear, slopes[kind]);
    });
  }

  // The loss of the windows that judge, with rounded weights.
  double Judge() {
    EachMatrix(
        [&](std::size_t kind) { matrices_[kind]->HardWeights(dense_[kind]); });
    std::vector<double> sums(judges_.size());
    ParallelFor(std::ssize(judges_), [&](std::int64_t index, int worker) {
      const int window = judges_[Size(index)];
      const auto wanted = Rows(activations_.wanted, window);
      const auto entering = Rows(activations_.entering, window);
      Matrix hidden(entering.begin(), entering.end());
      Lane(worker).Forward(layer_, weights_, hidden);
      double sum = 0.0;
      for (std::size_t i = 0; i < hidden.size(); ++i) {
        const double error =
            static_cast<double>(hidden[i]) - static_cast<double>(wanted[i]);
        sum += error * error;
      }
      sums[Size(index)] = sum;
    });
    double sum = 0.0;
    double count = 0.0;
    for (std::size_t i = 0; i < judges_.size(); ++i) {
      sum += sums[i];
      count +=
          static_cast<double>(Rows(activations_.wanted, judges_[i]).size());
    }
    return sum / count;
  }

  void EachMatrix(const std::function<void(std::size_t kind)>& body) const {
    ParallelFor(std::ssize(kinds_),
                [&](std::int64_t index, int) { body(kinds_[Size(index)]); });
  }

  [[nodiscard]] std::int64_t Tokens(int window) const {
    return activations_.starts[Size(window) + 1] -
           activations_.starts[Size(window)];
  }
  [[nodiscard]] std::span<const float> Rows(std::span<const float> all,
                                            int window) const {
    const std::int64_t width = model_.config().hidden_size;
    return all.subspan(Size(activations_.starts[Size(window)] * width),
                       Size(Tokens(window) * width));
  }
  BlockReverse& Lane(int worker) {
    auto& lane = lanes_[Size(worker)];
    if (lane == nullptr) lane = std::make_unique<BlockReverse>(model_);
    return *lane;
  }

  const Model& model_;
  int layer_;
  std::span<LearnedMatrix* const> matrices_;
  std::vector<LinearWeight> weights_;
  const BlockActivations& activations_;
  const ReconstructionOptions& options_;
  std::vector<Matrix> dense_;       // by kind, where it is learned
  std::vector<std::size_t> kinds_;  // that are learned
  std::int64_t rounded_weights_ = 0;
  std::vector<int> judges_;
  std::vector<int> learning_;
  std::size_t next_ = 0;
  RandomStream order_;
  double unit_ = 1.0;
  std::vector<std::vector<Matrix>> slopes_;  // by slot of a batch, then kind
  std::vector<std::unique_ptr<BlockReverse>> lanes_;
};

}  // namespace

Expected<void> Validate(const ReconstructionOptions& options) {
  const auto at_least_one = [](const char* field, int value) -> Expected<void> {
    if (value >= 1) return {};
    return InvalidArgument(std::string(field) + " = " + std::to_string(value) +
                           " violates " + field + " >= 1");
  };
  for (const auto& check : {at_least_one("iterations", options.iterations),
                            at_least_one("batch", options.batch),
                            at_least_one("checks", options.checks)}) {
    if (!check) return check;
  }
  if (!(options.held_out > 0.0 && options.held_out < 1.0)) {
    return InvalidArgument("held_out = " + std::to_string(options.held_out) +
                           " violates 0 < held_out < 1");
  }
  return Validate(options.learning);
}

Expected<std::vector<int>> HeldOutWindows(int windows, double share) {
  if (windows < 2) {
    return InvalidArgument(
        "the calibration text has " + std::to_string(windows) +
        (windows == 1 ? " window" : " windows") +
        "; learned rounding needs one to learn from and one to judge by");
  }
  const int count = std::clamp(
      static_cast<int>(std::lround(share * windows)), 1, windows - 1);
  std::vector<int> judges;
  for (int i = 0; i < count; ++i) {
    judges.push_back(static_cast<int>((2LL * i + 1) * windows / (2LL * count)));
  }
  return judges;
}

Expected<ReconstructionOutcome> ReconstructBlock(
    const Model& model,
    int layer,
    std::span<LearnedMatrix* const> matrices,
    std::span<const LinearWeight> fixed,
    const BlockActivations& activations,
    const ReconstructionOptions& options) {
  BITPACT_CHECK(
      matrices.size() == kLinearsPerBlock && fixed.size() == kLinearsPerBlock,
      "one weight a kind");
  return Learner(model, layer, matrices, fixed, activations, options).Run();
}

}  // namespace bitpact
