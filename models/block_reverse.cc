// SPDX-License-Identifier: Apache-2.0
#include "models/block_reverse.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "models/attention.h"
#include "models/attention_reverse.h"
#include "models/elementwise.h"
#include "models/elementwise_reverse.h"

namespace bitpact {
namespace {

using Matrix = std::vector<float>;

const LinearWeight& Weight(std::span<const LinearWeight> block,
                           LinearKind kind) {
  return block[static_cast<std::size_t>(kind)];
}

}  // namespace

// Names as in Transformer::RunBlock; d_x is dL/dx.
struct BlockReverse::Trace {
  explicit Trace(const ModelConfig& config)
      : rotary(config.head_dim, config.rope_theta) {}

  // y = x w^T, y made to fit.
  void Multiply(const LinearWeight& weight, const Matrix& x, Matrix& y) const {
    y.resize(static_cast<std::size_t>(tokens * weight.rows()));
    weight.Multiply(x, y, tokens);
  }
  // dx = dy w, dx made to fit.
  void MultiplyBack(const LinearWeight& weight,
                    std::span<const float> dy,
                    Matrix& dx) {
    dx.assign(static_cast<std::size_t>(tokens * weight.cols()), 0.0F);
    AddInputGradient(weight, dy, dx, tokens, linear);
  }

