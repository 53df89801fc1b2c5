// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_ATTENTION_REVERSE_H_
#define BITPACT_MODELS_ATTENTION_REVERSE_H_

// models/attention.h's Attend backwards. With p = softmax of the scores s_tj =
// q_t . k_j / sqrt(head_dim), j <= t, and dX standing for dL/dX:
//
//   dv_j = sum_t p_tj dout_t            dp_tj = dout_t . v_j
//   ds_tj = p_tj (dp_tj - sum_i p_ti dp_ti)
//   dq_t = sum_j ds_tj k_j / sqrt(head_dim)
//   dk_j = sum_t ds_tj q_t / sqrt(head_dim)
//
// Keys and values sum over the query heads that share them. The probabilities
// are computed again from q and k, a tile of 64 positions at a time, instead of
// being kept: memory grows with tokens, not with tokens^2.

#include <span>
#include <vector>

#include "models/attention.h"

namespace bitpact {

// Memory that AttendReverse keeps between calls: about
// tokens * (3 * 64 + 5 * head_dim) floats.
struct AttentionReverseScratch {
  std::vector<float> queries;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> incoming;
  std::vector<float> key_gradient;
  std::vector<float> value_gradient;
  std::vector<float> query_gradient;
  std::vector<float> weights;
  std::vector<float> slopes;
  std::vector<float> turned;
};

// What Attend was called with, and its gradient.
struct AttentionReverseInput {
  std::span<const float> q;     // [tokens, num_heads * head_dim]
  std::span<const float> k;     // [tokens, num_kv_heads * head_dim]
  std::span<const float> v;     // like k
  std::span<const float> dout;  // like q
};

// dq like q, dk and dv like k; overwritten, no aliasing. O(tokens^2 * num_heads
// * head_dim).
void AttendReverse(const AttentionShape& shape,
                   const AttentionReverseInput& input,
                   std::span<float> dq,
                   std::span<float> dk,
                   std::span<float> dv,
                   AttentionReverseScratch& scratch);

}  // namespace bitpact

#endif  // BITPACT_MODELS_ATTENTION_REVERSE_H_
