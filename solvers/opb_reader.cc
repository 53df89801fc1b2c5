// SPDX-License-Identifier: Apache-2.0
#include "solvers/opb_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solvers/text_scanner.h"

namespace bitpact {
namespace {

constexpr std::int64_t kMostVariables = 20000;
constexpr std::int64_t kMostRows = 100'000;
// Sums of a row's coefficients stay within 2^60.
constexpr std::size_t kMostRowTerms = std::size_t{1} << 20U;
// Every option has a size for every resource.
constexpr std::size_t kMostSizes = std::size_t{1} << 27U;
// Exact as doubles, with room for their sums.
constexpr std::int64_t kLargestCost = std::int64_t{1} << 50U;
constexpr std::int64_t kLargestSize = std::int64_t{1} << 40U;

// coefficient * x_first * x_second; indices from 0, -1 for no variable.
struct Term {
  std::int64_t coefficient = 0;
  int first = -1;
  int second = -1;
};

struct OpbRow {
  std::vector<Term> terms;
  std::string relation;
  std::int64_t right = 0;
};

bool IsRelation(std::string_view token) {
  return token == ">=" || token == "<=" || token == "=";
}

class OpbParser {
 public:
  explicit OpbParser(TextScanner& scanner) : scanner_(scanner) {}

  void Parse() {
    ReadHeader();
    if (scanner_.failed()) return;
    const std::string_view head = scanner_.Next();
    if (head.empty()) {
      scanner_.FailHere(ErrorCode::kDataLoss, "ends before the objective");
    } else if (head != "min:") {
      scanner_.FailHere(
          ErrorCode::kUnsupported,
          "'" + std::string(head.substr(0, 40)) + "' where 'min:' is expected");
    }
    objective_ = ReadTerms(kLargestCost, 2);
    Expect(";");
    while (!scanner_.failed() && !scanner_.AtEnd()) {
      if (scanner_.Peek().front() == '*') {
        scanner_.SkipLine();
        continue;
      }
      ReadRow();
    }
  }

  [[nodiscard]] int num_variables() const { return num_variables_; }
  [[nodiscard]] const std::vector<Term>& objective() const {
    return objective_;
  }
  [[nodiscard]] const std::vector<OpbRow>& rows() const { return rows_; }

 private:
  // "* #variable= n #constraint= m ..." and further comments.
  void ReadHeader() {
    while (!scanner_.failed() && !scanner_.AtEnd() &&
           scanner_.Peek().front() == '*') {
      scanner_.Next();
      if (num_variables_ == 0 && scanner_.Peek() == "#variable=") {
        scanner_.Next();
        num_variables_ = static_cast<int>(
            scanner_.Number("the number of variables", 1, kMostVariables));
      }
      scanner_.SkipLine();
    }
    if (num_variables_ == 0) {
      scanner_.FailHere(ErrorCode::kInvalidArgument,
                        "no '* #variable= n' in front");
    }
  }

  void Expect(std::string_view token) {
    const std::string_view found = scanner_.Next();
    if (found == token) return;
    scanner_.FailHere(
        found.empty() ? ErrorCode::kDataLoss : ErrorCode::kInvalidArgument,
        "'" + std::string(found.substr(0, 40)) + "' where '" +
            std::string(token) + "' is expected");
  }

  int ReadVariable() {
    std::string_view token = scanner_.Next();
    if (token.front() == '~') {
      scanner_.FailHere(
          ErrorCode::kUnsupported,
          "negated literal '" + std::string(token.substr(0, 40)) + "'");
      return 0;
    }
    token.remove_prefix(1);
    return static_cast<int>(
        scanner_.ToNumber(token, "index of x", 1, num_variables_) - 1);
  }

  [[nodiscard]] bool IsVariableNext() {
    const std::string_view token = scanner_.Peek();
    return !token.empty() && (token.front() == 'x' || token.front() == '~');
  }

