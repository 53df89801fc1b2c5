// SPDX-License-Identifier: Apache-2.0
// The code in docs/adding-a-solver.md is the code that the suites run.

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace bitpact {
namespace {

std::string ReadAll(const std::string& name) {
  std::ifstream stream(std::string(BITPACT_SOURCE_DIR) + "/" + name);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// What stands between the first `from` (to the end of its line) and `to`.
std::string Between(const std::string& text,
                    const std::string& from,
                    const std::string& to) {
  const std::size_t mark = text.find(from);
  if (mark == std::string::npos) return {};
  const std::size_t begin = text.find('\n', mark) + 1;
  const std::size_t end = text.find(to, begin);
  return end == std::string::npos ? "" : text.substr(begin, end - begin);
}

TEST(AddingASolver, ThePageShowsTheCodeThatIsTested) {
  const std::string page =
      Between(ReadAll("docs/adding-a-solver.md"), "```cpp", "```");
  const std::string code = Between(ReadAll("tests/solvers/example_solver.cc"),
                                   "// [example]",
                                   "// [/example]");
  ASSERT_GT(code.size(), 1000U);
  EXPECT_EQ(page, code);
}

}  // namespace
}  // namespace bitpact
