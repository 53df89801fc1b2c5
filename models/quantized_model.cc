// SPDX-License-Identifier: Apache-2.0
#include "models/quantized_model.h"

#include <array>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "core/mapped_file.h"
#include "core/threads.h"
#include "models/packed_tensors.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 6> kCopiedFiles = {"tokenizer.model",
                                                     "tokenizer.json",
                                                     "tokenizer_config.json",
                                                     "special_tokens_map.json",
                                                     "added_tokens.json",
                                                     "generation_config.json"};

// One matrix to quantize and where it goes.
struct Job {
  UnitMatrix matrix;
  BitFormat format;
  int place = 0;  // in the WeightSet
};

Expected<std::vector<Job>> PlanJobs(const Model& model,
                                    const AllocationPlan& plan) {
  std::vector<Job> jobs;
  std::set<int> places;
  for (const PlannedUnit& planned : plan.units) {
    const auto indices = WeightIndices(model, planned.unit);
    if (!indices) return tl::unexpected(indices.error());
    const std::string unit = "unit " + QuotedName(planned.unit.name) + ": ";
    for (std::size_t i = 0; i < indices->size(); ++i) {
      const UnitMatrix& matrix = planned.unit.matrices[i];
      const int place = (*indices)[i];
      if (!places.insert(place).second) {
        return InvalidArgument(unit + "tensor " + QuotedName(matrix.tensor) +
                               " belongs to another unit already");
      }
      if (model
              .linear(place / kLinearsPerBlock,
                      static_cast<LinearKind>(place % kLinearsPerBlock))
              .empty()) {
        return InvalidArgument(unit + "tensor " + QuotedName(matrix.tensor) +
                               " is packed already");
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
  return jobs;
}

Expected<void> CopyFile(const fs::path& from, const fs::path& to) {
  const Expected<MappedFile> file = MappedFile::Open(from);
  if (!file) return tl::unexpected(file.error());
  return WriteFileAtomically(
      to, [&](const ByteSink& sink) { return sink(file->bytes()); });
}

}  // namespace

Expected<QuantizedModel> QuantizedModel::Make(const Model& model,
                                              const AllocationPlan& plan,
                                              const Quantizer& quantizer) {
  if (quantizer.needs_hessian()) {
    return Fail(ErrorCode::kUnsupported,
                "quantizer '" + quantizer.name() +
                    "' needs layer inputs, which are not collected");
  }
  const Expected<std::vector<Job>> jobs = PlanJobs(model, plan);
  if (!jobs) return tl::unexpected(jobs.error());
  QuantizedModel result;
  result.plan_ = plan;
  result.weights_ = FullPrecisionWeights(model);
  result.packed_.resize(result.weights_.size());
  std::vector<std::optional<Error>> errors(jobs->size());
  ParallelFor(std::ssize(*jobs), [&](std::int64_t index, int) {
    const auto at = static_cast<std::size_t>(index);
    const Job& job = (*jobs)[at];
    const auto place = static_cast<std::size_t>(job.place);
    Expected<PackedMatrix> packed = quantizer.Quantize(
        {result.weights_[place].dense(), job.matrix.rows, job.matrix.cols},
        {},
        job.format);
    if (packed) {
      result.packed_[place] =
          std::make_shared<const PackedMatrix>(std::move(*packed));
    } else {
      errors[at] = packed.error();
      errors[at]->message = "tensor " + QuotedName(job.matrix.tensor) + ": " +
                            errors[at]->message;
    }
  });
  for (const std::optional<Error>& error : errors) {
    if (error) return tl::unexpected(*error);
  }
  for (const Job& job : *jobs) {
    const auto place = static_cast<std::size_t>(job.place);
    result.weights_[place] = LinearWeight(result.packed_[place].get());
    result.packed_bytes_ += result.packed_[place]->size_bytes();
  }
  return result;
}

Expected<void> QuantizedModel::Save(const Model& model,
                                    const fs::path& folder) const {
  std::error_code ignored;
  if (fs::equivalent(folder, model.folder(), ignored)) {
    return InvalidArgument(folder.string() +
                           ": is the folder the model was read from");
  }
  Expected<void> done = MakeWritableFolder(folder);
  if (!done) return done;
  done = CopyFile(model.folder() / "config.json", folder / "config.json");
  if (!done) return done;
  for (const char* name : kCopiedFiles) {
    if (!fs::exists(model.folder() / name, ignored)) continue;
    done = CopyFile(model.folder() / name, folder / name);
    if (!done) return done;
  }
  done =
      WritePlan(folder / "plan.json", plan_, {{"model", model.fingerprint()}});
  if (!done) return done;
  const Expected<std::string> plan_hash = HashFile(folder / "plan.json");
  if (!plan_hash) return tl::unexpected(plan_hash.error());

  std::set<std::string> packed_names;
  std::vector<StoredTensor> tensors;
  for (std::size_t place = 0; place < packed_.size(); ++place) {
    if (packed_[place] == nullptr) continue;
    const PackedMatrix& packed = *packed_[place];
    const auto index = static_cast<int>(place);
    const UnitMatrix matrix =
        model.linear_matrix(index / kLinearsPerBlock,
                            static_cast<LinearKind>(index % kLinearsPerBlock));
    packed_names.insert(matrix.tensor);
    const std::array<std::span<const std::byte>, 3> arrays = {
        packed.codes(), packed.scales(), packed.zero_points()};
    std::size_t array = 0;
    for (StoredTensor& tensor : PackedTensors(packed.format(), matrix)) {
      tensor.bytes = arrays.at(array++);
      tensors.push_back(std::move(tensor));
    }
  }
  for (const StoredTensor& tensor : model.checkpoint().tensors()) {
    if (packed_names.contains(tensor.name) ||
        packed_names.contains(PackedMatrixName(tensor.name))) {
      continue;
    }
    tensors.push_back(tensor);
  }
  return WriteSafetensors(folder / "model.safetensors",
                          tensors,
                          {{"format", "bitpact"}, {kPlanKey, *plan_hash}});
}

}  // namespace bitpact