  // Terms up to a ';' or a relation, which stay.
  std::vector<Term> ReadTerms(std::int64_t largest, int most_factors) {
    std::vector<Term> terms;
    while (!scanner_.failed()) {
      const std::string_view token = scanner_.Peek();
      if (token.empty() || token == ";" || IsRelation(token)) break;
      Term term{.coefficient =
                    scanner_.Number("coefficient", -largest, largest)};
      int factors = 0;
      while (!scanner_.failed() && IsVariableNext()) {
        const int variable = ReadVariable();
        if (++factors > most_factors) {
          scanner_.FailHere(ErrorCode::kUnsupported,
                            "a product of more than " +
                                std::to_string(most_factors) + " here");
        }
        (factors == 1 ? term.first : term.second) = variable;
      }
      if (factors == 0) {
        scanner_.FailHere(ErrorCode::kInvalidArgument,
                          "coefficient without a variable");
      }
      // x * x = x.
      if (term.second == term.first) term.second = -1;
      terms.push_back(term);
    }
    return terms;
  }

  void ReadRow() {
    OpbRow row;
    row.terms = ReadTerms(kLargestSize, 1);
    if (row.terms.size() > kMostRowTerms) {
      scanner_.FailHere(ErrorCode::kInvalidArgument,
                        std::to_string(row.terms.size()) +
                            " terms in a row; the most is " +
                            std::to_string(kMostRowTerms));
    }
    const std::string_view relation = scanner_.Next();
    if (!IsRelation(relation)) {
      scanner_.FailHere(
          relation.empty() ? ErrorCode::kDataLoss : ErrorCode::kInvalidArgument,
          "'" + std::string(relation.substr(0, 40)) +
              "' where >=, <= or = is expected");
      return;
    }
    row.relation = relation;
    row.right = scanner_.Number("right side", -kLargestSize, kLargestSize);
    Expect(";");
    if (static_cast<std::int64_t>(rows_.size()) == kMostRows) {
      scanner_.FailHere(ErrorCode::kInvalidArgument,
                        "more than " + std::to_string(kMostRows) + " rows");
    }
    rows_.push_back(std::move(row));
  }

  TextScanner& scanner_;
  int num_variables_ = 0;
  std::vector<Term> objective_;
  std::vector<OpbRow> rows_;
};

class OpbBuilder {
 public:
  OpbBuilder(int num_variables, const std::vector<OpbRow>& rows)
      : rows_(rows),
        places_(static_cast<std::size_t>(num_variables), {-1, -1}) {}

  Expected<OpbProblem> Build(const std::vector<Term>& objective) {
    std::vector<const OpbRow*> resources;
    for (const OpbRow& row : rows_) {
      if (!TakeAsGroup(row)) resources.push_back(&row);
    }
    for (std::size_t v = 0; v < places_.size(); ++v) {
      if (places_[v].unit >= 0) continue;
      const std::string name = "x" + std::to_string(v + 1);
      places_[v] = {problem_.NumUnits(), 1};
      problem_.units.push_back({name, {{"0", 0.0, {}}, {"1", 0.0, {}}}});
    }
    if (2 * resources.size() * 2 * places_.size() > kMostSizes) {
      return InvalidArgument(
          std::to_string(resources.size()) +
          " rows that are no one-hot group, " + std::to_string(places_.size()) +
          " variables: more than " + std::to_string(kMostSizes) + " sizes");
    }
    for (const OpbRow* row : resources) {
      if (row->relation != ">=") AddResource(*row, 1);
      if (row->relation != "<=") AddResource(*row, -1);
    }
    AddObjective(objective);
    return OpbProblem{std::move(problem_), std::move(places_)};
  }

 private:
  bool TakeAsGroup(const OpbRow& row) {
    if (row.relation != "=" || row.right != 1 || row.terms.size() < 2) {
      return false;
    }
    std::vector<int> variables;
    for (const Term& term : row.terms) {
      const auto v = static_cast<std::size_t>(term.first);
      if (term.coefficient != 1 || places_[v].unit >= 0) return false;
      variables.push_back(term.first);
    }
    std::sort(variables.begin(), variables.end());
    if (std::adjacent_find(variables.begin(), variables.end()) !=
        variables.end()) {
      return false;
    }
    const int unit = problem_.NumUnits();
    problem_.units.push_back({"group" + std::to_string(unit + 1), {}});
    for (const int v : variables) {
      auto& options = problem_.units.back().options;
      places_[static_cast<std::size_t>(v)] = {unit,
                                              static_cast<int>(options.size())};
      options.push_back({"x" + std::to_string(v + 1), 0.0, {}});
    }
    return true;
  }

