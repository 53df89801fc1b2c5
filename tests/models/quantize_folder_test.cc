// SPDX-License-Identifier: Apache-2.0
#include "models/quantize_folder.h"

#include <algorithm>
#include <atomic>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/calibration.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "tests/models/saved_model.h"

namespace bitpact {
namespace {

using test::MixedPlan;
using test::ReadWhole;
using test::SomeTokens;
using test::TemporaryFolder;
using test::TinyModel;
using testing::HasSubstr;

// Passes on to another quantizer, counts, and fails from a call on.
class Faulty final : public Quantizer {
 public:
  Faulty(const std::string& name, int fail_at)
      : inner_(*MakeQuantizer(name)), fail_at_(fail_at) {}
  std::string name() const override { return inner_->name(); }
  bool needs_hessian() const override { return inner_->needs_hessian(); }
  Expected<PackedMatrix> Quantize(MatrixView weight,
                                  const LayerInputs& inputs,
                                  const BitFormat& format) const override {
    if (++calls >= fail_at_) {
      return Fail(ErrorCode::kUnavailable, "the power is out");
    }
    return inner_->Quantize(weight, inputs, format);
  }
  mutable std::atomic<int> calls = 0;

 private:
  std::unique_ptr<Quantizer> inner_;
  int fail_at_;
};

class QuantizeFolderTest : public testing::Test {
 protected:
  QuantizeFolderTest()
      : model_(*Model::LoadOutside(tiny_.folder())), tokens_(SomeTokens()) {
    request_.model = &model_;
    request_.plan = MixedPlan(model_, Granularity::kMatrix);
    request_.calibration = &tokens_;
    request_.output = folder_.File("out");
  }

  Expected<QuantizeOutcome> Run(const Quantizer& quantizer) {
    request_.quantizer = &quantizer;
    return QuantizeFolder(request_);
  }

  TinyModel tiny_{{}};
  TemporaryFolder folder_;
  Model model_;
  TokenSet tokens_;
  QuantizeRequest request_;
};

TEST_F(QuantizeFolderTest, GivesTheBytesThatMakeAndSaveGive) {
  for (const std::string name : {"quanto", "gptq"}) {
    const auto quantizer = *MakeQuantizer(name);
    const auto outcome = Run(*quantizer);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->packed_bytes, request_.plan.size_bytes);
    const Model whole = tiny_.Load();
    const auto made =
        QuantizedModel::Make(whole, request_.plan, *quantizer, &tokens_);
    ASSERT_TRUE(made) << made.error().message;
    ASSERT_TRUE(made->Save(whole, folder_.File("other")));
    EXPECT_EQ(ReadWhole(folder_.File("out/model.safetensors")),
              ReadWhole(folder_.File("other/model.safetensors")));
    EXPECT_FALSE(std::filesystem::exists(folder_.File("out/unfinished")));
  }
}

TEST_F(QuantizeFolderTest, GoesOnWhereItStopped) {
  const Faulty whole("gptq", 1000);
  ASSERT_TRUE(Run(whole));
  EXPECT_EQ(whole.calls, 14);
  const std::string wanted = ReadWhole(folder_.File("out/model.safetensors"));
  request_.output = folder_.File("again");
  // Stops at o of the second block: q, k and v of it are done.
  const Faulty broken("gptq", 11);
  const auto stopped = Run(broken);
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().message,
              testing::AllOf(HasSubstr("layers.1.self_attn.o_proj"),
                             HasSubstr("the power is out")));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("again/config.json")));
  const Faulty rest("gptq", 1000);
  ASSERT_TRUE(Run(rest));
  EXPECT_EQ(rest.calls, 4);
  EXPECT_EQ(ReadWhole(folder_.File("again/model.safetensors")), wanted);
}

TEST_F(QuantizeFolderTest, RefusesUnfinishedWorkOfAnotherRun) {
  ASSERT_FALSE(Run(Faulty("gptq", 3)));
  const auto refused = [&](const Quantizer& quantizer,
                           const std::string& field) {
    const auto outcome = Run(quantizer);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(outcome.error().message,
                testing::AllOf(HasSubstr("key.json"),
                               HasSubstr("inputs." + field + " = ")));
  };
  const auto gptq = *MakeQuantizer("gptq");
  const auto quanto = *MakeQuantizer("quanto");
  refused(*quanto, "quantizer");
  request_.quantizer_options = "damping=0.5";
  refused(*gptq, "options");
  request_.quantizer_options.clear();
  TokenSet other = tokens_;
  other.fingerprint = "other";
  request_.calibration = &other;
  refused(*gptq, "tokens");
  request_.calibration = &tokens_;
  request_.plan = MakeUniformPlan(
      MakeUnits(model_, Granularity::kBlock), {{.bits = 4}, false}, "gptq");
  refused(*gptq, "plan");
}

