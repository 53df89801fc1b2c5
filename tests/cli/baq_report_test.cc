// SPDX-License-Identifier: Apache-2.0
#include "cli/baq_report.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "cli/baq_plot.h"
#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::ReadWhole;
using test::TemporaryFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// 6 d^2 over n (n^2 - 1): the textbook's form for values without ties.
double Spearman(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double d = 0.0;
    for (std::size_t j = 0; j < a.size(); ++j) {
      d += (a[j] < a[i] ? 1.0 : 0.0) - (b[j] < b[i] ? 1.0 : 0.0);
    }
    squares += d * d;
  }
  const auto n = static_cast<double>(a.size());
  return 1.0 - 6.0 * squares / (n * (n * n - 1.0));
}

TEST(RankCorrelation, IsSpearmans) {
  const std::vector<double> a = {0.3, 9.0, -2.0, 4.0, 1e9, 0.31};
  const std::vector<double> b = {5.0, 4.0, 6.0, 8.0, 7.0, -1.0};
  EXPECT_NEAR(RankCorrelation(a, b), Spearman(a, b), 1e-12);
  // Only the order counts.
  std::vector<double> cubes = a;
  for (double& value : cubes) value = value * value * value;
  EXPECT_NEAR(RankCorrelation(a, cubes), 1.0, 1e-12);
  for (double& value : cubes) value = -value;
  EXPECT_NEAR(RankCorrelation(a, cubes), -1.0, 1e-12);
}

// Ranks 0.5 0.5 2 3 against 0 1 2 3: 4.5 / sqrt(4.5 * 5).
TEST(RankCorrelation, TiesShareTheMeanRank) {
  EXPECT_NEAR(RankCorrelation({1.0, 1.0, 2.0, 3.0}, {1.0, 2.0, 3.0, 4.0}),
              4.5 / std::sqrt(22.5),
              1e-12);
}

TEST(RankCorrelation, IsZeroWithoutAnOrder) {
  EXPECT_EQ(RankCorrelation({1.0, 1.0}, {1.0, 2.0}), 0.0);
  EXPECT_EQ(RankCorrelation({5.0}, {7.0}), 0.0);
  EXPECT_EQ(RankCorrelation({}, {}), 0.0);
}

BaqOutcome Outcome(const std::string& tensor,
                   std::int64_t rows,
                   const std::vector<int>& levels,
                   double gain,
                   double measured) {
  BaqOutcome outcome;
  outcome.tensor = tensor;
  outcome.format = MixedColumns(25000);
  outcome.rows = rows;
  outcome.cols = std::ssize(levels);
  outcome.levels = levels;
  for (const int n : levels) {
    outcome.sensitivities.push_back(n);
    outcome.weights.push_back(n * n);
    outcome.losses.push_back(0.25);
    outcome.loss += 0.25;
  }
  outcome.predicted_gain = gain;
  outcome.weighted_gain = gain;
  outcome.expected_gain = gain;
  outcome.uniform_loss = measured > 0.0 ? outcome.loss / measured : 0.0;
  outcome.reported_rate = 2.0;
  outcome.stored_bytes = rows * outcome.cols / 2;  // 4 bits a weight
  outcome.unused_bytes = rows;
  return outcome;
}

std::vector<BaqOutcome> Outcomes(bool measured) {
  const auto or_none = [&](double gain) { return measured ? gain : 0.0; };
  return {Outcome("model.layers.1.mlp.up_proj.weight",
                  8,
                  {1, 4, 4, 16},
                  0.72,
                  or_none(0.8)),
          Outcome("model.layers.0.self_attn.q_proj.weight",
                  24,
                  {2, 2, 8, 8},
                  0.999,
                  or_none(1.01)),
          Outcome("model.layers.0.mlp.down_proj.weight",
                  8,
                  {4, 4, 4, 4},
                  1.0,
                  or_none(0.96)),
          Outcome("model.layers.0.self_attn.k_proj.weight",
                  8,
                  {3, 5, 4, 4},
                  0.9,
                  or_none(0.95))};
}

