// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_BAQ_THEORY_H_
#define BITPACT_QUANT_BAQ_THEORY_H_

// How many bits each column (input channel) of a matrix deserves, after "BAQ:
// Efficient Bit Allocation Quantization for Large Language Models"
// (arXiv:2506.05664), equations 1-6, and its released code.
//
// Under GPTQ the layer error is sum over columns of p_j * sum over rows of
// (w - q)^2, with p_j the pivots of the Hessian's factor (quant/gptq_factor.h).
// Evenly spread rounding errors of a row whose values reach over range_i in
// 2^R steps make this c_j * 2^(-2 R_j), with
//
//   c_j = p_j * sum over i of range_i^2 / 12.
//
// Minimizing the sum of c_j 2^(-2 R_j) for a given mean R of the R_j is convex;
// its solution (reverse water-filling) is
//
//   R_j = R + 1/2 log2(c_j / GM(c)),
//
// where all columns lose the same, GM(c) 2^(-2 R), and the loss is GM(c) /
// AM(c) of that of equal bits. R_j may be negative or no logarithm of a whole
// number of levels; quant/baq_allocation.h decides among what can be stored.
//
// A column below kLeastShare of the mean (an input that was never seen, a
// column of zeros) counts as that: the released code adds 1e-8 to each loss,
// which is nothing for one matrix and everything for another.

#include <cstdint>
#include <span>
#include <vector>

namespace bitpact {

inline constexpr double kLeastShare = 1e-6;

// ranges: [rows], >= 0; pivots: [cols], >= 0. All in double.
std::vector<double> ColumnSensitivities(std::span<const double> ranges,
                                        std::span<const double> pivots);

// Each at least kLeastShare of their mean; ones if all are 0. Not empty,
// finite,
// >= 0 (CHECK), as everywhere below.
std::vector<double> Floored(std::span<const double> sensitivities);

// GM / AM of the floored sensitivities, in (0, 1]: the predicted loss relative
// to equal bits. The smaller, the more there is to gain.
double PredictedGain(std::span<const double> sensitivities);

// R_j for a mean of `rate` bits; in bits, real, possibly negative.
std::vector<double> ClosedFormRates(std::span<const double> sensitivities,
                                    double rate);

// Whole numbers of levels as the released code makes them from the column
// losses of a first pass at `rate` bits:
//   t_j = (loss_j / GM * 2^(exponent * rate))^(1 / exponent), at least 1,
//   n_j = round(t_j),
// which is ClosedFormRates with `exponent` in place of 2 (they use 1.95) and
// measured losses in place of c_j. At most `most` (there is no limit there).
std::vector<int> PaperLevels(std::span<const double> losses,
                             double rate,
                             double exponent,
                             int most);

// Mean of log2(levels): the rate that BAQ reports. What is stored is more.
double ReportedRate(std::span<const int> levels);

}  // namespace bitpact

#endif  // BITPACT_QUANT_BAQ_THEORY_H_
