// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "models/name_pattern.h"

#include <array>

#include "core/check.h"
#include "models/safetensors.h"
#include "pcre2.h"

namespace bitpact {
namespace {

struct Delete {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_context* context) const {
    pcre2_match_context_free(context);
  }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

// What PCRE2 says about one of its error numbers.
std::string Text(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

PCRE2_SPTR Bytes(const std::string& text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

struct NamePattern::Compiled {
  std::string pattern;
  std::unique_ptr<pcre2_code, Delete> code;
  std::unique_ptr<pcre2_match_context, Delete> limits;
};

Expected<NamePattern> NamePattern::Compile(const std::string& pattern) {
  if (pattern.size() > kMostBytes) {
    return InvalidArgument(QuotedName(pattern) + " has " +
                           std::to_string(pattern.size()) +
                           " bytes; a regular expression here has at most " +
                           std::to_string(kMostBytes));
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_shared<Compiled>();
  compiled->pattern = pattern;
  compiled->code.reset(pcre2_compile(Bytes(pattern),
                                     pattern.size(),
                                     PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C |
                                         PCRE2_NEVER_UTF | PCRE2_NEVER_UCP,
                                     &error,
                                     &offset,
                                     nullptr));
  if (compiled->code == nullptr) {
    return InvalidArgument(QuotedName(pattern) + " is no regular expression: " +
                           Text(error) + " at byte " + std::to_string(offset));
  }
  compiled->limits.reset(pcre2_match_context_create(nullptr));
  BITPACT_CHECK(compiled->limits != nullptr, "memory for limits");
  pcre2_set_match_limit(compiled->limits.get(), kMostSteps);
  pcre2_set_depth_limit(compiled->limits.get(), kMostDepth);
  NamePattern result;
  result.compiled_ = std::move(compiled);
  return result;
}

Expected<bool> NamePattern::MatchesStartOf(const std::string& name) const {
  const std::unique_ptr<pcre2_match_data, Delete> data(
      pcre2_match_data_create(1, nullptr));
  BITPACT_CHECK(data != nullptr, "memory for a match");
  const int matched = pcre2_match(compiled_->code.get(),
                                  Bytes(name),
                                  name.size(),
                                  0,
                                  0,
                                  data.get(),
                                  compiled_->limits.get());
  if (matched >= 0) return true;
  if (matched == PCRE2_ERROR_NOMATCH) return false;
  return Fail(ErrorCode::kUnsupported,
              QuotedName(compiled_->pattern) + " on " + QuotedName(name) +
                  ": " + Text(matched));
}

}  // namespace bitpact
