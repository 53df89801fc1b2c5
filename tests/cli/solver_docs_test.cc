// SPDX-License-Identifier: Apache-2.0
// What docs/solvers.md says is true: the capabilities in its table, and the
// commands for outside solvers, which are run where those are installed.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/problem_file.h"
#include "solvers/solver_factory.h"
#include "tests/cli/program.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact::test {
namespace {

std::string ReadAll(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string Page() {
  return ReadAll(std::string(BITPACT_SOURCE_DIR) + "/docs/solvers.md");
}

std::string Trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// The cells of a line "| a | b |"; empty for other lines.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  if (!line.starts_with("|")) return cells;
  std::istringstream rest(line.substr(1));
  for (std::string cell; std::getline(rest, cell, '|');) {
    cells.push_back(Trimmed(cell));
  }
  return cells;
}

// "`cbc`, `cbc-oa`, `-glover`" names cbc, cbc-oa and cbc-glover.
std::vector<std::string> Names(const std::string& cell) {
  static const std::regex quoted("`([^`]+)`");
  std::vector<std::string> names;
  for (auto at = std::sregex_iterator(cell.begin(), cell.end(), quoted);
       at != std::sregex_iterator();
       ++at) {
    const std::string name = (*at)[1];
    names.push_back(name.starts_with("-") ? names.front() + name : name);
  }
  return names;
}

// Column titles, then the cells of each solver by its name.
struct Table {
  std::vector<std::string> titles;
  std::map<std::string, std::vector<std::string>> rows;
};

Table SolverTable() {
  Table table;
  std::istringstream page(Page());
  for (std::string line; std::getline(page, line);) {
    const std::vector<std::string> cells = Cells(line);
    if (cells.empty()) continue;
    if (table.titles.empty()) {
      table.titles = cells;
      continue;
    }
    for (const std::string& name : Names(cells.front())) {
      EXPECT_TRUE(table.rows.emplace(name, cells).second)
          << name << " is in the table twice";
    }
  }
  return table;
}

TEST(SolverDocs, TableListsEverySolverOnce) {
  std::vector<std::string> listed;
  for (const auto& [name, cells] : SolverTable().rows) listed.push_back(name);
  std::vector<std::string> known;
  for (const SolverInfo& info : ListSolvers()) known.push_back(info.name);
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(known));
}

// "yes" and "no" are capabilities() word for word; "some" is claimed there, and
// the solver looks at the problem before it agrees (needs_structure); "by size"
// is claimed there for up to so many binaries.
void ExpectCell(const std::string& cell,
                bool claimed,
                const SolverCapabilities& can,
                const std::string& where) {
  if (cell == "some") {
    EXPECT_TRUE(claimed && can.needs_structure) << where;
  } else if (cell == "by size") {
    EXPECT_TRUE(claimed) << where;
  } else {
    EXPECT_TRUE(cell == "yes" || cell == "no") << where << ": " << cell;
    EXPECT_EQ(cell == "yes", claimed) << where;
  }
}

TEST(SolverDocs, TableSaysWhatCapabilitiesSay) {
  const Table table = SolverTable();
  const std::map<std::string, bool SolverCapabilities::*> columns = {
      {"exact", &SolverCapabilities::exact},
      {"bound", &SolverCapabilities::gives_bound},
      {"pool", &SolverCapabilities::pool},
      {"warm start", &SolverCapabilities::warm_start},
      {"threads", &SolverCapabilities::threads},
      {"more than 2 options", &SolverCapabilities::multiple_options},
      {"several resources", &SolverCapabilities::multiple_resources}};
  ASSERT_EQ(table.titles.size(), columns.size() + 2);
  for (const std::string& name : SolverNames()) {
    const auto row = table.rows.find(name);
    ASSERT_NE(row, table.rows.end()) << name;
    ASSERT_EQ(row->second.size(), table.titles.size()) << name;
    const SolverCapabilities can = (*MakeSolver(name))->capabilities();
    for (std::size_t c = 2; c < table.titles.size(); ++c) {
      const auto column = columns.find(table.titles[c]);
      ASSERT_NE(column, columns.end()) << table.titles[c];
      ExpectCell(row->second[c],
                 can.*(column->second),
                 can,
                 name + ", " + table.titles[c]);
    }
  }
}

