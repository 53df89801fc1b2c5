// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_measurement.h"

#include <algorithm>

#include "estimators/problem_builder.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"

namespace bitpact {

PlanMeasurement::PlanMeasurement(const Model& model,
                                 const TokenSet& calibration,
                                 const TokenSet& evaluation,
                                 const Quantizer& quantizer)
    : model_(&model),
      tokens_(&evaluation),
      calibration_(&calibration),
      quantizer_(&quantizer),
      full_(FullPrecisionWeights(model)) {}

ReportRow PlanMeasurement::FullPrecision(const std::vector<Unit>& units) const {
  ReportRow row;
  row.name = "full precision";
  row.loss = EvaluateLoss(*model_, full_, *tokens_, &full_);
  row.model_bytes = model_->stored_bytes();
  row.unit_bytes = model_->stored_bytes() - model_->kept_bytes();
  std::int64_t weights = 0;
  for (const Unit& unit : units) weights += WeightCount(unit);
  row.bits_per_weight =
      8.0 * static_cast<double>(row.unit_bytes) / static_cast<double>(weights);
  return row;
}

Expected<ReportRow> PlanMeasurement::Measure(const std::string& name,
                                             const AllocationPlan& plan) const {
  const Expected<QuantizedModel> quantized =
      QuantizedModel::Make(*model_, plan, *quantizer_, calibration_);
  if (!quantized) return tl::unexpected(quantized.error());
  return Measure(name, *quantized);
}

Expected<ReportRow> PlanMeasurement::Measure(
    const std::string& name, const QuantizedModel& quantized) const {
  const AllocationPlan& plan = quantized.plan();
  if (quantized.packed_bytes() != plan.size_bytes) {
    return Fail(ErrorCode::kInternal,
                "plan '" + name + "': packed arrays take " +
                    std::to_string(quantized.packed_bytes()) +
                    " bytes, the plan says " + std::to_string(plan.size_bytes));
  }
  ReportRow row;
  row.name = name;
  row.unit_bytes = plan.size_bytes;
  row.model_bytes = plan.size_bytes + model_->kept_bytes();
  row.bits_per_weight = plan.bits_per_weight();
  row.loss = EvaluateLoss(*model_, quantized.weights(), *tokens_, &full_);
  return row;
}

Expected<ReportRow> PlanMeasurement::MeasureRandom(
    const SensitivityTable& table,
    const AllocationProblem& problem,
    int count) const {
  std::vector<ReportRow> rows;
  for (int i = 0; i < count; ++i) {
    const Assignment drawn = DrawRandomAssignment(
        problem, table.options.seed, static_cast<std::uint64_t>(i));
    Expected<ReportRow> row =
        Measure("random, median of " + std::to_string(count),
                PlanFromAssignment(table, drawn));
    if (!row) return row;
    rows.push_back(std::move(*row));
  }
  const auto middle =
      rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
  std::nth_element(rows.begin(), middle, rows.end(), [](auto& a, auto& b) {
    return a.loss.perplexity.mean < b.loss.perplexity.mean;
  });
  return *middle;
}

}  // namespace bitpact
