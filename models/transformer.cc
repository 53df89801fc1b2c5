// SPDX-License-Identifier: Apache-2.0
#include "models/transformer.h"

#include <algorithm>

#include "core/check.h"
#include "models/attention.h"
#include "models/elementwise.h"
#include "quant/matmul.h"
#include "quant/packed_matmul.h"

namespace bitpact {
namespace {

// Rows whose logits are computed at once: enough for a good product, few enough
// that the logits stay in the second-level cache.
constexpr std::int64_t kLogitBytes = std::int64_t{1} << 20;
// At least, and in steps of, three vectors of 16: no lane of a product is idle.
constexpr std::int64_t kLogitStep = 48;

std::size_t Size(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

const LinearWeight& Weight(std::span<const LinearWeight> block,
                           LinearKind kind) {
  return block[static_cast<std::size_t>(kind)];
}

// A matrix in memory that only grows.
class Buffer {
 public:
  std::span<float> Rows(std::int64_t rows, std::int64_t cols) {
    if (values_.size() < Size(rows, cols)) values_.resize(Size(rows, cols));
    return std::span(values_).first(Size(rows, cols));
  }

 private:
  std::vector<float> values_;
};

}  // namespace

LinearWeight::LinearWeight(std::span<const float> dense,
                           std::int64_t rows,
                           std::int64_t cols)
    : dense_(dense), rows_(rows), cols_(cols) {
  BITPACT_CHECK(dense.size() == Size(rows, cols), "dense is [rows, cols]");
}

LinearWeight::LinearWeight(const PackedMatrix* packed)
    : packed_(packed), rows_(packed->rows()), cols_(packed->cols()) {}

void LinearWeight::Multiply(std::span<const float> x,
                            std::span<float> y,
                            std::int64_t tokens,
                            ProductPrecision precision) const {
  BITPACT_CHECK(rows_ > 0 && cols_ > 0, "a weight is set");
  if (packed_ != nullptr) {
    PackedMatMul(x, *packed_, y, tokens, precision);
  } else {
    MatMulTransposed(x, dense_, y, tokens, cols_, rows_, precision);
  }
}

WeightSet FullPrecisionWeights(const Model& model) {
  WeightSet weights;
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
      const auto which = static_cast<LinearKind>(kind);
      const UnitMatrix matrix = model.linear_matrix(layer, which);
      const std::span<const float> dense = model.linear(layer, which);
      weights.push_back(dense.empty()
                            ? LinearWeight()
                            : LinearWeight(dense, matrix.rows, matrix.cols));
    }
  }
  return weights;
}

struct Transformer::Scratch {
  explicit Scratch(const ModelConfig& config)
      : rotary(config.head_dim, config.rope_theta) {}

  RotaryTable rotary;
  AttentionScratch attention;
  Buffer normed;
  Buffer q;
  Buffer k;
  Buffer v;
  Buffer attended;
  Buffer gate;
  Buffer up;
  Buffer projected;
  Buffer hidden;
  Buffer logits;
};

Transformer::Transformer(const Model& model, ProductPrecision products)
    : model_(&model),
      products_(products),
      scratch_(std::make_unique<Scratch>(model.config())) {
  BITPACT_CHECK(IsAvailable(products), "products of this precision");
}
Transformer::Transformer(Transformer&&) noexcept = default;
Transformer& Transformer::operator=(Transformer&&) noexcept = default;
Transformer::~Transformer() = default;

void Transformer::Embed(std::span<const int> tokens, std::span<float> hidden) {
  const ModelConfig& config = model_->config();
  BITPACT_CHECK(!tokens.empty(), "at least one token");
  BITPACT_CHECK(hidden.size() == Size(std::ssize(tokens), config.hidden_size),
                "hidden is [tokens, hidden_size]");
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    BITPACT_CHECK(tokens[t] >= 0 && tokens[t] < config.vocab_size,
                  "token ids are below vocab_size");
    std::ranges::copy(
        model_->embedding().subspan(Size(tokens[t], config.hidden_size),
                                    Size(1, config.hidden_size)),
        hidden.begin() + static_cast<std::ptrdiff_t>(t) * config.hidden_size);
  }
}

std::span<const float> Transformer::Normed(std::span<const float> hidden,
                                           std::span<const float> gain) {
  const std::span<float> normed =
      scratch_->normed.Rows(Rows(hidden), model_->config().hidden_size);
  RmsNorm(hidden, gain, model_->config().rms_norm_eps, normed);
  return normed;
}

