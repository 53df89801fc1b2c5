// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_MODELS_SHARED_DATA_H_
#define BITPACT_TESTS_MODELS_SHARED_DATA_H_

#include <filesystem>

// Models and texts that are not part of the project; tests that need them skip
// when the folder beside the checkout is not there.

namespace bitpact::test {

inline std::filesystem::path SharedData() {
  return std::filesystem::path(BITPACT_SOURCE_DIR) / ".." / "shared" / "data";
}

}  // namespace bitpact::test

#define BITPACT_SKIP_WITHOUT(path)                      \
  if (!std::filesystem::exists(path)) {                 \
    GTEST_SKIP() << (path).string() << " is not there"; \
  }                                                     \
  static_assert(true)

#endif  // BITPACT_TESTS_MODELS_SHARED_DATA_H_
