// SPDX-License-Identifier: Apache-2.0
// `bitpact quantize --quantizer baq`, through the program.

#include <string>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class QuantizeByBaq : public testing::Test {
 protected:
  ProgramResult By(const std::string& quantizer,
                   std::vector<std::string> flags) const {
    flags.insert(flags.begin(),
                 {"quantize",
                  fixture_.model.folder().string(),
                  "-o",
                  out().string(),
                  "--quantizer",
                  quantizer,
                  "--text",
                  fixture_.text().string(),
                  "--calibration-tokens",
                  "150"});
    return RunProgram(flags);
  }
  ProgramResult Baq(std::vector<std::string> flags) const {
    return By("baq", std::move(flags));
  }
  ProgramResult Gptq(std::vector<std::string> flags) const {
    return By("gptq", std::move(flags));
  }
  double Perplexity(const std::filesystem::path& folder) const {
    const auto json = fixture_.output().parent_path() / "eval.json";
    const ProgramResult result = RunProgram({"eval",
                                             folder.string(),
                                             "--eval",
                                             fixture_.eval().string(),
                                             "--eval-tokens",
                                             "150",
                                             "--json",
                                             json.string()});
    EXPECT_EQ(result.status, 0) << result.errors;
    return (*ParseJsonFile(json))["perplexity"].get<double>();
  }
  void ExpectRefusal(const ProgramResult& result,
                     const testing::Matcher<std::string>& message) const {
    EXPECT_EQ(result.status, 2);
    EXPECT_THAT(result.errors, message);
    EXPECT_THAT(FilesBelow(out()), testing::IsEmpty());
  }
  std::filesystem::path out() const { return fixture_.output(); }

  ProgramFixture fixture_;
};

TEST_F(QuantizeByBaq, BaqStoresTheRateAsked) {
  const ProgramResult result = Baq({"--rate", "3.5"});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("everything counted"));
  const double stored =
      (*ParseJsonFile(out() / "plan.json"))["bits_per_weight"].get<double>();
  EXPECT_LE(stored, 3.5);
  EXPECT_GT(stored, 3.45);
  EXPECT_GT(Perplexity(out()), 1.0);
}

TEST_F(QuantizeByBaq, BaqOfThePaperSaysBothRates) {
  const auto report = out().parent_path() / "baq.json";
  const ProgramResult result =
      Baq({"--baq", "paper", "--bits", "3", "--baq-report", report.string()});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output, AllOf(HasSubstr("reported"), HasSubstr("stored")));
  EXPECT_GT(Perplexity(out()), 1.0);
  EXPECT_TRUE(ParseJsonFile(report).has_value());
  // What is stored is more than what the paper's form reports.
  const double stored =
      (*ParseJsonFile(out() / "plan.json"))["bits_per_weight"].get<double>();
  EXPECT_GT(stored, 3.0);
}

TEST_F(QuantizeByBaq, BaqDrawsTheColumnsAskedFor) {
  const auto plots = out().parent_path() / "plots";
  const std::string tensor = "model.layers.1.mlp.down_proj.weight";
  const ProgramResult result = Baq({"--rate",
                                    "3.5",
                                    "--baq-plot",
                                    plots.string(),
                                    "--baq-plot-tensors",
                                    tensor});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(ReadWhole(plots / "baq-levels.dat"), HasSubstr("# " + tensor));
  EXPECT_TRUE(std::filesystem::exists(plots / "baq-gains.gp"));
}

// The same bytes, with the same grids, without the allocation.
TEST_F(QuantizeByBaq, BaqOfColumnsAlikeStoresAsMuch) {
  const auto size = [&](std::vector<std::string> flags) {
    const ProgramResult result = Baq(std::move(flags));
    EXPECT_EQ(result.status, 0) << result.errors;
    const Json plan = *ParseJsonFile(out() / "plan.json");
    std::filesystem::remove_all(out());
    return plan["size_bytes"].get<std::int64_t>();
  };
  EXPECT_EQ(size({"--rate", "3"}), size({"--rate", "3", "--baq", "alike"}));
}

TEST_F(QuantizeByBaq, RunAllocatesBaqRatesAcrossMatrices) {
  const ProgramResult run = fixture_.Run(
      {"--budget", "3.6bpw", "--quantizer", "baq", "--bits", "3,3.5,4.5"});
  ASSERT_EQ(run.status, 0) << run.errors;
  // Rates are shown as they are, not as whole bits.
  EXPECT_THAT(run.output, HasSubstr("3.50"));
  EXPECT_THAT(ReadWhole(out() / "report.html"), HasSubstr(">3.50<"));
  const Json report = *ParseJsonFile(out() / "report.json");
  EXPECT_NEAR(Perplexity(out() / "quantized"),
              report["rows"].back()["perplexity"].get<double>(),
              1e-4);
  EXPECT_LE(
      (*ParseJsonFile(out() / "plan.json"))["bits_per_weight"].get<double>(),
      3.6);
}

TEST_F(QuantizeByBaq, RefusesWhatBaqCannotTake) {
  ExpectRefusal(Baq({"--bits", "3", "--rate", "3"}), HasSubstr("--rate"));
  ExpectRefusal(Baq({"--rate", "0.5"}), HasSubstr("0.5"));
  ExpectRefusal(Baq({"--rate", "3", "--baq", "fast"}), HasSubstr("fast"));
  ExpectRefusal(Baq({"--rate", "3", "--group-size", "16"}),
                HasSubstr("--group-size"));
  ExpectRefusal(Baq({"--rate", "3", "--baq-passes", "9"}),
                HasSubstr("passes = 9"));
  ExpectRefusal(Baq({"--rate", "3", "--baq", "paper", "--baq-passes", "2"}),
                HasSubstr("--baq exact"));
  ExpectRefusal(Baq({"--rate", "3", "--baq-plot-tensors", "x"}),
                HasSubstr("--baq-plot"));
  const std::string plots = (out().parent_path() / "plots").string();
  ExpectRefusal(Baq({"--rate",
                     "3",
                     "--baq-plot",
                     plots,
                     "--baq-plot-tensors",
                     "no.such.weight"}),
                HasSubstr("no.such.weight"));
  ExpectRefusal(Gptq({"--bits", "3", "--baq", "paper"}), HasSubstr("--baq"));
}

}  // namespace
}  // namespace bitpact::test
