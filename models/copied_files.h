// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_COPIED_FILES_H_
#define BITPACT_MODELS_COPIED_FILES_H_

#include <filesystem>

#include "core/error.h"

namespace bitpact {

// Copies one file; it appears whole or not at all.
Expected<void> CopyFile(const std::filesystem::path& from,
                        const std::filesystem::path& to);

// Copies what a quantized model needs of its model's folder besides weights and
// config.json: tokenizer and generation settings, those that are there.
Expected<void> CopyTokenizerFiles(const std::filesystem::path& from,
                                  const std::filesystem::path& to);

}  // namespace bitpact

#endif  // BITPACT_MODELS_COPIED_FILES_H_
