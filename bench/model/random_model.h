// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_BENCH_MODEL_RANDOM_MODEL_H_
#define BITPACT_BENCH_MODEL_RANDOM_MODEL_H_

// A model of a given shape with random weights, for measurements of time. The
// numbers do not matter to the speed; they are small enough that activations
// stay finite.

#include <filesystem>

#include "CLI/CLI.hpp"
#include "core/error.h"

namespace bitpact {

// By default a Llama with 110 million parameters. Heads all have keys and
// values of their own, and the head is not tied.
struct RandomModelShape {
  int hidden = 768;
  int layers = 12;
  int heads = 12;
  int ffn = 2048;
  int vocab = 32000;
};

// A Hugging Face folder without tokenizer, float32; one matrix in memory at a
// time. Errors: the files'.
Expected<void> WriteRandomModel(const RandomModelShape& shape,
                                const std::filesystem::path& folder);

// --hidden, --layers, --heads, --ffn and --vocab.
void AddShapeFlags(CLI::App& app, RandomModelShape& shape);

}  // namespace bitpact

#endif  // BITPACT_BENCH_MODEL_RANDOM_MODEL_H_