TEST(BaqSummary, WeighsMatricesByTheirWeights) {
  std::vector<BaqOutcome> outcomes = Outcomes(false);
  outcomes[1].reported_rate = 3.0;  // of 96 of 192 weights
  const std::string text = BaqSummary(outcomes, 4);
  EXPECT_THAT(text,
              AllOf(HasSubstr("2.5000 reported"),
                    HasSubstr("4.0000 stored"),
                    HasSubstr("(2.0000 of it unused)"),
                    Not(HasSubstr("of 4 matrices"))));
}

TEST(BaqSummary, SaysWhenMatricesAreOfAnEarlierRun) {
  EXPECT_THAT(BaqSummary(Outcomes(false), 7), HasSubstr("4 of 7 matrices"));
  EXPECT_EQ(BaqSummary({}, 7), "");
}

// Words of each line of the histogram.
std::vector<std::vector<std::string>> Bins(const std::string& summary) {
  std::vector<std::vector<std::string>> bins;
  std::istringstream lines(summary);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" .. ") == std::string::npos) continue;
    std::istringstream words(line);
    bins.emplace_back();
    for (std::string word; words >> word;) bins.back().push_back(word);
  }
  return bins;
}

TEST(BaqSummary, CountsMatricesByTheirGains) {
  EXPECT_THAT(Bins(BaqSummary(Outcomes(false), 4)),
              ElementsAre(ElementsAre("0.70", "..", "0.75", "1"),
                          ElementsAre("0.75", "..", "0.80", "0"),
                          ElementsAre("0.80", "..", "0.85", "0"),
                          ElementsAre("0.85", "..", "0.90", "0"),
                          ElementsAre("0.90", "..", "0.95", "1"),
                          ElementsAre("0.95", "..", "1.00", "2")));
  EXPECT_THAT(Bins(BaqSummary(Outcomes(true), 4)),
              ElementsAre(ElementsAre("0.70", "..", "0.75", "1", "0"),
                          ElementsAre("0.75", "..", "0.80", "0", "0"),
                          ElementsAre("0.80", "..", "0.85", "0", "1"),
                          ElementsAre("0.85", "..", "0.90", "0", "0"),
                          ElementsAre("0.90", "..", "0.95", "1", "0"),
                          ElementsAre("0.95", "..", "1.00", "2", "2"),
                          ElementsAre("1.00", "..", "1.05", "0", "1")));
}

TEST(BaqReport, HoldsEveryMatrixByName) {
  const TemporaryFolder folder;
  const auto file = folder.File("report.json");
  ASSERT_TRUE(WriteBaqReport(file, Outcomes(true)));
  const Json report = *ParseJsonFile(file);
  EXPECT_EQ(report["format"], "bitpact.baq-report");
  ASSERT_EQ(report["matrices"].size(), 4U);
  std::vector<std::string> names;
  for (const Json& matrix : report["matrices"])
    names.push_back(matrix["tensor"]);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  const Json& up = report["matrices"][3];
  EXPECT_EQ(up["tensor"], "model.layers.1.mlp.up_proj.weight");
  EXPECT_EQ(up["levels"], Json({1, 4, 4, 16}));
  EXPECT_EQ(up["weights"], Json({1.0, 16.0, 16.0, 256.0}));
  EXPECT_EQ(up["stored_rate"], 4.0);
  EXPECT_EQ(up["loss"], 1.0);
  EXPECT_NEAR(up["measured_gain"].get<double>(), 0.8, 1e-12);
  // Predicted 0.72 0.9 0.999 1, measured 0.8 0.95 1.01 0.96: one swap of
  // neighbours, 1 - 6 * 2 / 60.
  EXPECT_NEAR(report["rank_correlation"]["weighted"].get<double>(), 0.8, 1e-12);
}

