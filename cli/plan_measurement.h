// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAN_MEASUREMENT_H_
#define BITPACT_CLI_PLAN_MEASUREMENT_H_

// Plans quantized and run on the evaluation text, each next to full precision.

#include <string>
#include <vector>

#include "cli/report.h"
#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/model.h"
#include "models/quantized_model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// References must outlive the object.
class PlanMeasurement {
 public:
  PlanMeasurement(const Model& model,
                  const TokenSet& calibration,
                  const TokenSet& evaluation,
                  const Quantizer& quantizer);

  [[nodiscard]] ReportRow FullPrecision(const std::vector<Unit>& units) const;
  // kInternal: packed arrays that do not take the bytes the plan states.
  [[nodiscard]] Expected<ReportRow> Measure(const std::string& name,
                                            const AllocationPlan& plan) const;
  // The same of matrices that are there.
  [[nodiscard]] Expected<ReportRow> Measure(
      const std::string& name, const QuantizedModel& quantized) const;
  // The random plan within the problem's limit whose perplexity is the median
  // of `count` draws, count >= 1.
  [[nodiscard]] Expected<ReportRow> MeasureRandom(
      const SensitivityTable& table,
      const AllocationProblem& problem,
      int count) const;

 private:
  const Model* model_;
  const TokenSet* tokens_;
  const TokenSet* calibration_;
  const Quantizer* quantizer_;
  WeightSet full_;
};

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAN_MEASUREMENT_H_
