// SPDX-License-Identifier: Apache-2.0
#include "models/sequential_quantizer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/progress.h"
#include "core/threads.h"
#include "models/calibration.h"
#include "models/row_scores.h"

namespace bitpact {
namespace {

int LayerOf(const LinearJob& job) { return job.place / kLinearsPerBlock; }

LinearKind KindOf(const LinearJob& job) {
  return static_cast<LinearKind>(job.place % kLinearsPerBlock);
}

Error AtTensor(const LinearJob& job, Error error) {
  error.message =
      "tensor " + QuotedName(job.matrix.tensor) + ": " + error.message;
  return error;
}

// The state of one run.
class Run {
 public:
  Run(const Model& model,
      const std::vector<LinearJob>& jobs,
      const Quantizer& quantizer,
      const PackedStore& store,
      const RowScores& row_scores)
      : model_(model),
        jobs_(jobs),
        quantizer_(quantizer),
        store_(store),
        row_scores_(row_scores),
        progress_("quantize", std::ssize(jobs)),
        notes_(jobs.size()),
        errors_(jobs.size()) {
    result_.packed.resize(static_cast<std::size_t>(model.config().num_layers) *
                          kLinearsPerBlock);
  }

  Expected<void> InAnyOrder() {
    ParallelFor(std::ssize(jobs_), [&](std::int64_t index, int) {
      const auto at = static_cast<std::size_t>(index);
      Do(at, [&] { return Find(at); });
      if (Done(at) || errors_[at]) return;
      Do(at, [&]() -> Expected<void> {
        const auto weights =
            model_.ReadLinear(LayerOf(jobs_[at]), KindOf(jobs_[at]));
        if (!weights) return tl::unexpected(weights.error());
        return Quantize(at, *weights, {}, nullptr);
      });
    });
    return FirstError();
  }

  Expected<void> InSequence(const TokenSet& tokens) {
    Calibration calibration(model_, tokens);
    const int last = jobs_.empty() ? -1 : LayerOf(jobs_.back());
    std::size_t first = 0;
    for (int layer = 0; layer <= last; ++layer) {
      std::size_t end = first;
      while (end < jobs_.size() && LayerOf(jobs_[end]) == layer) ++end;
      const auto done = Block(layer, first, end, layer < last, calibration);
      if (!done) return done;
      first = end;
    }
    return {};
  }

  QuantizedMatrices Finish() && {
    for (std::size_t at = 0; at < jobs_.size(); ++at) {
      for (const std::string& note : notes_[at]) {
        result_.notes.push_back(
            "tensor " + QuotedName(jobs_[at].matrix.tensor) + ": " + note);
      }
    }
    return std::move(result_);
  }

 private:
  // A block's matrices, dense where they are not packed.
  struct BlockWeights {
    std::vector<std::vector<float>> dense;
    std::vector<LinearWeight> weights;
  };

  SharedMatrix& Slot(std::size_t at) {
    return result_.packed[static_cast<std::size_t>(jobs_[at].place)];
  }
  bool Done(std::size_t at) { return Slot(at) != nullptr; }

  template <typename Body>
  void Do(std::size_t at, const Body& body) {
    if (auto done = body(); !done) errors_[at] = std::move(done.error());
  }

  Expected<void> FirstError() const {
    for (const std::optional<Error>& error : errors_) {
      if (error) return tl::unexpected(*error);
    }
    return {};
  }

  Expected<void> Find(std::size_t at) {
    Expected<SharedMatrix> found = store_.find(jobs_[at]);
    if (!found) return tl::unexpected(found.error());
    if (*found == nullptr) return {};
    Slot(at) = std::move(*found);
    progress_.Advance();
    return {};
  }

  Expected<void> Quantize(std::size_t at,
                          std::span<const float> weights,
                          std::span<const float> hessian,
                          DerivedInputs* derived) {
    const LinearJob& job = jobs_[at];
    Expected<PackedMatrix> packed = quantizer_.Quantize(
        {weights, job.matrix.rows, job.matrix.cols},
        {.hessian = hessian,
         .row_scores = row_scores_.Of(job.place, job.format),
         .tensor = job.matrix.tensor,
         .notes = &notes_[at],
         .derived = derived},
        job.format);
    if (!packed) return tl::unexpected(AtTensor(job, packed.error()));
    Expected<SharedMatrix> kept = store_.put(job, std::move(*packed));
    if (!kept) return tl::unexpected(kept.error());
    Slot(at) = std::move(*kept);
    progress_.Advance();
    return {};
  }

  // Reads what of the block is not packed. `needed`: whether it will be run.
  Expected<BlockWeights> Load(int layer,
                              std::size_t first,
                              std::size_t end,
                              bool needed) {
    BlockWeights block{std::vector<std::vector<float>>(kLinearsPerBlock),
                       std::vector<LinearWeight>(kLinearsPerBlock)};
    std::set<LinearKind> packed;
    for (std::size_t at = first; at < end; ++at) {
      const auto found = Find(at);
      if (!found) return tl::unexpected(found.error());
      if (!Done(at)) continue;
      packed.insert(KindOf(jobs_[at]));
      Use(at, block);
    }
    if (packed.size() == end - first && !needed) return block;
    for (std::size_t kind = 0; kind < kLinearsPerBlock; ++kind) {
      const auto which = static_cast<LinearKind>(kind);
      if (packed.contains(which)) continue;
      auto dense = model_.ReadLinear(layer, which);
      if (!dense) return tl::unexpected(dense.error());
      block.dense[kind] = std::move(*dense);
      const UnitMatrix matrix = model_.linear_matrix(layer, which);
      block.weights[kind] =
          LinearWeight(block.dense[kind], matrix.rows, matrix.cols);
    }
    return block;
  }

