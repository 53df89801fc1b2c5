// SPDX-License-Identifier: Apache-2.0
#include "cli/baq_report.h"

#include <algorithm>
#include <cmath>
#include <map>

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

// Matrices by their gains, in steps of 0.05: how many are predicted there and,
// where that was measured, how many are there.
std::string GainHistogram(const std::vector<BaqOutcome>& outcomes) {
  const auto bin_of = [](double gain) {
    return static_cast<int>(std::floor(20.0 * gain + 1e-9));
  };
  struct Counts {
    int predicted = 0;
    int measured = 0;
  };
  std::map<int, Counts> bins;
  const bool is_measured = std::ranges::all_of(
      outcomes, [](const BaqOutcome& o) { return o.uniform_loss > 0.0; });
  for (const BaqOutcome& outcome : outcomes) {
    // 1 is the end of the last bin.
    ++bins[std::min(19, bin_of(outcome.weighted_gain))].predicted;
    if (is_measured) ++bins[bin_of(outcome.measured_gain())].measured;
  }
  std::vector<std::vector<std::string>> rows = {{"loss", "predicted"}};
  if (is_measured) rows.front().emplace_back("measured");
  for (int bin = bins.begin()->first; bin <= bins.rbegin()->first; ++bin) {
    rows.push_back({FormatNumber(0.05 * bin, 2) + " .. " +
                        FormatNumber(0.05 * (bin + 1), 2),
                    std::to_string(bins[bin].predicted)});
    if (is_measured) {
      rows.back().push_back(std::to_string(bins[bin].measured));
    }
  }
  return RenderTable(rows);
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
  return text +
         "\nmatrices by their loss relative to columns alike (predicted: GM/AM "
         "of "
         "what the levels go by):\n" +
         GainHistogram(outcomes);
}

Expected<void> WriteBaqReport(const std::filesystem::path& file,
                              std::vector<BaqOutcome> outcomes) {
  std::ranges::sort(outcomes, {}, &BaqOutcome::tensor);
  Json matrices = Json::array();
  std::vector<double> predicted;
  std::vector<double> weighted;
  std::vector<double> expected;
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
                   {"weighted_gain", outcome.weighted_gain},
                   {"expected_gain", outcome.expected_gain},
                   {"loss", outcome.loss},
                   {"levels", outcome.levels},
                   {"sensitivities", outcome.sensitivities},
                   {"weights", outcome.weights},
                   {"losses", outcome.losses}};
    if (outcome.uniform_loss > 0.0) {
      matrix["uniform_loss"] = outcome.uniform_loss;
      matrix["measured_gain"] = outcome.measured_gain();
      predicted.push_back(outcome.predicted_gain);
      weighted.push_back(outcome.weighted_gain);
      expected.push_back(outcome.expected_gain);
      measured.push_back(outcome.measured_gain());
    }
    matrices.push_back(std::move(matrix));
  }
  return WriteJsonFile(file,
                       {.format = "bitpact.baq-report",
                        .version = 2,
                        .tool_version = {},
                        .seed = {},
                        .inputs = {}},
                       {{"rank_correlation",
                         {{"predicted", RankCorrelation(predicted, measured)},
                          {"weighted", RankCorrelation(weighted, measured)},
                          {"expected", RankCorrelation(expected, measured)}}},
                        {"matrices", matrices}});
}

}  // namespace bitpact
