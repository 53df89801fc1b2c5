// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MEMOISED_GAME_H_
#define BITPACT_ESTIMATORS_MEMOISED_GAME_H_

// Remembers every evaluation of another game, in memory and, when a file is
// given, on disk, so that nothing is evaluated twice: not by a second
// estimator, not by a later run, not after a crash.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "estimators/evaluation_file.h"
#include "estimators/value_function.h"

namespace bitpact {

// What becomes of an assignment whose loss is NaN or infinite: the quantized
// model broke down, or an outside program said so.
enum class NonFiniteLoss : std::uint8_t {
  // Evaluate returns kInvalidArgument naming the assignment; what was evaluated
  // before it is kept, in the file too.
  kStop,
  // The assignment counts as infinitely bad: its loss is kStandInLoss on every
  // token, a number that estimators can subtract and that no plan survives.
  kInfinite
};
// Nats per predicted token; the perplexity of less overflows a double.
inline constexpr double kStandInLoss = 1000.0;

struct MemoisedGameOptions {
  NonFiniteLoss on_non_finite = NonFiniteLoss::kStop;
  // For messages; empty, or one a unit.
  std::vector<std::string> unit_names;
};

class MemoisedGame : public ValueFunction {
 public:
  // In memory only. `game` must outlive this object.
  explicit MemoisedGame(ValueFunction& game, MemoisedGameOptions options = {});
  ~MemoisedGame() override;
  MemoisedGame(const MemoisedGame&) = delete;
  MemoisedGame& operator=(const MemoisedGame&) = delete;

  // Adds the file: reads it when it exists, starts it otherwise. Errors are
  // those of EvaluationFile::Open.
  Expected<void> AttachFile(const std::filesystem::path& file,
                            const std::map<std::string, std::string>& key);

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
  // Evaluates the assignments that are not known yet in batches of neighbours,
  // with a progress bar, and appends each batch to the file.
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;

  // Questions about windows of known assignments, and known questions, cost
  // nothing.
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;

  // Assignments evaluated by the inner game through this object.
  [[nodiscard]] std::int64_t evaluations() const { return evaluations_; }
  // Predicted tokens that the inner game ran through this object, for whole
  // assignments and for single windows: the cost that estimators report.
  [[nodiscard]] double token_evaluations() const { return token_evaluations_; }
  // Assignments that were read from the file.
  [[nodiscard]] std::int64_t recalled() const { return recalled_; }
  // Assignments and windows known here whose loss was not finite (kInfinite
  // only).
  [[nodiscard]] std::int64_t non_finite() const { return non_finite_; }

 private:
  Expected<void> EvaluateMissing(std::span<const FormatAssignment> missing);
  // For games that stream: all at once, kept about every second.
  Expected<void> StreamMissing(std::span<const FormatAssignment> missing);
  Expected<void> AskMissing(std::span<const WindowQuestion> missing);
  // Appends the batch to the file and remembers it, up to the first loss that
  // stops the run.
  Expected<void> Keep(std::vector<EvaluationLine> batch);
  // False when the loss is not finite and the run is to stop.
  bool Remember(EvaluationLine line);
  [[nodiscard]] Error NonFiniteError(const EvaluationLine& line) const;
  // The sum, where it is known.
  [[nodiscard]] const double* Find(const WindowQuestion& question) const;

  ValueFunction* game_;
  MemoisedGameOptions options_;
  std::map<FormatAssignment, std::vector<double>> known_;
  std::map<std::pair<int, FormatAssignment>, double> known_windows_;
  std::unique_ptr<EvaluationFile> file_;
  std::int64_t evaluations_ = 0;
  std::int64_t recalled_ = 0;
  std::int64_t non_finite_ = 0;
  double token_evaluations_ = 0.0;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MEMOISED_GAME_H_
