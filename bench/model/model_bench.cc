// SPDX-License-Identifier: Apache-2.0
// Tokens a second of a whole model, one thread: random weights in the shape of
// a Llama with 110 million parameters (by default), dense float32 beside packed
// weights, taken in turns within one run.
//
//   prompt   all blocks over --tokens tokens, and the logits of the last one
//   score    the same with the head and the loss at every position, as
//   perplexity
//            and the game need it
//   decode   all blocks over one token, which attends to itself alone: the
//            project keeps no keys and values between tokens. Without the head,
//            which is dense in every row of the table
//
// Rows are measured with float32 products and, where the processor has them,
// with bfloat16 ones, which round the dense row anew for every product, at
// every token; packed weights decode in float32 (quant/packed_matmul.h).
// GFLOP/s count the blocks' linear layers alone, at prompts: two operations a
// weight and token. Medians over --repetitions, by the process's CPU time,
// which a busy machine lengthens less than wall time.
//
//   model_bench [--bits 2,3,4] [--group-size 64] [--hidden 768] ...

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/model/random_model.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "models/quantized_model.h"
#include "models/transformer.h"
#include "quant/quantizer.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct Options {
  RandomModelShape shape;
  int tokens = 512;
  int repetitions = 5;
  std::vector<int> bits = {2, 3, 4, 8};
  int group_size = 64;
  std::string folder;
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Row {
  std::string name;
  const WeightSet* weights = nullptr;
  ProductPrecision products = ProductPrecision::kFloat32;
  std::int64_t bytes = 0;  // of the blocks' matrices
  std::vector<double> prompt_s = {};
  std::vector<double> score_s = {};
  std::vector<double> decode_s = {};
};

class Bench {
 public:
  Bench(const Options& options, const Model& model)
      : options_(options), model_(model) {
    for (const ProductPrecision products :
         {ProductPrecision::kFloat32, ProductPrecision::kBfloat16}) {
      if (IsAvailable(products)) {
        transformers_.try_emplace(products, model, products);
      }
    }
    RandomStream stream(1, "bench/model");
    for (int t = 0; t < options.tokens; ++t) {
      tokens_.push_back(
          static_cast<int>(stream.UniformInt(options.shape.vocab)));
    }
    hidden_.resize(tokens_.size() *
                   static_cast<std::size_t>(options.shape.hidden));
    logits_.resize(static_cast<std::size_t>(options.shape.vocab));
    nll_.resize(tokens_.size() - 1);
  }

  void Measure(Row& row) {
    const auto width = static_cast<std::size_t>(options_.shape.hidden);
    const std::span<float> hidden(hidden_);
    Transformer& transformer = transformers_.at(row.products);
    const double start = CpuSeconds();
    transformer.RunBlocks(tokens_, *row.weights, hidden);
    const double blocks_s = CpuSeconds() - start;
    transformer.Logits(hidden.last(width), logits_);
    row.prompt_s.push_back(CpuSeconds() - start);
    const double head = CpuSeconds();
    transformer.NegativeLogLikelihood(hidden, tokens_, nll_);
    row.score_s.push_back(blocks_s + CpuSeconds() - head);
    constexpr int kSteps = 16;
    const double decode = CpuSeconds();
    for (int step = 0; step < kSteps; ++step) {
      transformer.RunBlocks(
          std::span(tokens_).subspan(static_cast<std::size_t>(step), 1),
          *row.weights,
          hidden.first(width));
    }
    row.decode_s.push_back((CpuSeconds() - decode) / kSteps);
  }

  void Print(const std::vector<Row>& rows) const {
    double weights = 0.0;
    for (int layer = 0; layer < options_.shape.layers; ++layer) {
      for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
        const UnitMatrix matrix =
            model_.linear_matrix(layer, static_cast<LinearKind>(kind));
        weights += static_cast<double>(matrix.rows * matrix.cols);
      }
    }
    const double prompt = Median(rows[0].prompt_s);
    const double decode = Median(rows[0].decode_s);
    std::printf("%.1f million weights in the blocks' linear layers\n",
                weights * 1e-6);
    std::printf(
        "weights            bytes  products  prompt tok/s  GFLOP/s  / dense  "
        "score tok/s  decode tok/s     GB/s  / dense\n");
    for (const Row& row : rows) {
      const double p = Median(row.prompt_s);
      const double d = Median(row.decode_s);
      std::printf(
          "%-10s %13lld  %8s  %12.0f  %7.1f  %7.2f  %11.0f  %12.1f  "
          "%7.2f  %7.2f\n",
          row.name.c_str(),
          static_cast<long long>(row.bytes),
          std::string(NameOf(row.products)).c_str(),
          options_.tokens / p,
          2e-9 * weights * options_.tokens / p,
          prompt / p,
          options_.tokens / Median(row.score_s),
          1.0 / d,
          1e-9 * static_cast<double>(row.bytes) / d,
          decode / d);
    }
  }

 private:
  const Options& options_;
  const Model& model_;
  std::map<ProductPrecision, Transformer> transformers_;
  std::vector<int> tokens_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
  std::vector<double> nll_;
};

Expected<void> Run(const Options& options) {
  Progress::SetEnabled(false);
  SetThreadCount(1);
  const fs::path folder = options.folder;
  if (const auto made = WriteRandomModel(options.shape, folder); !made)
    return made;
  const Expected<Model> model = Model::Load(folder);
  if (!model) return tl::unexpected(model.error());
  const auto quantizer = MakeQuantizer("quanto");
  const WeightSet dense = FullPrecisionWeights(*model);
  std::vector<QuantizedModel> packed;
  packed.reserve(options.bits.size());
  std::vector<Row> rows = {{.name = "float32", .weights = &dense}};
  for (const LinearWeight& weight : dense) {
    rows[0].bytes += 4 * weight.rows() * weight.cols();
  }
  for (const int bits : options.bits) {
    const FormatRule rule{{.bits = bits, .group_size = options.group_size},
                          true};
    auto made = QuantizedModel::Make(
        *model,
        MakeUniformPlan(
            MakeUnits(*model, Granularity::kMatrix), rule, "quanto"),
        **quantizer);
    if (!made) return tl::unexpected(made.error());
    packed.push_back(std::move(*made));
    rows.push_back({.name = std::to_string(bits) + " bit",
                    .weights = &packed.back().weights(),
                    .bytes = packed.back().packed_bytes()});
  }
  if (IsAvailable(ProductPrecision::kBfloat16)) {
    const std::vector<Row> float32 = rows;
    for (Row row : float32) {
      row.products = ProductPrecision::kBfloat16;
      rows.push_back(std::move(row));
    }
  }
  Bench bench(options, *model);
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    for (Row& row : rows) bench.Measure(row);
  }
  bench.Print(rows);
  return {};
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) {
  bitpact::Options options;
  CLI::App app("Tokens a second of a whole model, dense and packed");
  app.add_option("--folder", options.folder, "Where to write the random model")
      ->required();
  AddShapeFlags(app, options.shape);
  app.add_option("--tokens", options.tokens)->capture_default_str();
  app.add_option("--repetitions", options.repetitions)->capture_default_str();
  app.add_option("--bits", options.bits)->delimiter(',');
  app.add_option("--group-size", options.group_size)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto done = bitpact::Run(options);
  if (done) return 0;
  std::cerr << "model_bench: " << done.error().message << '\n';
  return 2;
}
