// SPDX-License-Identifier: Apache-2.0
#include "estimators/quadratic.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "core/random.h"
#include "estimators/quadratic_fit.h"

namespace bitpact {
namespace {

constexpr int kMostByDefault = 1500;
constexpr double kBandwidth = 0.15;
constexpr double kFarWeight = 0.02;
constexpr double kSpread = 0.05;
// All-0 and all-last: as much as a row of half the steps.
constexpr double kEndWeight = 1.0;
// Draws in vain before the design is taken to be exhausted.
constexpr int kMostRepeats = 1000;

struct SizeSpan {
  std::int64_t least = 0;
  std::int64_t greatest = 0;
};

SizeSpan SpanOf(const TargetBudget& target) {
  SizeSpan span;
  for (const std::vector<std::int64_t>& bytes : target.option_bytes) {
    span.least += bytes.back();
    span.greatest += bytes.front();
  }
  return span;
}

int StepsOf(const FormatAssignment& row) {
  int steps = 0;
  for (const int option : row) steps += option;
  return steps;
}

// Collects distinct rows.
class Drawer {
 public:
  Drawer(int num_units, int num_options, std::uint64_t seed)
      : units_(static_cast<std::size_t>(num_units)),
        lowest_(num_options - 1),
        leverage_(seed, "quadratic/leverage"),
        at_budget_(seed, "quadratic/at_budget") {}

  [[nodiscard]] int most() const { return static_cast<int>(units_) * lowest_; }
  bool Add(FormatAssignment row) {
    if (!seen_.insert(row).second) return false;
    rows_.push_back(std::move(row));
    return true;
  }
  void AddLeveragePair() {
    const auto size = static_cast<std::size_t>(
        1 + leverage_.UniformInt(std::max(1, most() - 1)));
    std::vector<int> steps;
    for (std::size_t u = 0; u < units_; ++u) {
      steps.insert(
          steps.end(), static_cast<std::size_t>(lowest_), static_cast<int>(u));
    }
    leverage_.Shuffle(steps);
    FormatAssignment row(units_, 0);
    for (std::size_t i = 0; i < size && i < steps.size(); ++i) {
      ++row[static_cast<std::size_t>(steps[i])];
    }
    FormatAssignment complement;
    for (const int option : row) complement.push_back(lowest_ - option);
    Add(std::move(row));
    Add(std::move(complement));
  }
  void AddAtBudget(const TargetBudget& target, const SizeSpan& span) {
    const double shift = kSpread * (2.0 * at_budget_.Uniform() - 1.0) *
                         static_cast<double>(span.greatest - span.least);
    const std::int64_t limit = std::max(
        span.least, target.byte_limit + static_cast<std::int64_t>(shift));
    Add(DrawAtBudget(target.option_bytes, limit, at_budget_));
  }
  [[nodiscard]] std::vector<FormatAssignment>& rows() { return rows_; }

 private:
  std::size_t units_;
  int lowest_;
  // Apart, so that the leverage rows are the same for every budget.
  RandomStream leverage_;
  RandomStream at_budget_;
  std::set<FormatAssignment> seen_;
  std::vector<FormatAssignment> rows_;
};

class QuadraticEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "quadratic"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& options) const override {
    const Expected<void> valid = Validate(options);
    if (!valid) return tl::unexpected(valid.error());
    ValueFunction& game = *input.game;
    if (game.num_options() < 2) {
      return InvalidArgument("formats = " + std::to_string(game.num_options()) +
                             " violates: at least two candidate formats");
    }
    const int indicators = game.num_units() * (game.num_options() - 1);
    const std::int64_t unknowns =
        1 + indicators +
        std::int64_t{indicators} * (indicators - game.num_options() + 1) / 2;
    const int count = options.coalitions > 0
                          ? options.coalitions
                          : static_cast<int>(std::min<std::int64_t>(
                                kMostByDefault, 2 * unknowns));
    const CoalitionDesign design =
        DrawDesign(game.num_units(),
                   game.num_options(),
                   count,
                   options.target ? &*options.target : nullptr,
                   options.seed);
    const auto values = game.Evaluate(design.rows);
    if (!values) return tl::unexpected(values.error());
    std::vector<double> losses;
    for (const Evaluation& value : *values) losses.push_back(value.loss);
    Expected<QuadraticFit> fit = FitQuadratic(
        design.rows, losses, design.weights, game.num_options(), losses[0]);
    if (!fit) return tl::unexpected(fit.error());
    Estimate estimate;
    estimate.surrogate = std::move(fit->surrogate);
    estimate.base_loss = losses[0];
    estimate.lowest_loss = losses[1];
    estimate.detail =
        std::to_string(design.rows.size()) + " coalitions, lambda " +
        (std::isfinite(fit->lambda) ? std::to_string(fit->lambda)
                                    : std::string("infinite")) +
        ", leave-one-out error " + std::to_string(fit->error) +
        " nats (additive " + std::to_string(fit->additive_error) + ")";
    return estimate;
  }
};

}  // namespace

double TargetWeight(const FormatAssignment& row, const TargetBudget* target) {
  if (target == nullptr) return 1.0;
  const SizeSpan span = SpanOf(*target);
  std::int64_t bytes = 0;
  for (std::size_t u = 0; u < row.size(); ++u) {
    bytes += target->option_bytes[u][static_cast<std::size_t>(row[u])];
  }
  const double distance = static_cast<double>(bytes - target->byte_limit) /
                          static_cast<double>(std::max<std::int64_t>(
                              1, span.greatest - span.least));
  return kFarWeight +
         std::exp(-0.5 * distance * distance / (kBandwidth * kBandwidth));
}

CoalitionDesign DrawDesign(int num_units,
                           int num_options,
                           int count,
                           const TargetBudget* target,
                           std::uint64_t seed) {
  Drawer drawer(num_units, num_options, seed);
  const auto units = static_cast<std::size_t>(num_units);
  drawer.Add(FormatAssignment(units, 0));
  drawer.Add(FormatAssignment(units, num_options - 1));
  const auto wanted = static_cast<std::size_t>(count) + 2;
  int repeats = 0;
  for (std::size_t before = 2; before < wanted && repeats < kMostRepeats;) {
    // Alternating, so that a longer design begins as the shorter one.
    drawer.AddLeveragePair();
    if (target != nullptr) {
      const SizeSpan span = SpanOf(*target);
      drawer.AddAtBudget(*target, span);
      drawer.AddAtBudget(*target, span);
    }
    repeats = drawer.rows().size() == before ? repeats + 1 : 0;
    before = drawer.rows().size();
  }
  CoalitionDesign design;
  design.rows = std::move(drawer.rows());
  design.rows.resize(std::min(design.rows.size(), wanted));
  const int most = drawer.most();
  for (const FormatAssignment& row : design.rows) {
    const int steps = StepsOf(row);
    // Scaled to be 1 at half of all steps.
    const double kernel = steps == 0 || steps == most
                              ? kEndWeight
                              : 0.25 * most * most /
                                    (static_cast<double>(steps) *
                                     static_cast<double>(most - steps));
    design.weights.push_back(kernel * TargetWeight(row, target));
  }
  return design;
}

std::unique_ptr<SensitivityEstimator> MakeQuadraticEstimator() {
  return std::make_unique<QuadraticEstimator>();
}

}  // namespace bitpact