  [[nodiscard]] ProblemOption& OptionOf(int variable) {
    const OpbProblem::Place place = places_[static_cast<std::size_t>(variable)];
    return problem_.units[static_cast<std::size_t>(place.unit)]
        .options[static_cast<std::size_t>(place.option)];
  }

  // sign * row <= sign * right, sizes shifted to be at least 0 in each unit.
  void AddResource(const OpbRow& row, std::int64_t sign) {
    for (ProblemUnit& unit : problem_.units) {
      for (ProblemOption& option : unit.options) option.sizes.push_back(0);
    }
    for (const Term& term : row.terms) {
      OptionOf(term.first).sizes.back() += sign * term.coefficient;
    }
    std::int64_t limit = sign * row.right;
    for (ProblemUnit& unit : problem_.units) {
      std::int64_t least = unit.options[0].sizes.back();
      for (const ProblemOption& option : unit.options) {
        least = std::min(least, option.sizes.back());
      }
      limit -= least;
      for (ProblemOption& option : unit.options) option.sizes.back() -= least;
    }
    problem_.resources.push_back(
        {"row" + std::to_string(problem_.NumResources() + 1), limit});
  }

  void AddObjective(const std::vector<Term>& objective) {
    const std::vector<int> first = problem_.FirstVariables();
    const auto variable = [&](int v) {
      const OpbProblem::Place place = places_[static_cast<std::size_t>(v)];
      return first[static_cast<std::size_t>(place.unit)] + place.option;
    };
    for (const Term& term : objective) {
      const auto value = static_cast<double>(term.coefficient);
      if (term.second < 0) {
        OptionOf(term.first).cost += value;
      } else if (places_[static_cast<std::size_t>(term.first)].unit !=
                 places_[static_cast<std::size_t>(term.second)].unit) {
        problem_.pairs.Add(variable(term.first), variable(term.second), value);
      }
    }
  }

  const std::vector<OpbRow>& rows_;
  std::vector<OpbProblem::Place> places_;
  AllocationProblem problem_;
};

}  // namespace

Expected<Assignment> OpbProblem::PlanOf(const std::vector<bool>& values) const {
  if (values.size() != places.size()) {
    return InvalidArgument(std::to_string(values.size()) + " values for " +
                           std::to_string(places.size()) + " variables");
  }
  Assignment plan(problem.units.size(), -1);
  for (std::size_t v = 0; v < places.size(); ++v) {
    const auto unit = static_cast<std::size_t>(places[v].unit);
    const bool is_single = problem.units[unit].options[0].name == "0";
    if (is_single) {
      plan[unit] = values[v] ? 1 : 0;
    } else if (values[v]) {
      if (plan[unit] >= 0) {
        return InvalidArgument("x" + std::to_string(v + 1) +
                               " is the second 1 of " +
                               problem.units[unit].name);
      }
      plan[unit] = places[v].option;
    }
  }
  for (std::size_t u = 0; u < plan.size(); ++u) {
    if (plan[u] < 0) {
      return InvalidArgument(problem.units[u].name + " has no 1");
    }
  }
  return plan;
}

Expected<OpbProblem> ReadOpb(const std::filesystem::path& file) {
  Expected<TextScanner> opened = TextScanner::Open(file);
  if (!opened) return tl::unexpected(opened.error());
  OpbParser parser(*opened);
  parser.Parse();
  if (opened->failed()) return tl::unexpected(opened->error());
  Expected<OpbProblem> read = OpbBuilder(parser.num_variables(), parser.rows())
                                  .Build(parser.objective());
  const Expected<void> valid =
      read ? Validate(read->problem)
           : Expected<void>(tl::unexpected(read.error()));
  if (!valid) {
    return Fail(valid.error().code,
                file.string() + ": " + valid.error().message);
  }
  return read;
}

}  // namespace bitpact
