// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "core/hash.h"
#include "models/packed_tensors.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

Expected<void> CheckPlanHash(const fs::path& plan,
                             const Checkpoint& checkpoint) {
  const Expected<std::string> hash = HashFile(plan);
  if (!hash) return tl::unexpected(hash.error());
  const auto stated = checkpoint.metadata().find(kPlanKey);
  if (stated == checkpoint.metadata().end() || stated->second != *hash) {
    return Fail(ErrorCode::kDataLoss,
                plan.string() + ": is not the plan that " + checkpoint.file() +
                    " was written with");
  }
  return {};
}

// Arrays beside those that the plan asks for, such as zero-points of a
// symmetric format.
Expected<void> CheckNoOthers(const Checkpoint& checkpoint,
                             const std::set<std::string>& packed,
                             const std::set<std::string>& used) {
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    if (packed.contains(PackedMatrixName(tensor.name)) &&
        !used.contains(tensor.name)) {
      return Fail(ErrorCode::kDataLoss,
                  checkpoint.file() + ": tensor " + QuotedName(tensor.name) +
                      ": plan.json has no use for it");
    }
  }
  return {};
}

}  // namespace

bool QuantizedCheckpoint::IsOne(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "plan.json", ignored)) return false;
  const Expected<Checkpoint> checkpoint = Checkpoint::Open(folder);
  if (!checkpoint) return false;
  for (const StoredTensor& tensor : checkpoint->tensors()) {
    if (tensor.name.ends_with(".codes")) return true;
  }
  return false;
}

Expected<QuantizedCheckpoint> QuantizedCheckpoint::Load(
    const fs::path& folder) {
  QuantizedCheckpoint result;
  QuantizedModel& quantized = result.quantized;
  Expected<AllocationPlan> plan = ReadPlan(folder / "plan.json");
  if (!plan) return tl::unexpected(plan.error());
  quantized.plan_ = std::move(*plan);
  const auto config = ReadModelConfig(folder / "config.json");
  if (!config) return tl::unexpected(config.error());
  std::vector<std::vector<int>> places;
  std::set<std::string> packed_names;
  for (const PlannedUnit& planned : quantized.plan_.units) {
    auto indices = WeightIndices(*config, planned.unit);
    if (!indices) {
      Error error = indices.error();
      error.message = (folder / "plan.json").string() + ": " + error.message;
      return tl::unexpected(std::move(error));
    }
    places.push_back(std::move(*indices));
    for (const UnitMatrix& matrix : planned.unit.matrices) {
      packed_names.insert(matrix.tensor);
    }
  }
  Expected<Model> model = Model::LoadWithout(folder, packed_names);
  if (!model) return tl::unexpected(model.error());
  result.model = std::move(*model);
  const Checkpoint& checkpoint = result.model.checkpoint();
  const auto same_plan = CheckPlanHash(folder / "plan.json", checkpoint);
  if (!same_plan) return tl::unexpected(same_plan.error());

  quantized.weights_ = FullPrecisionWeights(result.model);
  quantized.packed_.resize(quantized.weights_.size());
  // Copies of a checkpoint share its mapped files.
  const auto owner = std::make_shared<const Checkpoint>(checkpoint);
  std::set<std::string> used;
  for (std::size_t u = 0; u < places.size(); ++u) {
    const PlannedUnit& planned = quantized.plan_.units[u];
    for (std::size_t m = 0; m < places[u].size(); ++m) {
      const UnitMatrix& matrix = planned.unit.matrices[m];
      const BitFormat format = FormatFor(planned.format, matrix.cols);
      for (const StoredTensor& tensor : PackedTensors(format, matrix)) {
        used.insert(tensor.name);
      }
      Expected<PackedMatrix> packed =
          MapPacked([&](const std::string& name) { return owner->Find(name); },
                    checkpoint.file(),
                    matrix,
                    format,
                    owner);
      if (!packed) return tl::unexpected(packed.error());
      const auto place = static_cast<std::size_t>(places[u][m]);
      quantized.packed_bytes_ += packed->size_bytes();
      quantized.packed_[place] =
          std::make_shared<const PackedMatrix>(std::move(*packed));
      quantized.weights_[place] = LinearWeight(quantized.packed_[place].get());
    }
  }
  const auto covered = CheckNoOthers(checkpoint, packed_names, used);
  if (!covered) return tl::unexpected(covered.error());
  return result;
}

}  // namespace bitpact
