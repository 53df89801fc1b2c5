// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_VERSION_H_
#define BITPACT_CORE_VERSION_H_

namespace bitpact {

// Written into every file; the one place that holds the number (CMake reads
// it).
inline constexpr const char* kToolVersion = "0.1.0";

}  // namespace bitpact

#endif  // BITPACT_CORE_VERSION_H_
