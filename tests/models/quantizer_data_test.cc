// SPDX-License-Identifier: Apache-2.0
// What the quantizers are worth on a trained model.

#include <map>
#include <string>

#include "gtest/gtest.h"
#include "models/calibration.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "models/tokenizer.h"
#include "tests/models/shared_data.h"

namespace bitpact {
namespace {

class BabyLlama : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = test::SharedData() / "models" / "babyllama";
    const auto texts = test::SharedData() / "text";
    BITPACT_SKIP_WITHOUT(folder);
    BITPACT_SKIP_WITHOUT(texts);
    model_ = *Model::Load(folder);
    const Tokenizer tokenizer = *Tokenizer::Load(folder);
    const int context = model_.config().context;
    calibration_ = *ReadTokenSet(texts / "tinystories-calibration.txt",
                                 tokenizer,
                                 context,
                                 {.max_predicted = 16384});
    evaluation_ = *ReadTokenSet(texts / "tinystories-valid.txt",
                                tokenizer,
                                context,
                                {.max_predicted = 20000});
  }

  Model model_;
  TokenSet calibration_;
  TokenSet evaluation_;
};

TEST_F(BabyLlama, IsBestFromGptqThenHqqThenQuantoAtThreeBits) {
  std::map<std::string, LossReport> loss;
  for (const std::string name : {"quanto", "hqq", "gptq"}) {
    const AllocationPlan plan =
        MakeUniformPlan(MakeUnits(model_, Granularity::kMatrix),
                        {{.bits = 3, .group_size = 64}, true},
                        name);
    const auto made = QuantizedModel::Make(
        model_, plan, **MakeQuantizer(name), &calibration_);
    ASSERT_TRUE(made) << made.error().message;
    loss[name] = EvaluateLoss(model_, made->weights(), evaluation_);
    RecordProperty(name, std::to_string(loss[name].perplexity.mean));
  }
  EXPECT_LT(loss["gptq"].perplexity.mean, loss["hqq"].perplexity.mean);
  EXPECT_LT(loss["hqq"].perplexity.mean, loss["quanto"].perplexity.mean);
}

// tr((W - Q) H (W - Q)^T).
double LayerError(std::span<const float> weights,
                  const PackedMatrix& packed,
                  std::span<const float> hessian) {
  const auto cols = static_cast<std::size_t>(packed.cols());
  std::vector<float> decoded(weights.size());
  packed.Dequantize(0, packed.rows(), decoded);
  double error = 0.0;
  for (std::size_t row = 0; row < weights.size(); row += cols) {
    for (std::size_t i = 0; i < cols; ++i) {
      const double di =
          static_cast<double>(weights[row + i]) - decoded[row + i];
      for (std::size_t j = 0; j < cols; ++j) {
        error += di * hessian[i * cols + j] *
                 (static_cast<double>(weights[row + j]) - decoded[row + j]);
      }
    }
  }
  return error;
}

TEST_F(BabyLlama, HasNoLayerWithALargerErrorFromGptqThanFromRounding) {
  const auto gptq = *MakeQuantizer("gptq");
  const auto quanto = *MakeQuantizer("quanto");
  const WeightSet weights = FullPrecisionWeights(model_);
  Calibration calibration(model_, calibration_);
  for (int layer = 0; layer < model_.config().num_layers; ++layer) {
    const auto block = std::span(weights).subspan(
        static_cast<std::size_t>(layer) * kLinearsPerBlock, kLinearsPerBlock);
    for (const LinearStage& stage : LinearStages()) {
      const auto hessian = calibration.StageHessian(block, stage);
      ASSERT_TRUE(hessian) << hessian.error().message;
      for (const LinearKind kind : stage.kinds) {
        const UnitMatrix matrix = model_.linear_matrix(layer, kind);
        const auto dense = model_.linear(layer, kind);
        for (const int bits : {2, 3, 4}) {
          const BitFormat format = {.bits = bits, .group_size = 32};
          const auto error = [&](const Quantizer& quantizer) {
            return LayerError(
                dense,
                *quantizer.Quantize({dense, matrix.rows, matrix.cols},
                                    {.hessian = *hessian},
                                    format),
                *hessian);
          };
          EXPECT_LE(error(*gptq), error(*quanto))
              << matrix.tensor << ", " << bits << " bits";
        }
      }
    }
    calibration.Advance(block);
  }
}

}  // namespace
}  // namespace bitpact
