// SPDX-License-Identifier: Apache-2.0
#include "core/check.h"

#include <cstdlib>
#include <iostream>

namespace bitpact::internal {

void CheckFailed(std::string_view condition,
                 std::string_view message,
                 std::source_location where) {
  std::cerr << where.file_name() << ':' << where.line() << ": CHECK("
            << condition << ") failed: " << message << std::endl;
  std::abort();
}

}  // namespace bitpact::internal
