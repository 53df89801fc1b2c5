// SPDX-License-Identifier: Apache-2.0
//
// The arrows between rooms point one way: reads the #include lines of every
// source file and fails on one that points back.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

// Rooms each room may include from, itself aside.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"core", {}},
    {"solvers", {"core"}},
    {"quant", {"core"}},
    {"models", {"core", "quant"}},
    {"estimators", {"core", "solvers", "quant", "models"}},
    {"cli", {"core", "solvers", "quant", "models", "estimators"}},
    {"bench", {"core", "solvers", "quant", "models", "estimators", "cli"}},
};

// Estimators state problems; they do not solve them.
const std::set<std::string> kProblemHeaders = {"solvers/allocation_problem.h",
                                               "solvers/box_programme.h",
                                               "solvers/problem_file.h"};

// Libraries that one file each may know: start of the include, part of the
// file's name.
const std::multimap<std::string, std::string> kAdapters = {
    {"coin/", "solvers/cbc"},
    {"Cbc", "solvers/cbc"},
    {"Cbc", "solvers/bonmin"},  // Bonmin searches by CBC and throws its errors
    {"Coin", "solvers/cbc"},
    {"Coin", "solvers/bonmin"},
    {"Osi", "solvers/cbc"},
    {"glpk", "solvers/glpk"},
    {"Bon", "solvers/bonmin"},
    {"oneapi/", "quant/matmul.cc"}};

// What stands between the quotes or brackets of an #include line.
std::optional<std::string> IncludedName(std::string_view line) {
  const auto skip_blanks = [&] {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  };
  skip_blanks();
  if (!line.starts_with('#')) return {};
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return {};
  line.remove_prefix(std::string_view("include").size());
  skip_blanks();
  if (!line.starts_with('"') && !line.starts_with('<')) return {};
  const std::size_t end = line.find_first_of("\">", 1);
  if (end == std::string_view::npos) return {};
  return std::string(line.substr(1, end - 1));
}

std::string RoomOf(const std::string& path) {
  return path.substr(0, path.find('/'));
}

// Why `file` (a path from the repository's root) must not include `name`;
// empty when it may.
std::string Objection(const std::string& file, const std::string& name) {
  const std::string from = RoomOf(file);
  const std::string to = RoomOf(name);
  std::string owners;
  for (const auto& [start, adapter] : kAdapters) {
    if (!name.starts_with(start)) continue;
    if (file.starts_with(adapter)) {
      owners.clear();
      break;
    }
    owners += (owners.empty() ? "" : " or ") + adapter;
  }
  if (!owners.empty()) {
    return file + " includes " + name + ", which belongs in " + owners;
  }
  const bool is_room = kArrows.contains(to) || to == "tests";
  if (!is_room || name.find('/') == std::string::npos || from == to) return {};
  if (!kArrows.at(from).contains(to)) {
    return file + " includes " + name + ": " + from + " may not see " + to;
  }
  if (from == "estimators" && to == "solvers" &&
      !kProblemHeaders.contains(name)) {
    return file + " includes " + name + ": estimators see the problem only";
  }
  return {};
}

std::vector<std::string> Objections(const fs::path& root) {
  std::vector<std::string> found;
  for (const auto& [room, unused] : kArrows) {
    if (!fs::exists(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc") continue;
      const std::string file = fs::relative(entry.path(), root).string();
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        const auto name = IncludedName(line);
        const std::string objection = name ? Objection(file, *name) : "";
        if (!objection.empty()) found.push_back(objection);
      }
    }
  }
  return found;
}

TEST(IncludeDirection, HoldsInEveryRoom) {
  EXPECT_THAT(Objections(BITPACT_SOURCE_DIR), IsEmpty());
}

TEST(IncludeDirection, ReadsEveryRoom) {
  for (const auto& [room, unused] : kArrows) {
    EXPECT_TRUE(fs::exists(fs::path(BITPACT_SOURCE_DIR) / room)) << room;
  }
}

TEST(IncludedName, FindsQuotesBracketsAndBlanks) {
  EXPECT_EQ(IncludedName("#include \"core/error.h\""), "core/error.h");
  EXPECT_EQ(IncludedName("  #  include <vector>  // why"), "vector");
  EXPECT_EQ(IncludedName("// #include \"core/error.h\""), std::nullopt);
  EXPECT_EQ(IncludedName("#include NAME"), std::nullopt);
  EXPECT_EQ(IncludedName(""), std::nullopt);
}

TEST(Objection, IsRaisedAgainstArrowsThatPointBack) {
  EXPECT_NE(Objection("core/a.h", "quant/b.h"), "");
  EXPECT_NE(Objection("solvers/a.cc", "models/b.h"), "");
  EXPECT_NE(Objection("solvers/a.cc", "quant/b.h"), "");
  EXPECT_NE(Objection("quant/a.cc", "models/b.h"), "");
  EXPECT_NE(Objection("models/a.cc", "estimators/b.h"), "");
  EXPECT_NE(Objection("models/a.cc", "solvers/b.h"), "");
  EXPECT_NE(Objection("estimators/a.cc", "solvers/anneal_solver.h"), "");
  EXPECT_NE(Objection("estimators/a.cc", "cli/b.h"), "");
  EXPECT_NE(Objection("core/a.cc", "tests/b.h"), "");
  EXPECT_NE(Objection("cli/a.cc", "tests/core/b.h"), "");
  EXPECT_NE(Objection("solvers/solver_factory.cc", "glpk.h"), "");
  EXPECT_NE(Objection("models/a.cc", "oneapi/dnnl/dnnl.hpp"), "");
}

TEST(Objection, IsNotRaisedAgainstTheOthers) {
  EXPECT_EQ(Objection("core/a.h", "core/b.h"), "");
  EXPECT_EQ(Objection("core/a.h", "vector"), "");
  EXPECT_EQ(Objection("core/a.h", "nlohmann/json.hpp"), "");
  EXPECT_EQ(Objection("models/a.cc", "quant/b.h"), "");
  EXPECT_EQ(Objection("estimators/a.cc", "solvers/allocation_problem.h"), "");
  EXPECT_EQ(Objection("cli/a.cc", "solvers/solver_factory.h"), "");
  EXPECT_EQ(Objection("solvers/glpk_solver.cc", "glpk.h"), "");
  EXPECT_EQ(Objection("quant/matmul.cc", "oneapi/dnnl/dnnl.hpp"), "");
}

}  // namespace
}  // namespace bitpact
