// SPDX-License-Identifier: Apache-2.0
#include "models/learned_quantizer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/threads.h"
#include "models/row_scores.h"
#include "models/transformer.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

int LayerOf(const LinearJob& job) { return job.place / kLinearsPerBlock; }
std::size_t KindOf(const LinearJob& job) {
  return static_cast<std::size_t>(job.place % kLinearsPerBlock);
}

std::string Number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

// Empty when all went as asked.
std::string Note(const ReconstructionOutcome& outcome, int asked) {
  const std::string block = "block " + std::to_string(outcome.layer) + ": ";
  if (!outcome.fell()) {
    return block + "the loss of held-out windows, " +
           Number(outcome.start_loss) +
           " by rounding to nearest, did not fall "
           "in " +
           std::to_string(outcome.iterations) +
           " iterations; it stays rounded to nearest";
  }
  if (outcome.iterations == asked) return {};
  return block + "stopped after " + std::to_string(outcome.iterations) +
         " of " + std::to_string(asked) +
         " iterations, since the loss of held-out windows did not fall below "
         "that of iteration " +
         std::to_string(outcome.best_iteration);
}

// The calibration text between blocks, in full precision and quantized.
class Streams {
 public:
  Streams(const Model& model, const TokenSet& tokens) : model_(model) {
    for (const TokenWindow& window : tokens.windows) {
      starts_.push_back(total_);
      // The last token is predicted only.
      total_ += std::ssize(window.tokens) - 1;
    }
    starts_.push_back(total_);
    const std::int64_t width = model.config().hidden_size;
    exact_.resize(Size(total_ * width));
    Transformer transformer(model);
    for (std::size_t w = 0; w < tokens.windows.size(); ++w) {
      transformer.Embed(std::span(tokens.windows[w].tokens)
                            .first(Size(starts_[w + 1] - starts_[w])),
                        Rows(exact_, w));
    }
    quantized_ = exact_;
    lanes_.resize(Size(ThreadCount()));
  }

  void AdvanceExact(int layer, std::span<const LinearWeight> block) {
    Advance(layer, block, exact_);
  }
  void AdvanceQuantized(int layer, std::span<const LinearWeight> block) {
    Advance(layer, block, quantized_);
  }
  // After AdvanceExact, before AdvanceQuantized.
  [[nodiscard]] BlockActivations Around() const {
    return {starts_, quantized_, exact_};
  }

 private:
  [[nodiscard]] std::span<float> Rows(std::vector<float>& all,
                                      std::size_t window) const {
    const std::int64_t width = model_.config().hidden_size;
    return std::span(all).subspan(
        Size(starts_[window] * width),
        Size((starts_[window + 1] - starts_[window]) * width));
  }
  void Advance(int layer,
               std::span<const LinearWeight> block,
               std::vector<float>& all) {
    ParallelFor(std::ssize(starts_) - 1, [&](std::int64_t w, int worker) {
      auto& lane = lanes_[Size(worker)];
      if (lane == nullptr) lane = std::make_unique<Transformer>(model_);
      lane->RunBlock(layer, block, Rows(all, Size(w)));
    });
  }

  const Model& model_;
  std::int64_t total_ = 0;
  std::vector<std::int64_t> starts_;
  std::vector<float> exact_;
  std::vector<float> quantized_;
  std::vector<std::unique_ptr<Transformer>> lanes_;
};

class Run {
 public:
  Run(const Model& model,
      const std::vector<LinearJob>& jobs,
      const RowScores& scores,
      const ReconstructionOptions& options,
      const PackedStore& store)
      : model_(model),
        jobs_(jobs),
        scores_(scores),
        options_(options),
        store_(store) {
    result_.matrices.packed.resize(Size(model.config().num_layers) *
                                   kLinearsPerBlock);
  }

  Expected<LearnedMatrices> All(const TokenSet& tokens) {
    Streams streams(model_, tokens);
    const int last = jobs_.empty() ? -1 : LayerOf(jobs_.back());
    std::size_t first = 0;
    for (int layer = 0; layer <= last; ++layer) {
      std::size_t end = first;
      while (end < jobs_.size() && LayerOf(jobs_[end]) == layer) ++end;
      const auto done =
          Block(layer, std::span(jobs_).subspan(first, end - first), streams);
      if (!done) return tl::unexpected(done.error());
      first = end;
    }
    return std::move(result_);
  }

 private:
  SharedMatrix& Slot(const LinearJob& job) {
    return result_.matrices.packed[Size(job.place)];
  }

