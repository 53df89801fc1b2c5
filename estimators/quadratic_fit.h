// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_QUADRATIC_FIT_H_
#define BITPACT_ESTIMATORS_QUADRATIC_FIT_H_

// A weighted ridge fit of the signed quadratic to evaluated coalitions. With
// z_k the indicators "unit u takes option a >= 1", minus their weighted means,
//
//   loss  ~  c + sum_k a_k z_k + sum_{k < l, other units} b_kl z_k z_l
//   minimise  sum_r w_r (loss_r - fit_r)^2 + lambda sum b_kl^2
//
// The penalty is on pair terms alone, in centred indicators: with lambda
// infinite the fit is the best additive one where the rows are, and pairs enter
// as far as the rows speak for them. (CoopQ's shrinkage to the diagonal, on
// what it should be applied to: interactions with their sign.) Coefficients are
// turned back to plain indicators for the surrogate.
//
// lambda is the one of a grid with the least weighted leave-one-out error,
// which has a closed form: residual_r / (1 - h_r), h the diagonal of the hat
// matrix. From one eigendecomposition, all lambdas cost O(rows * rank) each.
//
// Cost: with n indicators, p = pair terms and N rows, O(N n^2) for the additive
// part and, by whichever is smaller, O(N p^2 + p^3) time and N p numbers of
// memory, or O(N^2 n + N^3 + N p) and N^2 numbers (the Gram matrix of pair
// terms comes from that of the indicators). 35 units of two formats and 1,200
// rows: half a second; 224 units and 1,500 rows: half a minute.

#include <span>
#include <vector>

#include "core/error.h"
#include "estimators/surrogate.h"

namespace bitpact {

struct QuadraticFit {
  Surrogate surrogate;  // predicts loss - base_loss
  double lambda = 0.0;  // +infinity: no pair term helps
  // Weighted leave-one-out root mean square error at the chosen lambda and with
  // no pair terms, nats per token.
  double error = 0.0;
  double additive_error = 0.0;
};

// rows: coalitions of one length, options 0..num_options-1; losses in nats per
// token; weights > 0, any scale. kInvalidArgument: fewer rows than the additive
// part has unknowns plus two.
Expected<QuadraticFit> FitQuadratic(std::span<const FormatAssignment> rows,
                                    std::span<const double> losses,
                                    std::span<const double> weights,
                                    int num_options,
                                    double base_loss);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_QUADRATIC_FIT_H_
