// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_OUTSIDE_GAME_H_
#define BITPACT_ESTIMATORS_OUTSIDE_GAME_H_

// A game whose losses come from another program: one JSON line a question on
// its standard input, one a answer on its standard output. So a loss can be
// anything that a language with a GPU library computes, on a model of any size.
// docs/outside-metrics.md describes the protocol; docs/examples has a program.
//
// Several workers, each a running copy of the program, answer at once; a
// question goes to whichever is free, so the program's answer must depend on
// the question alone. A worker that dies or is silent too long is started again
// and asked the same question; an answer that makes no sense ends the run and
// is shown.

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/value_function.h"

namespace bitpact {

struct OutsideGameOptions {
  std::string command;  // for /bin/sh -c (core/line_process.h)
  int workers = 1;      // >= 1
  // For one answer, and for the greeting, which may load a model. > 0.
  double answer_timeout_s = 600.0;
};
Expected<void> Validate(const OutsideGameOptions& options);

class OutsideGame : public ValueFunction {
 public:
  static constexpr int kProtocolVersion = 1;
  // How often a question is asked again after a crash or silence.
  static constexpr int kMostRestarts = 2;

  // Starts the first worker and reads its greeting. option_names: [options],
  // the most precise first, as the program sees them ("4 bit").
  // kUnavailable: the program ended or was silent (says which and how);
  // kUnsupported: another protocol version; kInvalidArgument: a greeting that
  // makes no sense, shown.
  static Expected<std::unique_ptr<OutsideGame>> Create(
      const std::vector<Unit>& units,
      const std::vector<std::string>& option_names,
      const OutsideGameOptions& options);
  ~OutsideGame() override;

  [[nodiscard]] int num_units() const override { return num_units_; }
  [[nodiscard]] int num_options() const override { return num_options_; }
  // As the program stated; 1 token in 1 window when it did not.
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return window_tokens_;
  }
  [[nodiscard]] LossKind loss_kind() const override {
    return LossKind::kOutside;
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  [[nodiscard]] Expected<void> Stream(
      std::span<const FormatAssignment> assignments,
      const Taker& take) override;
  [[nodiscard]] bool streams() const override { return true; }

  // What the program calls itself: part of the memory's key, so a program that
  // changes its loss changes its name.
  [[nodiscard]] const std::string& program_name() const { return name_; }

 private:
  class Worker;
  OutsideGame(std::string greeting, OutsideGameOptions options);
  // Starts the worker when it does not run, and checks its greeting.
  Expected<void> Wake(Worker& worker);
  Expected<void> ReadGreeting(const std::string& line);
  Expected<Evaluation> Ask(Worker& worker,
                           const FormatAssignment& assignment,
                           std::size_t id);
  [[nodiscard]] Expected<Evaluation> ParseAnswer(const std::string& line,
                                                 std::size_t id) const;

  std::string greeting_;
  OutsideGameOptions options_;
  int num_units_ = 0;
  int num_options_ = 0;
  std::string name_;
  std::vector<double> window_tokens_;  // empty until the first greeting
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_OUTSIDE_GAME_H_