  Expected<void> Block(int layer,
                       std::span<const LinearJob> jobs,
                       Streams& streams) {
    std::vector<std::vector<float>> dense(kLinearsPerBlock);
    std::vector<LinearWeight> weights(kLinearsPerBlock);
    for (std::size_t kind = 0; kind < kLinearsPerBlock; ++kind) {
      const auto which = static_cast<LinearKind>(kind);
      auto read = model_.ReadLinear(layer, which);
      if (!read) return tl::unexpected(read.error());
      dense[kind] = std::move(*read);
      const UnitMatrix matrix = model_.linear_matrix(layer, which);
      weights[kind] = LinearWeight(dense[kind], matrix.rows, matrix.cols);
    }
    streams.AdvanceExact(layer, weights);
    bool all_there = true;
    for (const LinearJob& job : jobs) {
      Expected<SharedMatrix> found = store_.find(job);
      if (!found) return tl::unexpected(found.error());
      Slot(job) = std::move(*found);
      all_there = all_there && Slot(job) != nullptr;
    }
    if (!all_there) {
      const auto learned = Learn(layer, jobs, weights, streams);
      if (!learned) return learned;
    }
    for (const LinearJob& job : jobs) {
      weights[KindOf(job)] = LinearWeight(Slot(job).get());
    }
    streams.AdvanceQuantized(layer, weights);
    return {};
  }

  Expected<void> Learn(int layer,
                       std::span<const LinearJob> jobs,
                       std::span<const LinearWeight> weights,
                       const Streams& streams) {
    std::vector<std::optional<LearnedMatrix>> learned(kLinearsPerBlock);
    std::vector<LearnedMatrix*> matrices(kLinearsPerBlock, nullptr);
    for (const LinearJob& job : jobs) {
      auto made = LearnedMatrix::Create(
          {weights[KindOf(job)].dense(), job.matrix.rows, job.matrix.cols},
          job.format,
          scores_.Of(job.place, job.format),
          options_.learning);
      if (!made) {
        Error error = made.error();
        error.message =
            "tensor " + QuotedName(job.matrix.tensor) + ": " + error.message;
        return tl::unexpected(std::move(error));
      }
      learned[KindOf(job)] = std::move(*made);
      matrices[KindOf(job)] = &*learned[KindOf(job)];
    }
    const auto outcome = ReconstructBlock(
        model_, layer, matrices, weights, streams.Around(), options_);
    if (!outcome) return tl::unexpected(outcome.error());
    result_.outcomes.push_back(*outcome);
    if (std::string note = Note(*outcome, options_.iterations); !note.empty()) {
      result_.matrices.notes.push_back(std::move(note));
    }
    for (const LinearJob& job : jobs) {
      Expected<SharedMatrix> kept =
          store_.put(job, matrices[KindOf(job)]->Pack());
      if (!kept) return tl::unexpected(kept.error());
      Slot(job) = std::move(*kept);
    }
    return {};
  }

  const Model& model_;
  const std::vector<LinearJob>& jobs_;
  const RowScores& scores_;
  const ReconstructionOptions& options_;
  const PackedStore& store_;
  LearnedMatrices result_;
};

}  // namespace

Expected<LearnedMatrices> LearnMatrices(const Model& model,
                                        const std::vector<LinearJob>& jobs,
                                        RowRanking ranking,
                                        const TokenSet& calibration,
                                        const ReconstructionOptions& options,
                                        const PackedStore& store) {
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  const auto judges = HeldOutWindows(
      static_cast<int>(calibration.windows.size()), options.held_out);
  if (!judges) return tl::unexpected(judges.error());
  std::vector<PlacedFormat> placed;
  for (const LinearJob& job : jobs) placed.push_back({job.place, job.format});
  const auto scores = RowScores::Measure(model, placed, ranking, &calibration);
  if (!scores) return tl::unexpected(scores.error());
  return Run(model, jobs, *scores, options, store).All(calibration);
}

std::string OptionsText(const ReconstructionOptions& options,
                        RowRanking ranking) {
  const LearnedRoundingOptions& rounding = options.learning.rounding;
  std::string text = "rows=" + RowRankingName(ranking);
  const auto add = [&](const char* name, double value) {
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), "%.17g", value);
    text += std::string(",") + name + "=" + number.data();
  };
  add("iterations", options.iterations);
  add("batch", options.batch);
  add("held-out", options.held_out);
  add("checks", options.checks);
  text += ",seed=" + std::to_string(options.seed);
  add("rounding-rate", rounding.learning_rate);
  add("rounding-l2", rounding.l2);
  add("penalty", rounding.penalty);
  add("warm-up", rounding.warm_up);
  add("first-exponent", rounding.first_exponent);
  add("last-exponent", rounding.last_exponent);
  add("clipping-rate", options.learning.clipping.learning_rate);
  if (options.learning.rounded == RoundedRows::kAll) {
    add("clipping-share", options.learning.clipping_share);
  }
  return text;
}

}  // namespace bitpact
