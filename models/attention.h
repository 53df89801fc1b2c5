// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_ATTENTION_H_
#define BITPACT_MODELS_ATTENTION_H_

// Rotary positions and causal grouped-query attention over one document.

#include <cstdint>
#include <span>
#include <vector>

namespace bitpact {

struct AttentionShape {
  int num_heads = 0;
  int num_kv_heads = 0;  // divides num_heads
  int head_dim = 0;      // even
};

// Angles t * theta^(-2i / head_dim) for positions 0.. and i < head_dim / 2, as
// cosines and sines; grows when a longer document comes. Computed in double,
// rounded once.
class RotaryTable {
 public:
  RotaryTable(int head_dim, float theta);

  // Makes positions 0..tokens-1 available.
  void Reserve(std::int64_t tokens);

  // Turns every head's vector at position t = row in place, rotate-half form
  // (Su et al., RoFormer, 2021, with the two halves of a vector as the pairs):
  //   a' = a cos - b sin, b' = b cos + a sin, a and b the halves.
  // x: [tokens, heads * head_dim], tokens <= the reserved ones.
  void Rotate(std::span<float> x, std::int64_t tokens, int heads) const;
  // The way back, which is also the gradient's: turns by minus the angle.
  void RotateBack(std::span<float> x, std::int64_t tokens, int heads) const;

 private:
  // direction: 1 or -1, of the angle.
  void Turn(std::span<float> x,
            std::int64_t tokens,
            int heads,
            float direction) const;
  int head_dim_;
  double theta_;
  std::vector<float> cosines_;  // [positions, head_dim / 2]
  std::vector<float> sines_;
};

// Memory that Attend needs, kept between calls: at most
// 2 * tokens * head_dim + 16 * (tokens + 2 * head_dim) floats.
struct AttentionScratch {
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> queries;
  std::vector<float> results;
  std::vector<float> scores;
};

// out[t, h] = sum_j<=t softmax_j(q[t, h] . k[j, g] / sqrt(head_dim)) v[j, g]
// where g = h / (num_heads / num_kv_heads).
// q, out: [tokens, num_heads * head_dim]; k, v: [tokens, num_kv_heads *
// head_dim]; row-major, not aliasing. Row t has the same bits for any number of
// tokens > t. O(tokens^2 * num_heads * head_dim).
void Attend(const AttentionShape& shape,
            std::span<const float> q,
            std::span<const float> k,
            std::span<const float> v,
            std::span<float> out,
            AttentionScratch& scratch);

}  // namespace bitpact

#endif  // BITPACT_MODELS_ATTENTION_H_
