// SPDX-License-Identifier: Apache-2.0
// What bfloat16 products do to the game: the coalitions of some antithetic
// orders are evaluated with float32 and with bfloat16 products, and the losses,
// the Shapley values (means of marginal contributions over the orders) and the
// speed compared. Processor time.
//
//   products_bench MODEL --text calibration.txt [--orders 16] [--tokens 4096]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/game/walks.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "estimators/model_game.h"
#include "models/tokenizer.h"

namespace bitpact {
namespace {

struct Options {
  std::string model;
  std::string text;
  int orders = 16;
  int window = 0;
  std::int64_t tokens = 4096;
};

struct Outcome {
  double seconds = 0.0;
  double share_of_stages = 0.0;  // run, of those that nothing shared would run
  std::map<FormatAssignment, Evaluation> losses;
  std::vector<double> shapley;
};

double Norm(const std::vector<double>& values) {
  return std::sqrt(
      std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

std::vector<double> Shapley(
    const std::vector<std::vector<int>>& orders,
    const std::map<FormatAssignment, Evaluation>& losses,
    std::size_t units) {
  std::vector<double> values(units);
  for (const std::vector<int>& order : orders) {
    FormatAssignment assignment(units, 0);
    double before = losses.at(assignment).loss;
    for (const int unit : order) {
      assignment[static_cast<std::size_t>(unit)] = 1;
      const double after = losses.at(assignment).loss;
      values[static_cast<std::size_t>(unit)] +=
          (after - before) / static_cast<double>(orders.size());
      before = after;
    }
  }
  return values;
}

Expected<void> RunBench(const Options& options) {
  if (!IsAvailable(ProductPrecision::kBfloat16)) {
    return Fail(ErrorCode::kUnsupported, "this processor has no bfloat16");
  }
  const Expected<Model> model = Model::Load(options.model);
  if (!model) return tl::unexpected(model.error());
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(options.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  TokenSetOptions how;
  how.max_predicted = options.tokens;
  how.window = options.window;
  const Expected<TokenSet> tokens =
      ReadTokenSet(options.text, *tokenizer, model->config().context, how);
  if (!tokens) return tl::unexpected(tokens.error());
  const std::vector<Unit> units = MakeUnits(*model, Granularity::kMatrix);
  std::vector<int> order(units.size());
  std::iota(order.begin(), order.end(), 0);
  RandomStream random(1, "bench/game");
  std::vector<std::vector<int>> orders;
  std::vector<FormatAssignment> asked;
  for (int i = 0; i < options.orders; i += 2) {
    random.Shuffle(order);
    for (int half = 0; half < 2; ++half) {
      orders.push_back(order);
      AddWalk(order, asked);
      std::ranges::reverse(order);
    }
  }
  std::ranges::sort(asked);
  const auto behind = std::ranges::unique(asked);
  asked.erase(behind.begin(), behind.end());

  const std::unique_ptr<Quantizer> quantizer = *MakeQuantizer("quanto");
  std::map<ProductPrecision, Outcome> outcomes;
  for (const ProductPrecision precision :
       {ProductPrecision::kFloat32, ProductPrecision::kBfloat16}) {
    Outcome& outcome = outcomes[precision];
    const auto game = ModelGame::Create(*model,
                                        units,
                                        {{{.bits = 4, .group_size = 32}, true},
                                         {{.bits = 2, .group_size = 32}, true}},
                                        *quantizer,
                                        *tokens,
                                        {.products = precision});
    if (!game) return tl::unexpected(game.error());
    const double start = ProcessorSeconds();
    const auto values = (*game)->Evaluate(asked);
    if (!values) return tl::unexpected(values.error());
    outcome.seconds = ProcessorSeconds() - start;
    outcome.share_of_stages = static_cast<double>((*game)->stages_run()) /
                              static_cast<double>((*game)->stages_asked());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      outcome.losses[asked[i]] = (*values)[i];
    }
    outcome.shapley = Shapley(orders, outcome.losses, units.size());
  }
  const Outcome& exact = outcomes[ProductPrecision::kFloat32];
  const Outcome& rounded = outcomes[ProductPrecision::kBfloat16];
  double squares = 0.0;
  double most = 0.0;
  double least = INFINITY;
  double greatest = -INFINITY;
  for (const auto& [assignment, evaluation] : exact.losses) {
    const double off = rounded.losses.at(assignment).loss - evaluation.loss;
    squares += off * off;
    most = std::max(most, std::abs(off));
    least = std::min(least, evaluation.loss);
    greatest = std::max(greatest, evaluation.loss);
  }
  std::vector<double> off = rounded.shapley;
  for (std::size_t u = 0; u < off.size(); ++u) off[u] -= exact.shapley[u];
  const auto count = static_cast<double>(asked.size());
  std::printf("%zu units, %zu coalitions of %zu orders, %lld tokens\n",
              units.size(),
              asked.size(),
              orders.size(),
              static_cast<long long>(tokens->predicted));
  std::printf(
      "losses from %.4f to %.4f nats a token; off by %.2e (root mean square), "
      "at most %.2e\n",
      least,
      greatest,
      std::sqrt(squares / count),
      most);
  std::printf("Shapley values off by %.3f%% of their norm\n",
              100.0 * Norm(off) / Norm(exact.shapley));
  std::printf(
      "evaluations/s: float32 %.2f, bfloat16 %.2f, %.2fx (stages run: "
      "%.0f%%)\n",
      count / exact.seconds,
      count / rounded.seconds,
      exact.seconds / rounded.seconds,
      100.0 * exact.share_of_stages);
  return {};
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("What bfloat16 products do to the game", "products_bench");
  app.add_option("model", options.model, "Hugging Face folder")->required();
  app.add_option("--text", options.text, "Calibration text")->required();
  app.add_option("--orders", options.orders, "Orders, in pairs")
      ->capture_default_str();
  app.add_option("--window", options.window, "Predicted tokens of a window")
      ->capture_default_str();
  app.add_option("--tokens", options.tokens, "Predicted tokens")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  SetThreadCount(1);
  Progress::SetEnabled(false);
  const Expected<void> done = RunBench(options);
  if (done) return 0;
  std::cerr << "products_bench: " << done.error().message << '\n';
  return 1;
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