void Transformer::AttendNormed(std::span<const LinearWeight> block,
                               std::span<const float> normed,
                               std::span<float> attended) {
  const ModelConfig& config = model_->config();
  const std::int64_t tokens = Rows(normed);
  const AttentionShape shape{
      config.num_heads, config.num_kv_heads, config.head_dim};
  const std::int64_t q_width = std::int64_t{shape.num_heads} * shape.head_dim;
  const std::int64_t kv_width =
      std::int64_t{shape.num_kv_heads} * shape.head_dim;
  BITPACT_CHECK(attended.size() == Size(tokens, q_width),
                "attended is [n, num_heads * head_dim]");
  Scratch& s = *scratch_;
  s.rotary.Reserve(tokens);
  const std::span<float> q = s.q.Rows(tokens, q_width);
  const std::span<float> k = s.k.Rows(tokens, kv_width);
  const std::span<float> v = s.v.Rows(tokens, kv_width);
  Weight(block, LinearKind::kQ).Multiply(normed, q, tokens, products_);
  Weight(block, LinearKind::kK).Multiply(normed, k, tokens, products_);
  Weight(block, LinearKind::kV).Multiply(normed, v, tokens, products_);
  s.rotary.Rotate(q, tokens, shape.num_heads);
  s.rotary.Rotate(k, tokens, shape.num_kv_heads);
  Attend(shape, q, k, v, attended, s.attention);
}

void Transformer::GateNormed(std::span<const LinearWeight> block,
                             std::span<const float> normed,
                             std::span<float> gated) {
  const std::int64_t width = model_->config().intermediate_size;
  const std::int64_t tokens = Rows(normed);
  BITPACT_CHECK(gated.size() == Size(tokens, width),
                "gated is [n, intermediate_size]");
  const std::span<float> up = scratch_->up.Rows(tokens, width);
  Weight(block, LinearKind::kGate).Multiply(normed, gated, tokens, products_);
  Weight(block, LinearKind::kUp).Multiply(normed, up, tokens, products_);
  SwiGlu(gated, up);
}

void Transformer::RunAttention(int layer,
                               std::span<const LinearWeight> block,
                               std::span<const float> hidden,
                               std::span<float> attended) {
  AttendNormed(block, Normed(hidden, model_->attention_norm(layer)), attended);
}

void Transformer::RunOutput(std::span<const LinearWeight> block,
                            std::span<const float> attended,
                            std::span<const float> hidden,
                            std::span<float> middle) {
  AddProduct(block, LinearKind::kO, attended, hidden, middle);
}

void Transformer::RunGate(int layer,
                          std::span<const LinearWeight> block,
                          std::span<const float> middle,
                          std::span<float> gated) {
  GateNormed(block, Normed(middle, model_->mlp_norm(layer)), gated);
}

void Transformer::RunDown(std::span<const LinearWeight> block,
                          std::span<const float> gated,
                          std::span<const float> middle,
                          std::span<float> out) {
  AddProduct(block, LinearKind::kDown, gated, middle, out);
}

void Transformer::AddProduct(std::span<const LinearWeight> block,
                             LinearKind kind,
                             std::span<const float> x,
                             std::span<const float> residual,
                             std::span<float> out) {
  const std::int64_t tokens = Rows(residual);
  BITPACT_CHECK(out.size() == residual.size(), "out is [n, hidden_size]");
  const std::span<float> projected =
      scratch_->projected.Rows(tokens, model_->config().hidden_size);
  Weight(block, kind).Multiply(x, projected, tokens, products_);
  if (out.data() != residual.data()) std::ranges::copy(residual, out.begin());
  AddTo(projected, out);
}

std::int64_t Transformer::Rows(std::span<const float> hidden) const {
  const std::int64_t width = model_->config().hidden_size;
  const std::int64_t tokens = std::ssize(hidden) / width;
  BITPACT_CHECK(hidden.size() == Size(tokens, width) && tokens > 0,
                "hidden is [tokens, hidden_size]");
  return tokens;
}

