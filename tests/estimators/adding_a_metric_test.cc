// SPDX-License-Identifier: Apache-2.0
// The code in docs/adding-a-metric.md is the code that the suite runs.

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bitpact {
namespace {

std::string ReadAll(const std::string& name) {
  std::ifstream stream(std::string(BITPACT_SOURCE_DIR) + "/" + name);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// All that stands between a line with `from` and the next `to`.
std::vector<std::string> AllBetween(const std::string& text,
                                    const std::string& from,
                                    const std::string& to) {
  std::vector<std::string> parts;
  std::size_t mark = text.find(from);
  while (mark != std::string::npos) {
    const std::size_t begin = text.find('\n', mark) + 1;
    const std::size_t end = text.find(to, begin);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    mark = text.find(from, end + to.size());
  }
  return parts;
}

TEST(AddingAMetric, ThePageShowsTheCodeThatIsTested) {
  std::vector<std::string> code;
  for (const char* file : {"tests/estimators/example_relative_error.cc",
                           "tests/estimators/example_rescue.cc"}) {
    const auto parts =
        AllBetween(ReadAll(file), "// [example]", "// [/example]");
    ASSERT_EQ(parts.size(), 1U) << file;
    EXPECT_LT(std::ranges::count(parts[0], '\n'), 40) << file;
    EXPECT_GT(parts[0].size(), 1000U) << file;
    code.push_back(parts[0]);
  }
  EXPECT_EQ(AllBetween(ReadAll("docs/adding-a-metric.md"), "```cpp", "```"),
            code);
}

}  // namespace
}  // namespace bitpact