TEST(SolverDocs, ReadmeNamesTheSolversByTheirNames) {
  const std::string readme =
      ReadAll(std::string(BITPACT_SOURCE_DIR) + "/README.md");
  for (const SolverInfo& info : ListSolvers()) {
    EXPECT_NE(readme.find('`' + info.name + '`'), std::string::npos)
        << info.name << " is not in README.md";
  }
}

// The lines of the page's block that begins after `heading`, comments cut off.
std::vector<std::string> Commands(const std::string& heading) {
  const std::string page = Page();
  const std::size_t at = page.find("```sh\n", page.find(heading));
  std::istringstream block(
      page.substr(at + 6, page.find("```", at + 6) - at - 6));
  std::vector<std::string> lines;
  for (std::string line; std::getline(block, line);) {
    lines.push_back(Trimmed(line.substr(0, line.find('#'))));
  }
  return lines;
}

bool IsInstalled(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

// The number after the pattern's text in the file.
std::optional<double> NumberAfter(const std::string& file,
                                  const std::string& pattern) {
  const std::string text = ReadAll(file);
  std::smatch match;
  if (!std::regex_search(
          text,
          match,
          std::regex(pattern + "\\s*(-?[0-9.]+(e[-+]?[0-9]+)?)"))) {
    return std::nullopt;
  }
  return std::stod(match[1]);
}

class OutsideSolver : public ::testing::Test {
 protected:
  // Runs the page's lines in order up to the one of `program`, in a folder with
  // a problem.json.
  void RunPage(const std::string& program) {
    ASSERT_TRUE(WriteProblem(folder_.File("problem.json"), problem_, {}));
    const std::string folder = folder_.File("x").parent_path().string();
    for (std::string line : Commands("## Outside cross-checks")) {
      const bool is_ours = line.starts_with("bitpact ");
      if (!is_ours && !line.starts_with(program + " ")) continue;
      if (is_ours) line = BITPACT_PROGRAM + line.substr(7);
      const std::string command =
          "cd '" + folder + "' && " + line + " >out.txt 2>&1";
      ASSERT_EQ(std::system(command.c_str()), 0)
          << line << "\n"
          << ReadAll(folder_.File("out.txt").string());
      if (!is_ours) return;
    }
    FAIL() << "the page has no line of " << program;
  }

  TemporaryFolder folder_;
  AllocationProblem problem_ = bitpact::testing::RandomProblem(
      {.units = 9, .options = 2, .pair_density = 0.5}, 3);
  double optimum_ = bitpact::testing::SolveByBruteForce(problem_).objective;
};

TEST_F(OutsideSolver, GlpsolFindsTheSameOptimumByThePagesCommand) {
  if (!IsInstalled("glpsol")) GTEST_SKIP() << "glpsol is not installed";
  RunPage("glpsol");
  const auto value =
      NumberAfter(folder_.File("glpk.txt").string(), "Objective:.*=");
  ASSERT_TRUE(value.has_value());
  EXPECT_NEAR(*value, optimum_, 1e-5 * std::abs(optimum_));
}

TEST_F(OutsideSolver, CbcFindsTheSameOptimumByThePagesCommand) {
  if (!IsInstalled("cbc")) GTEST_SKIP() << "the program cbc is not installed";
  RunPage("cbc");
  const auto value =
      NumberAfter(folder_.File("cbc.txt").string(), "objective value");
  ASSERT_TRUE(value.has_value());
  EXPECT_NEAR(*value, optimum_, 1e-5 * std::abs(optimum_));
}

}  // namespace
}  // namespace bitpact::test
