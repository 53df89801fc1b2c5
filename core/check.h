// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_CHECK_H_
#define BITPACT_CORE_CHECK_H_

// BITPACT_CHECK(condition, message) aborts with file, line and message when a
// caller breaks a contract stated in a header. It is for programmers' mistakes
// only: bad input is an Expected error (core/error.h), a solver's outcome is a
// value. BITPACT_DCHECK is the same in debug builds and nothing in release
// builds; use it inside hot loops.

#include <source_location>
#include <string_view>

namespace bitpact::internal {

[[noreturn]] void CheckFailed(std::string_view condition,
                              std::string_view message,
                              std::source_location where);

}  // namespace bitpact::internal

#define BITPACT_CHECK(condition, message)                          \
  do {                                                             \
    if (!(condition)) [[unlikely]] {                               \
      ::bitpact::internal::CheckFailed(                            \
          #condition, (message), std::source_location::current()); \
    }                                                              \
  } while (false)

#ifdef NDEBUG
#define BITPACT_DCHECK(condition, message) \
  do {                                     \
  } while (false)
#else
#define BITPACT_DCHECK(condition, message) BITPACT_CHECK(condition, message)
#endif

#endif  // BITPACT_CORE_CHECK_H_