  // From now on the block runs with the packed matrix.
  void Use(std::size_t at, BlockWeights& block) {
    const auto kind = static_cast<std::size_t>(KindOf(jobs_[at]));
    block.weights[kind] = LinearWeight(Slot(at).get());
    block.dense[kind] = {};
  }

  Expected<void> Block(int layer,
                       std::size_t first,
                       std::size_t end,
                       bool more,
                       Calibration& calibration) {
    auto block = Load(layer, first, end, more);
    if (!block) return tl::unexpected(block.error());
    for (const LinearStage& stage : LinearStages()) {
      std::vector<std::size_t> todo;
      for (std::size_t at = first; at < end; ++at) {
        if (!Done(at) &&
            std::ranges::count(stage.kinds, KindOf(jobs_[at])) > 0) {
          todo.push_back(at);
        }
      }
      if (todo.empty()) continue;
      const auto hessian = calibration.StageHessian(block->weights, stage);
      if (!hessian) return tl::unexpected(hessian.error());
      DerivedInputs derived;
      ParallelFor(std::ssize(todo), [&](std::int64_t index, int) {
        const std::size_t at = todo[static_cast<std::size_t>(index)];
        const auto kind = static_cast<std::size_t>(KindOf(jobs_[at]));
        Do(at, [&] {
          return Quantize(at, block->dense[kind], *hessian, &derived);
        });
      });
      if (auto failed = FirstError(); !failed) return failed;
      for (const std::size_t at : todo) Use(at, *block);
    }
    if (more) calibration.Advance(block->weights);
    return {};
  }

  const Model& model_;
  const std::vector<LinearJob>& jobs_;
  const Quantizer& quantizer_;
  const PackedStore& store_;
  const RowScores& row_scores_;
  Progress progress_;
  std::vector<std::vector<std::string>> notes_;
  std::vector<std::optional<Error>> errors_;
  QuantizedMatrices result_;
};

}  // namespace

Expected<std::vector<LinearJob>> JobsOfPlan(const Model& model,
                                            const AllocationPlan& plan) {
  std::vector<LinearJob> jobs;
  std::set<int> places;
  for (const PlannedUnit& planned : plan.units) {
    const auto indices = WeightIndices(model, planned.unit);
    if (!indices) return tl::unexpected(indices.error());
    const std::string unit = "unit " + QuotedName(planned.unit.name) + ": ";
    for (std::size_t i = 0; i < indices->size(); ++i) {
      const UnitMatrix& matrix = planned.unit.matrices[i];
      const int place = (*indices)[i];
      const std::string tensor = "tensor " + QuotedName(matrix.tensor);
      if (!places.insert(place).second) {
        return InvalidArgument(unit + tensor +
                               " belongs to another unit already");
      }
      if (model.checkpoint().Find(matrix.tensor) == nullptr) {
        return InvalidArgument(unit + tensor + " is packed already");
      }
      jobs.push_back({matrix, FormatFor(planned.format, matrix.cols), place});
    }
    const std::int64_t size = StoredBytes(planned.format, planned.unit);
    if (planned.size_bytes != size) {
      return InvalidArgument(
          unit + "size_bytes = " + std::to_string(planned.size_bytes) +
          ": the format takes " + std::to_string(size));
    }
  }
  std::ranges::sort(jobs, {}, &LinearJob::place);
  return jobs;
}

Expected<void> CheckAllPlanned(const Model& model,
                               const std::vector<LinearJob>& jobs) {
  const auto all =
      static_cast<std::size_t>(model.config().num_layers) * kLinearsPerBlock;
  if (jobs.size() == all) return {};
  int missing = 0;
  while (static_cast<std::size_t>(missing) < jobs.size() &&
         jobs[static_cast<std::size_t>(missing)].place == missing) {
    ++missing;
  }
  const UnitMatrix matrix =
      model.linear_matrix(missing / kLinearsPerBlock,
                          static_cast<LinearKind>(missing % kLinearsPerBlock));
  return InvalidArgument(
      "the plan leaves out " + std::to_string(all - jobs.size()) +
      " of the model's " + std::to_string(all) +
      " linear matrices; the first is tensor " + QuotedName(matrix.tensor));
}

PackedStore MemoryStore() {
  return {[](const LinearJob&) -> Expected<SharedMatrix> { return nullptr; },
          [](const LinearJob&, PackedMatrix packed) -> Expected<SharedMatrix> {
            return std::make_shared<const PackedMatrix>(std::move(packed));
          }};
}

Expected<QuantizedMatrices> QuantizeMatrices(const Model& model,
                                             const std::vector<LinearJob>& jobs,
                                             const Quantizer& quantizer,
                                             const TokenSet* calibration,
                                             const PackedStore& store) {
  if (quantizer.needs_hessian() && calibration == nullptr) {
    return InvalidArgument("quantizer '" + quantizer.name() +
                           "' needs calibration tokens");
  }
  std::vector<PlacedFormat> placed;
  for (const LinearJob& job : jobs) placed.push_back({job.place, job.format});
  const auto scores = RowScores::Measure(model, placed, quantizer, calibration);
  if (!scores) return tl::unexpected(scores.error());
  Run run(model, jobs, quantizer, store, *scores);
  const auto done = quantizer.needs_hessian() ? run.InSequence(*calibration)
                                              : run.InAnyOrder();
  if (!done) return tl::unexpected(done.error());
  return std::move(run).Finish();
}

}  // namespace bitpact
