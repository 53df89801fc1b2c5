// SPDX-License-Identifier: Apache-2.0
#include "models/quantize_folder.h"

#include <map>
#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "models/gptq_checkpoint.h"
#include "models/learned_quantizer.h"
#include "models/part_files.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

std::string JobsText(const std::vector<LinearJob>& jobs) {
  std::string text;
  for (const LinearJob& job : jobs) {
    text += job.matrix.tensor + " " + FormatName(job.format) + "\n";
  }
  return text;
}

std::map<std::string, std::string> KeyOf(const QuantizeRequest& request,
                                         const std::vector<LinearJob>& jobs) {
  return {
      {"model", request.model->fingerprint()},
      {"plan", HashText(JobsText(jobs))},
      {"quantizer",
       request.learned != nullptr ? kHybridName : request.quantizer->name()},
      {"options", request.quantizer_options},
      {"tokens",
       request.calibration == nullptr ? "none"
                                      : request.calibration->fingerprint}};
}

Expected<QuantizedMatrices> MakeMatrices(const PartFiles& parts,
                                         const std::vector<LinearJob>& jobs,
                                         const QuantizeRequest& request) {
  if (request.learned == nullptr) {
    return QuantizeMatrices(*request.model,
                            jobs,
                            *request.quantizer,
                            request.calibration,
                            parts.Store());
  }
  auto learned = LearnMatrices(*request.model,
                               jobs,
                               request.learned->ranking,
                               *request.calibration,
                               request.learned->options,
                               parts.Store());
  if (!learned) return tl::unexpected(learned.error());
  return std::move(learned->matrices);
}

Expected<QuantizeOutcome> QuantizeInto(const PartFiles& parts,
                                       const std::vector<LinearJob>& jobs,
                                       const QuantizeRequest& request) {
  auto matrices = MakeMatrices(parts, jobs, request);
  if (!matrices) return tl::unexpected(matrices.error());
  const QuantizedModel quantized = QuantizedModel::FromMatrices(
      *request.model, request.plan, std::move(matrices->packed));
  QuantizeOutcome outcome{quantized.packed_bytes(), std::move(matrices->notes)};
  if (request.format == FolderFormat::kGptq) {
    const auto notes =
        SaveGptqFolder(quantized, *request.model, request.output);
    if (!notes) return tl::unexpected(notes.error());
    outcome.notes.insert(outcome.notes.end(), notes->begin(), notes->end());
    return outcome;
  }
  const auto saved = quantized.Save(*request.model, request.output);
  if (!saved) return tl::unexpected(saved.error());
  return outcome;
}

}  // namespace

Expected<QuantizeOutcome> QuantizeFolder(const QuantizeRequest& request) {
  const Model& model = *request.model;
  const auto jobs = JobsOfPlan(model, request.plan);
  if (!jobs) return tl::unexpected(jobs.error());
  if (const auto all = CheckAllPlanned(model, *jobs); !all) {
    return tl::unexpected(all.error());
  }
  std::error_code ignored;
  if (fs::equivalent(request.output, model.folder(), ignored)) {
    return InvalidArgument(request.output.string() +
                           ": is the folder the model was read from");
  }
  const bool existed = fs::exists(request.output, ignored);
  const auto parts =
      PartFiles::Open(request.output / "unfinished", KeyOf(request, *jobs));
  if (!parts) return tl::unexpected(parts.error());
  auto outcome = QuantizeInto(*parts, *jobs, request);
  if (outcome || outcome.error().code != ErrorCode::kUnavailable) {
    parts->Remove();
    // Only goes when it is empty.
    if (!outcome && !existed) fs::remove(request.output, ignored);
  }
  return outcome;
}

}  // namespace bitpact
