// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_GAME_MEMORY_H_
#define BITPACT_ESTIMATORS_GAME_MEMORY_H_

// How much of a forward pass a game keeps, within a bound. What is kept is
// what need not be run again; values do not depend on it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"

namespace bitpact {

enum class KeptReference : std::uint8_t {
  kNone,          // the loss is not KL
  kWindowLogits,  // logits of every window, for good
  kLaneLogits,    // logits of the window that a thread works on
  kLaneHidden     // its last activations; logits again for every assignment
};

struct GameMemoryPlan {
  int lanes = 1;  // windows that are worked on at once
  // Whether the activations of every window stay between calls, so that a walk
  // goes on where the last one ended; otherwise those of a lane's window.
  bool all_windows = false;
  // 0: what enters each of the four stages of each block; k >= 1: what enters
  // block 0, k, 2k, ...
  int blocks_apart = 0;
  KeptReference reference = KeptReference::kNone;
  std::int64_t bytes = 0;

  bool operator==(const GameMemoryPlan&) const = default;
};

struct GameMemoryShape {
  int num_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t attended_size = 0;  // num_heads * head_dim
  std::int64_t intermediate_size = 0;
  std::int64_t vocab_size = 0;
  std::vector<std::int64_t> window_tokens;  // that are run
  bool needs_reference = false;             // KL
};
GameMemoryShape MakeMemoryShape(const Model& model,
                                const TokenSet& tokens,
                                bool needs_reference);

// The plan that keeps most within `limit` bytes, at most `threads` lanes: first
// all lanes, then as much as fits of: all windows or one a lane; stages, every
// block, every 2nd, 4th, ... block; the reference as far up the list above as
// fits. A plan's bytes are its activations, reference and the transformers'
// scratch memory. kInvalidArgument names the least bytes that would do.
// O(threads * log(layers) * windows).
Expected<GameMemoryPlan> PlanGameMemory(const GameMemoryShape& shape,
                                        std::int64_t limit,
                                        int threads);

// "stages of every window, 34.5 MB": for people.
std::string MemoryPlanText(const GameMemoryPlan& plan);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_GAME_MEMORY_H_
