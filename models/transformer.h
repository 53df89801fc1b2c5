// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_TRANSFORMER_H_
#define BITPACT_MODELS_TRANSFORMER_H_

// The forward pass, one document at a time, block by block, so that callers can
// keep the activations between blocks and rerun only what changed. Weights are
// handed in for every call: exchanging a format is exchanging a pointer.
//
// float32 throughout; softmax and log-sum-exp subtract the maximum first.
// Results are bit-reproducible on one instruction set: a document's activations
// do not depend on which thread runs it nor on what was run before.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "models/model.h"
#include "quant/packed_matrix.h"
#include "quant/product_precision.h"

namespace bitpact {

// One linear layer's weight [rows, cols]: dense float32 or packed. Does not
// own.
class LinearWeight {
 public:
  LinearWeight() = default;
  LinearWeight(std::span<const float> dense,
               std::int64_t rows,
               std::int64_t cols);
  explicit LinearWeight(const PackedMatrix* packed);

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t cols() const { return cols_; }
  [[nodiscard]] const PackedMatrix* packed() const { return packed_; }
  [[nodiscard]] std::span<const float> dense() const { return dense_; }

  // y = x * w^T; x: [tokens, cols], y: [tokens, rows]. Not empty.
  void Multiply(std::span<const float> x,
                std::span<float> y,
                std::int64_t tokens,
                ProductPrecision precision = ProductPrecision::kFloat32) const;

 private:
  std::span<const float> dense_;
  const PackedMatrix* packed_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

// The weight of linear (layer, kind) at [layer * kLinearsPerBlock + kind].
using WeightSet = std::vector<LinearWeight>;

// The model's own weights; valid as long as the model. A matrix that the model
// does not hold (Model::LoadWithout) gets an empty LinearWeight, to be replaced
// before it is run.
WeightSet FullPrecisionWeights(const Model& model);

// Scratch memory and rotary tables for one thread; not thread-safe, cheap to
// keep. Memory: about tokens * (6 * hidden + 2 * intermediate) * 4 bytes for
// the longest document seen, plus at most max(1 MiB, 32 rows) of logits. A row
// of hidden or logits depends on the tokens up to it alone and has the same
// bits for any number of tokens behind it. Broken shapes are CHECKed.
class Transformer {
 public:
  // The model must outlive this object.
  // products: of the linear layers and of the head; available (CHECK).
  // Attention is float32.
  explicit Transformer(const Model& model,
                       ProductPrecision products = ProductPrecision::kFloat32);
  Transformer(Transformer&&) noexcept;
  Transformer& operator=(Transformer&&) noexcept;
  ~Transformer();

  // tokens: at least one id < vocab_size. hidden: [tokens, hidden_size]. More
  // tokens than the context run as well; the model has not learned them.
  void Embed(std::span<const int> tokens, std::span<float> hidden);

  // Sees x [n, cols], what the linear layers of `kind` and those that share
  // its input are about to receive: kQ (also k and v), kO, kGate (also up),
  // kDown, in this order. False ends the block there, with hidden spoilt.
  using InputListener =
      std::function<bool(LinearKind kind, std::span<const float> x)>;

  // Runs block `layer` in place. block: its kLinearsPerBlock weights.
  // hidden: [n, hidden_size] at positions 0..n-1, causal attention.
  void RunBlock(int layer,
                std::span<const LinearWeight> block,
                std::span<float> hidden,
                const InputListener& listener = nullptr);

  // The block in four stages, cut where its linear layers change their input
  // (models/calibration.h, LinearStages), for callers that keep what lies
  // between them. One after the other they give RunBlock's bits.
  //   RunAttention   hidden [n, hidden_size] -> attended [n, heads * head_dim]
  //   RunOutput      attended, hidden        -> middle [n, hidden_size]
  //   RunGate        middle                  -> gated [n, intermediate_size]
  //   RunDown        gated, middle           -> out [n, hidden_size]
  // Outputs do not alias inputs, but for middle = hidden and out = middle.
  void RunAttention(int layer,
                    std::span<const LinearWeight> block,
                    std::span<const float> hidden,
                    std::span<float> attended);
  void RunOutput(std::span<const LinearWeight> block,
                 std::span<const float> attended,
                 std::span<const float> hidden,
                 std::span<float> middle);
  void RunGate(int layer,
               std::span<const LinearWeight> block,
               std::span<const float> middle,
               std::span<float> gated);
  void RunDown(std::span<const LinearWeight> block,
               std::span<const float> gated,
               std::span<const float> middle,
               std::span<float> out);

  // Logits after the last block: hidden [n, hidden_size] -> [n, vocab_size].
  void Logits(std::span<const float> hidden, std::span<float> logits);

  // nll[t] = -log p(tokens[t + 1] | tokens[0..t]) in nats, t = 0..n-2, from the
  // activations after the last block. tokens: [n], nll: [n - 1]; hidden: [n,
  // hidden_size] or [n - 1, hidden_size], since the last token is predicted
  // only and need not be run.
  void NegativeLogLikelihood(std::span<const float> hidden,
                             std::span<const int> tokens,
                             std::span<double> nll);

  // Rows that NegativeLogLikelihood hands to Logits at once, a multiple of 48:
  // callers that need logits themselves keep memory small by the same step.
  [[nodiscard]] std::int64_t LogitRows() const;

  // Embed and all blocks. hidden: [tokens, hidden_size].
  void RunBlocks(std::span<const int> tokens,
                 const WeightSet& weights,
                 std::span<float> hidden);

  // All of the above: the logits of a document under `weights`. logits:
  // [tokens, vocab_size].
  void Run(std::span<const int> tokens,
           const WeightSet& weights,
           std::span<float> logits);

 private:
  struct Scratch;
  // Between norm and product, for the listener of RunBlock.
  std::span<const float> Normed(std::span<const float> hidden,
                                std::span<const float> gain);
  void AttendNormed(std::span<const LinearWeight> block,
                    std::span<const float> normed,
                    std::span<float> attended);
  void GateNormed(std::span<const LinearWeight> block,
                  std::span<const float> normed,
                  std::span<float> gated);
  // out = residual + x * w^T.
  void AddProduct(std::span<const LinearWeight> block,
                  LinearKind kind,
                  std::span<const float> x,
                  std::span<const float> residual,
                  std::span<float> out);
  // n of hidden [n, hidden_size].
  [[nodiscard]] std::int64_t Rows(std::span<const float> hidden) const;

  const Model* model_;
  ProductPrecision products_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_TRANSFORMER_H_
