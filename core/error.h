// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_ERROR_H_
#define BITPACT_CORE_ERROR_H_

// Errors as values. A function whose input or environment can be wrong returns
// Expected<T>; nothing in bitpact throws across a function border, and adapters
// catch what a third-party library throws.
//
//   Expected<Model> model = LoadModel(folder);
//   if (!model) return tl::unexpected(model.error());
//
// An infeasible budget or a time limit is not an error: it is a field of the
// result (solvers/solve_result.h).

#include <string>
#include <utility>

#include "tl/expected.hpp"

namespace bitpact {

enum class ErrorCode {
  kInvalidArgument,  // a flag, field or value breaks a stated rule
  kNotFound,         // a file, tensor or name does not exist
  kDataLoss,         // a file is truncated or contradicts itself
  kUnsupported,      // valid, but this build or backend cannot do it
  kUnavailable,      // the environment refused: permission, disk, library
  kInternal,         // a bug in bitpact, found by one of its own checks
};

// The code's name in lower case with underscores, e.g. "invalid_argument".
const char* ErrorCodeName(ErrorCode code);

// `message` is one line: where (file, field, unit), the value met, the rule.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

// tl::expected that the compiler warns about when it is dropped.
template <typename T>
class [[nodiscard]] Expected : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

inline tl::unexpected<Error> InvalidArgument(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

}  // namespace bitpact

#endif  // BITPACT_CORE_ERROR_H_
