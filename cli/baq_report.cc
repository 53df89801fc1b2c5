// SPDX-License-Identifier: Apache-2.0
#include "cli/baq_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cli/text_table.h"
#include "core/check.h"
#include "core/json_file.h"

namespace bitpact {
namespace {

// Place of each value in ascending order, from 0; equal ones share the mean.
std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double below = 0.0;
    double equal = 0.0;
    for (const double other : values) {
      below += other < values[i] ? 1.0 : 0.0;
      equal += other == values[i] ? 1.0 : 0.0;
    }
    ranks[i] = below + 0.5 * (equal - 1.0);
  }
  return ranks;
}

std::string GainHistogram(const std::vector<BaqOutcome>& outcomes) {
  constexpr int kBins = 10;
  std::array<int, kBins> counts{};
  for (const BaqOutcome& outcome : outcomes) {
    const int bin =
        std::min(kBins - 1, static_cast<int>(kBins * outcome.predicted_gain));
    ++counts.at(static_cast<std::size_t>(bin));
  }
  std::string text;
  for (int bin = 0; bin < kBins; ++bin) {
    const int count = counts.at(static_cast<std::size_t>(bin));
    if (count == 0) continue;
    text += "  " + FormatNumber(0.1 * bin, 1) + ".." +
            FormatNumber(0.1 * (bin + 1), 1) + "  " + std::to_string(count) +
            "\n";
  }
  return text;
}

}  // namespace

double RankCorrelation(const std::vector<double>& a,
                       const std::vector<double>& b) {
  BITPACT_CHECK(a.size() == b.size(), "pairs of values");
  const std::vector<double> x = Ranks(a);
  const std::vector<double> y = Ranks(b);
  const double middle = 0.5 * (static_cast<double>(a.size()) - 1.0);
  double xy = 0.0;
  double xx = 0.0;
  double yy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
  }
  return xx > 0.0 && yy > 0.0 ? xy / std::sqrt(xx * yy) : 0.0;
}

std::string BaqSummary(const std::vector<BaqOutcome>& outcomes,
                       std::int64_t num_matrices) {
  if (outcomes.empty()) return {};
  double weights = 0.0;
  double reported = 0.0;
  double stored = 0.0;
  double padding = 0.0;
  for (const BaqOutcome& outcome : outcomes) {
    const double count =
        static_cast<double>(outcome.rows) * static_cast<double>(outcome.cols);
    weights += count;
    reported += count * outcome.reported_rate;
    stored += 8.0 * static_cast<double>(outcome.stored_bytes);
    padding += 8.0 * static_cast<double>(outcome.unused_bytes);
  }
  std::string text = "bits a weight: " + FormatNumber(reported / weights, 4) +
                     " reported (mean log2 of levels), " +
                     FormatNumber(stored / weights, 4) +
                     " stored, everything counted (" +
                     FormatNumber(padding / weights, 4) + " of it unused)";
  if (std::ssize(outcomes) < num_matrices) {
    text += "; of the " + std::to_string(outcomes.size()) + " of " +
            std::to_string(num_matrices) + " matrices made in this run";
  }
  return text + "\npredicted loss relative to equal bits (GM/AM), matrices:\n" +
         GainHistogram(outcomes);
}

Expected<void> WriteBaqReport(const std::filesystem::path& file,
                              std::vector<BaqOutcome> outcomes) {
  std::ranges::sort(outcomes, {}, &BaqOutcome::tensor);
  Json matrices = Json::array();
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const BaqOutcome& outcome : outcomes) {
    Json matrix = {{"tensor", outcome.tensor},
                   {"rows", outcome.rows},
                   {"cols", outcome.cols},
                   {"format", FormatName(outcome.format)},
                   {"reported_rate", outcome.reported_rate},
                   {"stored_rate", outcome.stored_rate()},
                   {"stored_bytes", outcome.stored_bytes},
                   {"code_bytes", outcome.code_bytes},
                   {"unused_bytes", outcome.unused_bytes},
                   {"predicted_gain", outcome.predicted_gain},
                   {"loss", outcome.loss},
                   {"levels", outcome.levels},
                   {"sensitivities", outcome.sensitivities},
                   {"losses", outcome.losses}};
    if (outcome.uniform_loss > 0.0) {
      matrix["uniform_loss"] = outcome.uniform_loss;
      matrix["measured_gain"] = outcome.measured_gain();
      predicted.push_back(outcome.predicted_gain);
      measured.push_back(outcome.measured_gain());
    }
    matrices.push_back(std::move(matrix));
  }
  return WriteJsonFile(
      file,
      {.format = "bitpact.baq-report",
       .version = 1,
       .tool_version = {},
       .seed = {},
       .inputs = {}},
      {{"rank_correlation", RankCorrelation(predicted, measured)},
       {"matrices", matrices}});
}

}  // namespace bitpact
