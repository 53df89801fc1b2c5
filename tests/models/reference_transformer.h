// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_MODELS_REFERENCE_TRANSFORMER_H_
#define BITPACT_TESTS_MODELS_REFERENCE_TRANSFORMER_H_

// The Llama forward pass in plain loops and double precision, written from the
// papers' formulas and not from the code under test: the judge.

#include <span>
#include <vector>

#include "models/model.h"

namespace bitpact::test {

// All linear matrices as [layer * kLinearsPerBlock + kind], row-major.
std::vector<std::vector<float>> DenseLinears(const Model& model);

// [tokens, vocab_size].
std::vector<double> ReferenceLogits(
    const Model& model,
    const std::vector<std::vector<float>>& linears,
    std::span<const int> tokens);

// -log softmax(row)[token].
double ReferenceLoss(std::span<const double> row, int token);

}  // namespace bitpact::test

#endif  // BITPACT_TESTS_MODELS_REFERENCE_TRANSFORMER_H_
