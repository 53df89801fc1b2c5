// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_VALUE_FUNCTION_H_
#define BITPACT_ESTIMATORS_VALUE_FUNCTION_H_

// The cooperative game that estimators play: units are players, an assignment
// gives every unit one of the candidate formats, and the value of an assignment
// is the loss of the model stored that way. CoopQ (arXiv 2509.15455), section
// 3, eq. 3: mean negative log-likelihood per predicted token, in nats. With two
// formats the coalition S is the set of units at the high one.
//
// Formats ("options") are numbered from the most precise, 0, to the least. The
// loss is deterministic: the same tokens are used for every assignment.

#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"

namespace bitpact {

// Option index of each unit, 0..num_options-1.
using FormatAssignment = std::vector<int>;

struct Evaluation {
  // Nats per predicted token.
  double loss = 0.0;
  // The part of every calibration window: sum of nll over its predicted tokens,
  // in nats. loss = sum(window_nll) / sum(window_tokens of the game).
  std::vector<double> window_nll;
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

  // The loss of each assignment, in the order given. Handing over all
  // assignments that are known in advance lets implementations share work
  // between them. Each assignment: num_units() entries within range
  // (programmer's contract).
  [[nodiscard]] virtual Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) = 0;

  // For designs that ask every window something else (a pair of orders of its
  // own for each document): the sum of nll over the predicted tokens of the
  // question's window, in nats, one a question. The same bits as the entry of
  // window_nll that Evaluate gives. The default evaluates whole assignments and
  // picks; games that can run a window alone override it and pay only for what
  // is asked.
  [[nodiscard]] virtual Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions);
};

// loss from the windows' sums.
double MeanLoss(std::span<const double> window_nll,
                std::span<const double> window_tokens);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_VALUE_FUNCTION_H_
