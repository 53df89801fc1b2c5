// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MEMOISED_GAME_H_
#define BITPACT_ESTIMATORS_MEMOISED_GAME_H_

// Remembers every evaluation of another game, in memory and, when a file is
// given, on disk, so that nothing is evaluated twice: not by a second
// estimator, not by a later run, not after a crash.
//
// The file is text, one JSON value a line. The first line is the header of
// every bitpact file plus the game's key (model, tokens, quantizer, formats,
// units); each further line is {"options": "0110...", "nll": [a sum for each
// window]}, or {"options": "0110...", "window": 3, "nll": [its sum]} where one
// window alone was asked. Lines are appended and flushed to the disk batch by
// batch; a last line that a crash cut short is dropped when the file is opened
// again.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "estimators/value_function.h"

namespace bitpact {

class MemoisedGame : public ValueFunction {
 public:
  // In memory only. `game` must outlive this object.
  explicit MemoisedGame(ValueFunction& game);
  ~MemoisedGame() override;
  MemoisedGame(const MemoisedGame&) = delete;
  MemoisedGame& operator=(const MemoisedGame&) = delete;

  // Adds the file: reads it when it exists, starts it otherwise.
  // key: what the values depend on, field -> fingerprint. A file with another
  // key is kInvalidArgument and names the field that differs with both values;
  // a file that is damaged in the middle is kDataLoss with the line.
  Expected<void> AttachFile(const std::filesystem::path& file,
                            const std::map<std::string, std::string>& key);

  [[nodiscard]] int num_units() const override { return game_->num_units(); }
  [[nodiscard]] int num_options() const override {
    return game_->num_options();
  }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return game_->window_tokens();
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

 private:
  class LogFile;
  // Reads what the file holds; returns the bytes up to its last whole line.
  Expected<std::int64_t> RecallFile(
      const std::filesystem::path& file,
      const std::map<std::string, std::string>& key);
  Expected<void> EvaluateMissing(std::span<const FormatAssignment> missing);
  Expected<void> AskMissing(std::span<const WindowQuestion> missing);
  // The sum, where it is known.
  [[nodiscard]] const double* Find(const WindowQuestion& question) const;

  ValueFunction* game_;
  std::map<FormatAssignment, std::vector<double>> known_;
  std::map<std::pair<int, FormatAssignment>, double> known_windows_;
  std::unique_ptr<LogFile> log_;
  std::int64_t evaluations_ = 0;
  std::int64_t recalled_ = 0;
  double token_evaluations_ = 0.0;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MEMOISED_GAME_H_
