// SPDX-License-Identifier: Apache-2.0
#include "models/quantized_model.h"

#include <set>
#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/hash.h"
#include "models/copied_files.h"
#include "models/packed_tensors.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

}  // namespace

Expected<QuantizedModel> QuantizedModel::Make(const Model& model,
                                              const AllocationPlan& plan,
                                              const Quantizer& quantizer,
                                              const TokenSet* calibration) {
  const auto jobs = JobsOfPlan(model, plan);
  if (!jobs) return tl::unexpected(jobs.error());
  auto matrices =
      QuantizeMatrices(model, *jobs, quantizer, calibration, MemoryStore());
  if (!matrices) return tl::unexpected(matrices.error());
  return FromMatrices(model, plan, std::move(matrices->packed));
}

QuantizedModel QuantizedModel::FromMatrices(const Model& model,
                                            const AllocationPlan& plan,
                                            std::vector<SharedMatrix> packed) {
  QuantizedModel result;
  result.plan_ = plan;
  result.weights_ = FullPrecisionWeights(model);
  result.packed_ = std::move(packed);
  BITPACT_CHECK(result.packed_.size() == result.weights_.size(),
                "one place a linear matrix");
  for (std::size_t place = 0; place < result.packed_.size(); ++place) {
    if (result.packed_[place] == nullptr) continue;
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
  done = CopyTokenizerFiles(model.folder(), folder);
  if (!done) return done;
  done =
      WritePlan(folder / "plan.json", plan_, {{"model", model.fingerprint()}});
  if (!done) return done;
  const Expected<std::string> plan_hash = HashFile(folder / "plan.json");
  if (!plan_hash) return tl::unexpected(plan_hash.error());

  std::set<std::string> packed_names;
  std::vector<StoredTensor> tensors;
  for (std::size_t place = 0; place < packed_.size(); ++place) {
    if (packed_[place] == nullptr) continue;
    const auto index = static_cast<int>(place);
    const UnitMatrix matrix =
        model.linear_matrix(index / kLinearsPerBlock,
                            static_cast<LinearKind>(index % kLinearsPerBlock));
    packed_names.insert(matrix.tensor);
    for (StoredTensor& tensor : PackedTensors(*packed_[place], matrix)) {
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
