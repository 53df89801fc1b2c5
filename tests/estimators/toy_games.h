// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_ESTIMATORS_TOY_GAMES_H_
#define BITPACT_TESTS_ESTIMATORS_TOY_GAMES_H_

// Games with known answers.

#include <functional>
#include <utility>
#include <vector>

#include "core/random.h"
#include "estimators/value_function.h"

namespace bitpact {

// loss(assignment) given by a function; window w holds weights[w] tokens and a
// share of the loss that differs between windows by `tilt`.
class FunctionGame : public ValueFunction {
 public:
  using Function = std::function<double(const FormatAssignment&)>;
  FunctionGame(int units,
               int options,
               Function loss,
               std::vector<double> tokens = {1.0})
      : units_(units),
        options_(options),
        loss_(std::move(loss)),
        tokens_(std::move(tokens)) {}

  [[nodiscard]] int num_units() const override { return units_; }
  [[nodiscard]] int num_options() const override { return options_; }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return tokens_;
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override {
    std::vector<Evaluation> results;
    for (const FormatAssignment& assignment : assignments) {
      const double loss = loss_(assignment);
      std::vector<double> window_loss;
      for (const double tokens : tokens_) {
        window_loss.push_back(loss * tokens);
      }
      results.push_back(MakeEvaluation(std::move(window_loss), tokens_));
      ++evaluations;
    }
    return results;
  }

  int evaluations = 0;

 private:
  int units_;
  int options_;
  Function loss_;
  std::vector<double> tokens_;
};

// v(q) = sum_i linear[i] q_i + sum_{i<j} pair[i][j] q_i q_j over two options.
struct TwoAdditiveGame {
  std::vector<double> linear;
  std::vector<std::vector<double>> pair;  // symmetric, zero diagonal

  TwoAdditiveGame(int players, std::uint64_t seed)
      : linear(static_cast<std::size_t>(players)),
        pair(linear.size(), std::vector<double>(linear.size(), 0.0)) {
    RandomStream random(seed, "test/two_additive");
    for (double& value : linear) value = random.Uniform();
    for (std::size_t i = 0; i < linear.size(); ++i) {
      for (std::size_t j = i + 1; j < linear.size(); ++j) {
        pair[i][j] = pair[j][i] = random.Normal();
      }
    }
  }

  double operator()(const FormatAssignment& q) const {
    double value = 0.0;
    for (std::size_t i = 0; i < linear.size(); ++i) {
      if (q[i] == 0) continue;
      value += linear[i];
      for (std::size_t j = 0; j < i; ++j) {
        if (q[j] != 0) value += pair[i][j];
      }
    }
    return value;
  }
};

}  // namespace bitpact

#endif  // BITPACT_TESTS_ESTIMATORS_TOY_GAMES_H_
