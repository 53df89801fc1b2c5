// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_HASH_H_
#define BITPACT_CORE_HASH_H_

// Fingerprints of inputs, written into every file bitpact makes so that a step
// refuses measurements of another model, text or setting. XXH3, 128 bits: fast
// and collision-free in practice, not a defence against forgery.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace bitpact {

// "xxh3:" and 32 lower-case hexadecimal digits.
std::string HashBytes(std::span<const std::byte> bytes);
std::string HashText(std::string_view text);

// kNotFound when the file cannot be opened.
Expected<std::string> HashFile(const std::filesystem::path& path);

}  // namespace bitpact

#endif  // BITPACT_CORE_HASH_H_
