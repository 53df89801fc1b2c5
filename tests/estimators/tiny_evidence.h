// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_ESTIMATORS_TINY_EVIDENCE_H_
#define BITPACT_TESTS_ESTIMATORS_TINY_EVIDENCE_H_

// A random model, its units in three widths and a few windows of random tokens:
// all that an estimator may see.

#include <memory>
#include <utility>
#include <vector>

#include "estimators/model_game.h"
#include "estimators/sensitivity_estimator.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact::test {

class TinyEvidence {
 public:
  explicit TinyEvidence(Granularity granularity = Granularity::kMatrix)
      : units_(MakeUnits(model_, granularity)) {
    for (int w = 0; w < 4; ++w) {
      TokenWindow window{
          RandomTokens(9 + 4 * w, 37, 100 + static_cast<unsigned>(w)),
          1 + w % 2};
      tokens_.predicted += window.predicted();
      tokens_.windows.push_back(std::move(window));
    }
    auto game =
        ModelGame::Create(model_, units_, formats_, *quantizer_, tokens_);
    EXPECT_TRUE(game) << game.error().message;
    game_ = std::move(*game);
  }
  TinyEvidence(const TinyEvidence&) = delete;
  TinyEvidence& operator=(const TinyEvidence&) = delete;

  [[nodiscard]] EstimatorInput Input() const {
    return {game_.get(), &evidence_};
  }
  [[nodiscard]] const ModelEvidence& evidence() const { return evidence_; }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const std::vector<Unit>& units() const { return units_; }
  [[nodiscard]] const std::vector<FormatRule>& formats() const {
    return formats_;
  }
  [[nodiscard]] const TokenSet& tokens() const { return tokens_; }

 private:
  TinyModel files_{TinyModelShape{}};
  Model model_ = files_.Load();
  std::vector<Unit> units_;
  std::vector<FormatRule> formats_ = {{{.bits = 8, .group_size = 16}, false},
                                      {{.bits = 4, .group_size = 16}, false},
                                      {{.bits = 2, .group_size = 16}, false}};
  std::unique_ptr<Quantizer> quantizer_ = *MakeQuantizer("quanto");
  TokenSet tokens_;
  std::unique_ptr<ModelGame> game_;
  ModelEvidence evidence_{
      &model_, &units_, &formats_, quantizer_.get(), &tokens_};
};

}  // namespace bitpact::test

#endif  // BITPACT_TESTS_ESTIMATORS_TINY_EVIDENCE_H_
