// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MPI_GAME_H_
#define BITPACT_ESTIMATORS_MPI_GAME_H_

// A game that the ranks of an MPI run play together: rank 0 hands out chunks of
// neighbouring assignments (which share prefixes) to whichever rank is free and
// collects the windows' sums; rank 0 itself does not evaluate, so N ranks are
// N - 1 players. Sums arrive as the bits that were computed, so results equal a
// single process's; only the order of lines in evaluations.jsonl differs.

#include <span>
#include <vector>

#include "core/error.h"
#include "estimators/mpi_ranks.h"
#include "estimators/value_function.h"

namespace bitpact {

// Rank 0's side. `game` gives the shape and is not evaluated here.
class MpiGame : public ValueFunction {
 public:
  // Both must outlive this object; ranks.size() > 1, ranks.leads().
  MpiGame(MpiRanks& ranks, const ValueFunction& game);

  [[nodiscard]] int num_units() const override { return game_->num_units(); }
  [[nodiscard]] int num_options() const override {
    return game_->num_options();
  }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return game_->window_tokens();
  }
  [[nodiscard]] LossKind loss_kind() const override {
    return game_->loss_kind();
  }
  [[nodiscard]] bool streams() const override { return true; }
  [[nodiscard]] bool runs_windows_alone() const override {
    return game_->runs_windows_alone();
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  // Errors of a rank's game are passed on with the rank.
  [[nodiscard]] Expected<void> Stream(
      std::span<const FormatAssignment> assignments,
      const Taker& take) override;
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;

 private:
  struct Chunk;
  using ChunkTaker =
      std::function<Expected<void>(const Chunk&, const std::vector<double>&)>;
  // Hands out all chunks; after an error only waits for what is under way.
  Expected<void> Share(std::span<const Chunk> chunks, const ChunkTaker& take);

  MpiRanks* ranks_;
  const ValueFunction* game_;
};

// The other ranks' side: evaluates what rank 0 asks until it sends this rank
// home. Errors of the game go to rank 0.
Expected<void> ServeMpiGame(MpiRanks& ranks, ValueFunction& game);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MPI_GAME_H_