TEST(BaqReport, LeavesOutWhatWasNotMeasured) {
  const TemporaryFolder folder;
  const auto file = folder.File("report.json");
  ASSERT_TRUE(WriteBaqReport(file, Outcomes(false)));
  const Json report = *ParseJsonFile(file);
  EXPECT_FALSE(report["matrices"][0].contains("measured_gain"));
  EXPECT_EQ(report["matrices"][0]["predicted_gain"], 1.0);
}

// Lines of numbers of block `index` of a gnuplot data file.
std::vector<std::vector<double>> Block(const std::string& data, int index) {
  std::vector<std::vector<double>> block;
  std::istringstream lines(data);
  int blank = 0;
  int at = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      at += ++blank == 2 ? 1 : 0;
      continue;
    }
    blank = 0;
    if (line[0] == '#' || at != index) continue;
    block.emplace_back();
    std::istringstream words(line);
    for (double value = 0.0; words >> value;) block.back().push_back(value);
  }
  return block;
}

TEST(BaqPlots, DrawLeastMiddleAndGreatestGain) {
  const TemporaryFolder folder;
  const auto note = WriteBaqPlots(folder.path(), Outcomes(true), {});
  ASSERT_TRUE(note) << note.error().message;
  const bool has_gnuplot =
      std::system("gnuplot --version >/dev/null 2>&1") == 0;
  for (const std::string name : {"baq-levels", "baq-gains"}) {
    EXPECT_EQ(std::filesystem::exists(folder.File(name + ".png")), has_gnuplot);
    EXPECT_EQ(std::filesystem::exists(folder.File(name + ".svg")), has_gnuplot);
  }
  EXPECT_EQ(note->empty(), has_gnuplot) << *note;
  const std::string data = ReadWhole(folder.File("baq-levels.dat"));
  EXPECT_LT(data.find("up_proj"), data.find("q_proj"));
  EXPECT_LT(data.find("q_proj"), data.find("down_proj"));
  EXPECT_EQ(data.find("k_proj"), std::string::npos);
  // up_proj: weights 1 16 16 256, whose closed form at 2 bits is 0 2 2 4.
  EXPECT_THAT(Block(data, 0),
              ElementsAre(ElementsAre(0, 3, 0, 0),
                          ElementsAre(1, 1, 2, 2),
                          ElementsAre(2, 2, 2, 2),
                          ElementsAre(3, 0, 4, 4)));
  // Kinds in the order of the names: down, k, q, up.
  const std::string gains = ReadWhole(folder.File("baq-gains.dat"));
  const auto up = Block(gains, 3);
  ASSERT_EQ(up.size(), 1U);
  EXPECT_THAT(up[0], ElementsAre(0.72, 0.72, 0.72, 0.8));
}

TEST(BaqPlots, DrawTheMatricesAskedFor) {
  const TemporaryFolder folder;
  const std::string wanted = "model.layers.0.self_attn.k_proj.weight";
  ASSERT_TRUE(WriteBaqPlots(folder.File("new"), Outcomes(false), {wanted}));
  const std::string data = ReadWhole(folder.File("new") / "baq-levels.dat");
  EXPECT_THAT(data, AllOf(HasSubstr(wanted), Not(HasSubstr("up_proj"))));
  EXPECT_EQ(Block(data, 0).size(), 4U);
  // Nothing was measured.
  EXPECT_FALSE(std::filesystem::exists(folder.File("new") / "baq-gains.gp"));
}

TEST(BaqPlots, NameAMatrixThatIsNotThere) {
  const TemporaryFolder folder;
  const auto note =
      WriteBaqPlots(folder.path(), Outcomes(true), {"no.such.weight"});
  ASSERT_FALSE(note);
  EXPECT_EQ(note.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(note.error().message,
              AllOf(HasSubstr("no.such.weight"), HasSubstr("down_proj")));
  EXPECT_FALSE(std::filesystem::exists(folder.File("baq-levels.dat")));
}

}  // namespace
}  // namespace bitpact
