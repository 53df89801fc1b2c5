// SPDX-License-Identifier: Apache-2.0
#include "estimators/game_memory.h"

#include <algorithm>
#include <numeric>

#include "core/budget.h"
#include "core/check.h"

namespace bitpact {
namespace {

constexpr std::int64_t kFloat = sizeof(float);

// Floats a token that a trail of activations takes: see ModelGame's Trail.
std::int64_t TrailWidth(const GameMemoryShape& shape, int blocks_apart) {
  const std::int64_t inner =
      shape.attended_size + shape.hidden_size + shape.intermediate_size;
  if (blocks_apart == 0) {
    return shape.hidden_size + shape.num_layers * (inner + shape.hidden_size);
  }
  const std::int64_t kept = 1 + (shape.num_layers - 1) / blocks_apart;
  return kept * shape.hidden_size + inner + shape.hidden_size;
}

std::int64_t ScratchBytes(const GameMemoryShape& shape, std::int64_t tokens) {
  // models/transformer.h.
  constexpr std::int64_t kLogits = std::int64_t{1} << 20;
  constexpr std::int64_t kRows = 48;
  return tokens * (6 * shape.hidden_size + 2 * shape.intermediate_size) *
             kFloat +
         std::max(kLogits, kRows * shape.vocab_size * kFloat);
}

std::int64_t PlanBytes(const GameMemoryShape& shape,
                       const GameMemoryPlan& plan) {
  const std::int64_t longest = *std::ranges::max_element(shape.window_tokens);
  const std::int64_t all = std::accumulate(
      shape.window_tokens.begin(), shape.window_tokens.end(), std::int64_t{0});
  const std::int64_t lanes = plan.lanes * longest;
  std::int64_t bytes = plan.lanes * ScratchBytes(shape, longest);
  bytes += (plan.all_windows ? all : lanes) *
           TrailWidth(shape, plan.blocks_apart) * kFloat;
  switch (plan.reference) {
    case KeptReference::kNone:
      break;
    case KeptReference::kWindowLogits:
      bytes += all * shape.vocab_size * kFloat;
      break;
    case KeptReference::kLaneLogits:
      bytes += lanes * shape.vocab_size * kFloat;
      break;
    case KeptReference::kLaneHidden:
      break;
  }
  // The reference's own last activations, and a second slab of logits.
  if (shape.needs_reference) {
    bytes += lanes * shape.hidden_size * kFloat +
             plan.lanes * ScratchBytes(shape, 0);
  }
  return bytes;
}

// All plans for a number of lanes, the one that keeps most first.
std::vector<GameMemoryPlan> Plans(const GameMemoryShape& shape, int lanes) {
  std::vector<std::pair<bool, int>> trails = {{true, 0}, {false, 0}};
  for (int apart = 1; apart < 2 * shape.num_layers; apart *= 2) {
    trails.emplace_back(false, std::min(apart, shape.num_layers));
  }
  std::vector<KeptReference> references = {KeptReference::kNone};
  if (shape.needs_reference) {
    references = {KeptReference::kWindowLogits,
                  KeptReference::kLaneLogits,
                  KeptReference::kLaneHidden};
  }
  std::vector<GameMemoryPlan> plans;
  for (const auto& [all_windows, apart] : trails) {
    for (const KeptReference reference : references) {
      GameMemoryPlan plan{.lanes = lanes,
                          .all_windows = all_windows,
                          .blocks_apart = apart,
                          .reference = reference,
                          .bytes = 0};
      plan.bytes = PlanBytes(shape, plan);
      plans.push_back(plan);
    }
  }
  return plans;
}

}  // namespace

GameMemoryShape MakeMemoryShape(const Model& model,
                                const TokenSet& tokens,
                                bool needs_reference) {
  const ModelConfig& config = model.config();
  GameMemoryShape shape;
  shape.num_layers = config.num_layers;
  shape.hidden_size = config.hidden_size;
  shape.attended_size = std::int64_t{config.num_heads} * config.head_dim;
  shape.intermediate_size = config.intermediate_size;
  shape.vocab_size = config.vocab_size;
  shape.needs_reference = needs_reference;
  for (const TokenWindow& window : tokens.windows) {
    // The last token is only predicted.
    shape.window_tokens.push_back(std::ssize(window.tokens) - 1);
  }
  return shape;
}

Expected<GameMemoryPlan> PlanGameMemory(const GameMemoryShape& shape,
                                        std::int64_t limit,
                                        int threads) {
  BITPACT_CHECK(
      !shape.window_tokens.empty() && threads > 0 && shape.num_layers > 0,
      "a window, a thread and a layer");
  const int most = static_cast<int>(
      std::min<std::int64_t>(threads, std::ssize(shape.window_tokens)));
  std::int64_t least = 0;
  for (int lanes = most; lanes > 0; --lanes) {
    for (const GameMemoryPlan& plan : Plans(shape, lanes)) {
      if (plan.bytes <= limit) return plan;
      least = plan.bytes;
    }
  }
  return InvalidArgument("--game-memory = " + FormatCount(limit) +
                         " bytes: the game's activations take at least " +
                         FormatCount(least) +
                         " bytes; a shorter --window takes fewer");
}

std::string MemoryPlanText(const GameMemoryPlan& plan) {
  std::string text = plan.blocks_apart == 0 ? "every stage" : "every block";
  if (plan.blocks_apart > 1) {
    text = "every " + std::to_string(plan.blocks_apart) + " blocks";
  }
  return text + " of " +
         (plan.all_windows ? std::string("all windows")
                           : std::to_string(plan.lanes) + " windows") +
         ", " + FormatCount(plan.bytes) + " bytes";
}

}  // namespace bitpact