TEST_F(QuantizeFolderTest, LeavesNothingBehindBadInput) {
  request_.plan.units.pop_back();
  const auto quanto = *MakeQuantizer("quanto");
  const auto outcome = Run(*quanto);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message,
              testing::AllOf(HasSubstr("leaves out 1 of"),
                             HasSubstr("layers.1.mlp.down_proj")));
  EXPECT_FALSE(std::filesystem::exists(request_.output));
}

TEST_F(QuantizeFolderTest, NoticesABrokenPart) {
  ASSERT_FALSE(Run(Faulty("gptq", 4)));
  const auto part = request_.output /
                    "unfinished/model.layers.0.self_attn.q_proj.weight"
                    ".safetensors";
  const std::string bytes = ReadWhole(part);
  test::WriteWhole(part, bytes.substr(0, bytes.size() - 1));
  const auto gptq = *MakeQuantizer("gptq");
  const auto outcome = Run(*gptq);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(outcome.error().message, HasSubstr("q_proj"));
}

// The weights of every layer are seen by the layers behind: a model whose
// matrices are quantized one stage after the other by hand is the same.
TEST_F(QuantizeFolderTest, LaterMatricesSeeTheQuantizedEarlierOnes) {
  const auto gptq = *MakeQuantizer("gptq");
  const Model whole = tiny_.Load();
  const auto made = QuantizedModel::Make(whole, request_.plan, *gptq, &tokens_);
  ASSERT_TRUE(made);
  // o of block 1 has the Hessian of a model quantized up to there.
  WeightSet weights = FullPrecisionWeights(whole);
  for (std::size_t place = 0; place < 7 + 3; ++place) {
    weights[place] = made->weights()[place];
  }
  Calibration calibration(whole, tokens_);
  const auto all = std::span(weights);
  calibration.Advance(all.first(kLinearsPerBlock));
  const auto hessian = calibration.StageHessian(all.subspan(kLinearsPerBlock),
                                                LinearStages()[1]);
  ASSERT_TRUE(hessian);
  const UnitMatrix matrix = whole.linear_matrix(1, LinearKind::kO);
  const auto packed = gptq->Quantize(
      {whole.linear(1, LinearKind::kO), matrix.rows, matrix.cols},
      {.hessian = *hessian},
      made->packed()[10]->format());
  ASSERT_TRUE(packed);
  EXPECT_TRUE(std::ranges::equal(packed->codes(), made->packed()[10]->codes()));
}

// Whether an address lies in a mapping of this file.
bool IsMapped(const void* address, const std::string& file) {
  std::ifstream maps("/proc/self/maps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    const std::size_t dash = line.find('-');
    const std::uintptr_t begin = std::stoull(line.substr(0, dash), nullptr, 16);
    const std::uintptr_t end = std::stoull(line.substr(dash + 1), nullptr, 16);
    if (at >= begin && at < end) return line.find(file) != std::string::npos;
  }
  return false;
}

TEST_F(QuantizeFolderTest, LoadingMapsThePackedArraysAndKeepsTheirBytes) {
  const auto quanto = *MakeQuantizer("quanto");
  ASSERT_TRUE(Run(*quanto));
  const auto loaded = QuantizedCheckpoint::Load(request_.output);
  ASSERT_TRUE(loaded) << loaded.error().message;
  std::int64_t stored = 0;
  for (const StoredTensor& tensor : loaded->model.checkpoint().tensors()) {
    for (const char* suffix : {".codes", ".scales", ".zero_points"}) {
      if (tensor.name.ends_with(suffix)) {
        stored += static_cast<std::int64_t>(tensor.bytes.size());
      }
    }
  }
  EXPECT_EQ(stored, request_.plan.size_bytes);
  EXPECT_EQ(loaded->quantized.packed_bytes(), request_.plan.size_bytes);
  for (const SharedMatrix& matrix : loaded->quantized.packed()) {
    for (const auto part :
         {matrix->codes(), matrix->scales(), matrix->zero_points()}) {
      if (part.empty()) continue;
      EXPECT_TRUE(IsMapped(part.data(), "out/model.safetensors"));
    }
  }
}

}  // namespace
}  // namespace bitpact
