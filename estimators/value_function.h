// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_VALUE_FUNCTION_H_
#define BITPACT_ESTIMATORS_VALUE_FUNCTION_H_

// The cooperative game that estimators play: units are players, an assignment
// gives every unit one of the candidate formats, and the value of an assignment
// is the loss of the model stored that way, in nats per predicted token. CoopQ
// (arXiv 2509.15455), section 3, eq. 3, takes the mean negative log-likelihood;
// the divergence from full precision and losses of outside programs are played
// the same way. With two formats the coalition S is the set of units at the
// high one.
//
// Formats ("options") are numbered from the most precise, 0, to the least. The
// loss is deterministic: the same tokens are used for every assignment.
//
// Implementations hand out losses as they come, also NaN and infinity;
// MemoisedGame (memoised_game.h) decides what becomes of those, so estimators,
// which play a MemoisedGame, see finite numbers only.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"

namespace bitpact {

// Option index of each unit, 0..num_options-1.
using FormatAssignment = std::vector<int>;

// What the loss of an assignment is.
enum class LossKind : std::uint8_t {
  kNll,      // mean -log p(token | before)
  kKl,       // mean KL(p_full precision || p) over the vocabulary
  kOutside,  // whatever an outside program answers
};
// "nll", "kl", "outside": the names in files and flags.
const char* LossKindName(LossKind kind);
// "nll" or "kl"; kInvalidArgument lists both.
Expected<LossKind> ParseLossKind(const std::string& name);

struct Evaluation {
  // Nats per predicted token.
  double loss = 0.0;
  // The part of every calibration window (a document, where the text has
  // documents; models/token_set.h): the sum of the loss over its predicted
  // tokens, in nats. loss = sum(window_loss) / sum(window_tokens of the game).
  std::vector<double> window_loss;
  // Of `loss`, windows being the independent draws (models/perplexity.h, ratio
  // estimate); 0 with one window.
  double standard_error = 0.0;
};

// One assignment on one calibration window.
struct WindowQuestion {
  int window = 0;  // index into window_tokens()
  FormatAssignment assignment;
};

class ValueFunction {
 public:
  virtual ~ValueFunction() = default;

  [[nodiscard]] virtual int num_units() const = 0;
  [[nodiscard]] virtual int num_options() const = 0;
  // Predicted tokens of every calibration window; at least one window.
  [[nodiscard]] virtual std::span<const double> window_tokens() const = 0;
  [[nodiscard]] virtual LossKind loss_kind() const { return LossKind::kNll; }

  // The loss of each assignment, in the order given. Handing over all
  // assignments that are known in advance lets implementations share work
  // between them. Each assignment: num_units() entries within range
  // (programmer's contract).
  [[nodiscard]] virtual Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) = 0;

  // For games whose evaluations arrive one by one, in any order, because other
  // processes make them: hands over each as soon as it is there, so that little
  // is lost when the run breaks off. `place` is an index into `assignments`; an
  // error of `take` ends the work and is returned. The default evaluates all,
  // then hands over.
  using Taker =
      std::function<Expected<void>(std::size_t place, Evaluation value)>;
  [[nodiscard]] virtual Expected<void> Stream(
      std::span<const FormatAssignment> assignments, const Taker& take);
  // Whether Stream does better than the default: then it is best given all
  // that is to be known at once.
  [[nodiscard]] virtual bool streams() const { return false; }

  // For designs that ask every window something else (a pair of orders of its
  // own for each document): the sum of the loss over the predicted tokens of
  // the question's window, in nats, one a question. The same bits as the entry
  // of window_loss that Evaluate gives. The default evaluates whole assignments
  // and picks; games that can run a window alone override it and pay only for
  // what is asked.
  [[nodiscard]] virtual Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions);
  // Whether EvaluateWindows pays only for the windows asked.
  [[nodiscard]] virtual bool runs_windows_alone() const { return false; }
};

// loss from the windows' sums.
double MeanLoss(std::span<const double> window_loss,
                std::span<const double> window_tokens);

// An evaluation with its mean and standard error from the windows' sums.
Evaluation MakeEvaluation(std::vector<double> window_loss,
                          std::span<const double> window_tokens);

// "0110": one character an option, digits and then letters; num_options <= 36.
std::string AssignmentText(std::span<const int> assignment);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_VALUE_FUNCTION_H_