  RotaryTable rotary;
  AttentionScratch attention;
  AttentionReverseScratch attention_reverse;
  LinearReverseScratch linear;
  int layer = -1;
  std::int64_t tokens = 0;
  Matrix entering;
  Matrix normed;
  Matrix q;
  Matrix k;
  Matrix v;
  Matrix attended;
  Matrix middle;  // behind the attention
  Matrix mlp_normed;
  Matrix gate;
  Matrix up;
  Matrix product;  // silu(gate) * up
  Matrix projected;
  Matrix d_normed;
  Matrix d_q;
  Matrix d_k;
  Matrix d_v;
  Matrix d_attended;
  Matrix d_gate;
  Matrix d_up;  // also of `product`
};

BlockReverse::BlockReverse(const Model& model)
    : model_(&model), trace_(std::make_unique<Trace>(model.config())) {}
BlockReverse::BlockReverse(BlockReverse&&) noexcept = default;
BlockReverse& BlockReverse::operator=(BlockReverse&&) noexcept = default;
BlockReverse::~BlockReverse() = default;

void BlockReverse::Forward(int layer,
                           std::span<const LinearWeight> block,
                           std::span<float> hidden) {
  using enum LinearKind;
  const ModelConfig& config = model_->config();
  Trace& t = *trace_;
  t.layer = layer;
  t.tokens = std::ssize(hidden) / config.hidden_size;
  BITPACT_CHECK(block.size() == kLinearsPerBlock, "one weight a kind");
  BITPACT_CHECK(
      t.tokens > 0 && std::ssize(hidden) == t.tokens * config.hidden_size,
      "hidden is [tokens, hidden_size]");
  t.rotary.Reserve(t.tokens);
  t.entering.assign(hidden.begin(), hidden.end());
  t.normed.resize(hidden.size());
  RmsNorm(hidden, model_->attention_norm(layer), config.rms_norm_eps, t.normed);
  t.Multiply(Weight(block, kQ), t.normed, t.q);
  t.Multiply(Weight(block, kK), t.normed, t.k);
  t.Multiply(Weight(block, kV), t.normed, t.v);
  t.rotary.Rotate(t.q, t.tokens, config.num_heads);
  t.rotary.Rotate(t.k, t.tokens, config.num_kv_heads);
  t.attended.resize(t.q.size());
  Attend({config.num_heads, config.num_kv_heads, config.head_dim},
         t.q,
         t.k,
         t.v,
         t.attended,
         t.attention);
  t.Multiply(Weight(block, kO), t.attended, t.projected);
  AddTo(t.projected, hidden);

  t.middle.assign(hidden.begin(), hidden.end());
  t.mlp_normed.resize(hidden.size());
  RmsNorm(hidden, model_->mlp_norm(layer), config.rms_norm_eps, t.mlp_normed);
  t.Multiply(Weight(block, kGate), t.mlp_normed, t.gate);
  t.Multiply(Weight(block, kUp), t.mlp_normed, t.up);
  t.product = t.gate;
  SwiGlu(t.product, t.up);
  t.Multiply(Weight(block, kDown), t.product, t.projected);
  AddTo(t.projected, hidden);
}

void BlockReverse::Show(const LinearVisitor& visitor,
                        LinearKind kind,
                        std::span<const float> x,
                        std::span<const float> dy) const {
  if (!visitor) return;
  const std::int64_t tokens = trace_->tokens;
  visitor({.layer = trace_->layer,
           .kind = kind,
           .tokens = tokens,
           .rows = std::ssize(dy) / tokens,
           .cols = std::ssize(x) / tokens,
           .x = x,
           .dy = dy});
}

void BlockReverse::Backward(std::span<const LinearWeight> block,
                            std::span<float> gradient,
                            const LinearVisitor& visitor) {
  BITPACT_CHECK(trace_->layer >= 0, "Forward comes first");
  BITPACT_CHECK(block.size() == kLinearsPerBlock, "one weight a kind");
  BITPACT_CHECK(gradient.size() == trace_->entering.size(),
                "gradient is [tokens, hidden_size]");
  BackwardMlp(block, gradient, visitor);
  BackwardAttention(block, gradient, visitor);
}

void BlockReverse::BackwardMlp(std::span<const LinearWeight> block,
                               std::span<float> gradient,
                               const LinearVisitor& visitor) {
  using enum LinearKind;
  Trace& t = *trace_;
  Show(visitor, kDown, t.product, gradient);
  t.MultiplyBack(Weight(block, kDown), gradient, t.d_up);
  t.d_gate.resize(t.d_up.size());
  SwiGluReverse(t.gate, t.up, t.d_up, t.d_gate, t.d_up);
  Show(visitor, kUp, t.mlp_normed, t.d_up);
  Show(visitor, kGate, t.mlp_normed, t.d_gate);
  t.MultiplyBack(Weight(block, kUp), t.d_up, t.d_normed);
  AddInputGradient(
      Weight(block, kGate), t.d_gate, t.d_normed, t.tokens, t.linear);
  // The residual's share is there already.
  RmsNormReverse(t.middle,
                 model_->mlp_norm(t.layer),
                 model_->config().rms_norm_eps,
                 t.d_normed,
                 gradient);
}

void BlockReverse::BackwardAttention(std::span<const LinearWeight> block,
                                     std::span<float> gradient,
                                     const LinearVisitor& visitor) {
  using enum LinearKind;
  const ModelConfig& config = model_->config();
  Trace& t = *trace_;
  Show(visitor, kO, t.attended, gradient);
  t.MultiplyBack(Weight(block, kO), gradient, t.d_attended);
  t.d_q.resize(t.q.size());
  t.d_k.resize(t.k.size());
  t.d_v.resize(t.v.size());
  AttendReverse({config.num_heads, config.num_kv_heads, config.head_dim},
                {.q = t.q, .k = t.k, .v = t.v, .dout = t.d_attended},
                t.d_q,
                t.d_k,
                t.d_v,
                t.attention_reverse);
  t.rotary.RotateBack(t.d_q, t.tokens, config.num_heads);
  t.rotary.RotateBack(t.d_k, t.tokens, config.num_kv_heads);
  Show(visitor, kV, t.normed, t.d_v);
  Show(visitor, kK, t.normed, t.d_k);
  Show(visitor, kQ, t.normed, t.d_q);
  t.MultiplyBack(Weight(block, kV), t.d_v, t.d_normed);
  AddInputGradient(Weight(block, kK), t.d_k, t.d_normed, t.tokens, t.linear);
  AddInputGradient(Weight(block, kQ), t.d_q, t.d_normed, t.tokens, t.linear);
  RmsNormReverse(t.entering,
                 model_->attention_norm(t.layer),
                 config.rms_norm_eps,
                 t.d_normed,
                 gradient);
}

}  // namespace bitpact