void Transformer::RunBlock(int layer,
                           std::span<const LinearWeight> block,
                           std::span<float> hidden,
                           const InputListener& listener) {
  const ModelConfig& config = model_->config();
  BITPACT_CHECK(block.size() == kLinearsPerBlock, "one weight a kind");
  const std::int64_t tokens = Rows(hidden);
  const auto go_on = [&](LinearKind kind, std::span<const float> x) {
    return !listener || listener(kind, x);
  };
  const std::span<float> attended = scratch_->attended.Rows(
      tokens, std::int64_t{config.num_heads} * config.head_dim);
  const std::span<float> gated =
      scratch_->gate.Rows(tokens, config.intermediate_size);
  const auto normed = Normed(hidden, model_->attention_norm(layer));
  if (!go_on(LinearKind::kQ, normed)) return;
  AttendNormed(block, normed, attended);
  if (!go_on(LinearKind::kO, attended)) return;
  RunOutput(block, attended, hidden, hidden);
  const auto normed_again = Normed(hidden, model_->mlp_norm(layer));
  if (!go_on(LinearKind::kGate, normed_again)) return;
  GateNormed(block, normed_again, gated);
  if (!go_on(LinearKind::kDown, gated)) return;
  RunDown(block, gated, hidden, hidden);
}

void Transformer::Logits(std::span<const float> hidden,
                         std::span<float> logits) {
  const ModelConfig& config = model_->config();
  const std::int64_t width = config.hidden_size;
  const std::int64_t vocab = config.vocab_size;
  const std::int64_t tokens = std::ssize(hidden) / width;
  BITPACT_CHECK(hidden.size() == Size(tokens, width) &&
                    logits.size() == Size(tokens, vocab),
                "hidden is [n, hidden_size], logits [n, vocab_size]");
  const std::span<float> normed = scratch_->normed.Rows(tokens, width);
  RmsNorm(hidden, model_->final_norm(), config.rms_norm_eps, normed);
  MatMulTransposed(
      normed, model_->head(), logits, tokens, width, vocab, products_);
}

void Transformer::NegativeLogLikelihood(std::span<const float> hidden,
                                        std::span<const int> tokens,
                                        std::span<double> nll) {
  const std::int64_t width = model_->config().hidden_size;
  const std::int64_t vocab = model_->config().vocab_size;
  const std::int64_t predicted = std::ssize(tokens) - 1;
  BITPACT_CHECK((hidden.size() == Size(predicted, width) ||
                 hidden.size() == Size(predicted + 1, width)) &&
                    std::ssize(nll) == predicted,
                "hidden is [n or n - 1, hidden_size], nll [n - 1]");
  const std::int64_t step = LogitRows();
  for (std::int64_t first = 0; first < predicted; first += step) {
    const std::int64_t rows = std::min(step, predicted - first);
    const std::span<float> logits = scratch_->logits.Rows(rows, vocab);
    Logits(hidden.subspan(Size(first, width), Size(rows, width)), logits);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto t = static_cast<std::size_t>(first + row);
      const auto line = logits.subspan(Size(row, vocab), Size(1, vocab));
      const auto next = static_cast<std::size_t>(tokens[t + 1]);
      nll[t] = LogSumExp(line) - static_cast<double>(line[next]);
    }
  }
}

std::int64_t Transformer::LogitRows() const {
  const std::int64_t row_bytes =
      std::int64_t{model_->config().vocab_size} * std::int64_t{sizeof(float)};
  return std::max<std::int64_t>(kLogitBytes / row_bytes / kLogitStep, 1) *
         kLogitStep;
}

void Transformer::RunBlocks(std::span<const int> tokens,
                            const WeightSet& weights,
                            std::span<float> hidden) {
  const int layers = model_->config().num_layers;
  BITPACT_CHECK(
      std::ssize(weights) == std::ptrdiff_t{layers} * kLinearsPerBlock,
      "kLinearsPerBlock weights a layer");
  Embed(tokens, hidden);
  for (int layer = 0; layer < layers; ++layer) {
    RunBlock(layer,
             std::span(weights).subspan(Size(layer, kLinearsPerBlock),
                                        kLinearsPerBlock),
             hidden);
  }
}

void Transformer::Run(std::span<const int> tokens,
                      const WeightSet& weights,
                      std::span<float> logits) {
  const std::span<float> hidden =
      scratch_->hidden.Rows(std::ssize(tokens), model_->config().hidden_size);
  RunBlocks(tokens, weights, hidden);
  Logits(hidden, logits);
}

}  // namespace bitpact
