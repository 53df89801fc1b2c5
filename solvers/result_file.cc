// SPDX-License-Identifier: Apache-2.0
#include "solvers/result_file.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace bitpact {
namespace {

constexpr const char* kResultFormat = "bitpact.result";
constexpr const char* kPlanFormat = "bitpact.plan";
constexpr int kVersion = 1;

// JSON has no infinity; null says "not claimed".
Json FiniteOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json PlanUnits(const AllocationProblem& problem, const Assignment& assignment) {
  Json units = Json::array();
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const ProblemUnit& unit = problem.units[u];
    const ProblemOption& option =
        unit.options[static_cast<std::size_t>(assignment[u])];
    units.push_back({{"unit", unit.name},
                     {"option", assignment[u]},
                     {"name", option.name},
                     {"sizes", option.sizes}});
  }
  return units;
}

Json ResourceLines(const AllocationProblem& problem,
                   const Assignment& assignment) {
  Json lines = Json::array();
  const std::vector<std::int64_t> use = ResourceUse(problem, assignment);
  for (std::size_t k = 0; k < use.size(); ++k) {
    lines.push_back({{"name", problem.resources[k].name},
                     {"used", use[k]},
                     {"limit", problem.resources[k].limit}});
  }
  return lines;
}

// The number in the text of an option that was used; nothing when the result
// does not say.
template <typename T>
std::optional<T> UsedNumber(const SolveResult& result, const char* option) {
  const auto found = result.options.find(option);
  if (found == result.options.end()) return std::nullopt;
  const std::string& text = found->second.used;
  T value{};
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

void AddOptionsAndCurves(const SolveResult& result, Json& body) {
  Json options = Json::object();
  for (const auto& [name, use] : result.options) {
    options[name] = {{"asked", use.asked}, {"used", use.used}};
  }
  body["options"] = std::move(options);
  Json pool = Json::array();
  for (const ScoredPlan& plan : result.pool) {
    pool.push_back(
        {{"objective", plan.objective}, {"assignment", plan.assignment}});
  }
  body["pool"] = std::move(pool);
  Json trace = Json::array();
  for (const TracePoint& point : result.trace) {
    trace.push_back({{"time_s", point.time_s},
                     {"objective", FiniteOrNull(point.objective)},
                     {"bound", FiniteOrNull(point.bound)}});
  }
  body["trace"] = std::move(trace);
}

// What a plan's file says about one unit: an option's name, index or both.
struct NamedChoice {
  std::string option;
  std::int64_t index = -1;
};

Expected<std::map<std::string, NamedChoice>> ChoicesOfResult(
    const JsonReader& root) {
  if (!root.Has("plan")) {
    return InvalidArgument("the result has no plan to start from");
  }
  const auto entries = root.Array("plan");
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string, NamedChoice> choices;
  for (const JsonReader& entry : *entries) {
    const auto unit = entry.String("unit");
    if (!unit) return tl::unexpected(unit.error());
    const auto name = entry.String("name");
    if (!name) return tl::unexpected(name.error());
    const auto index = entry.Integer("option");
    if (!index) return tl::unexpected(index.error());
    choices[*unit] = {*name, *index};
  }
  return choices;
}

Expected<std::map<std::string, NamedChoice>> ChoicesOfPlan(
    const JsonReader& root) {
  const auto entries = root.Array("units");
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string, NamedChoice> choices;
  for (const JsonReader& entry : *entries) {
    const auto unit = entry.String("name");
    if (!unit) return tl::unexpected(unit.error());
    const auto format = entry.String("format");
    if (!format) return tl::unexpected(format.error());
    choices[*unit] = {*format, -1};
  }
  return choices;
}

// -1 when the unit has no such option. The index decides between options of one
// name.
int FindOption(const ProblemUnit& unit, const NamedChoice& choice) {
  const auto index = static_cast<std::size_t>(choice.index);
  if (choice.index >= 0 && index < unit.options.size() &&
      unit.options[index].name == choice.option) {
    return static_cast<int>(index);
  }
  for (std::size_t o = 0; o < unit.options.size(); ++o) {
    if (unit.options[o].name == choice.option) return static_cast<int>(o);
  }
  return -1;
}

}  // namespace

FileHeader ResultHeader(const SolveResult& result, const ResultSource& source) {
  return {.format = kResultFormat,
          .version = kVersion,
          .tool_version = {},
          .seed = UsedNumber<std::uint64_t>(result, "seed"),
          .inputs = source.inputs};
}

Json ResultBody(const AllocationProblem& problem,
                const SolveResult& result,
                const ResultSource& source) {
  Json body = Json::object();
  if (!source.instance.empty()) body["instance"] = source.instance;
  body["solver"] = result.solver;
  body["termination"] = TerminationName(result.termination);
  body["limit"] = LimitName(result.limit);
  body["detail"] = result.detail;
  body["objective"] = FiniteOrNull(result.objective);
  body["bound"] = FiniteOrNull(result.bound);
  body["absolute_gap"] = FiniteOrNull(result.AbsoluteGap());
  body["relative_gap"] = FiniteOrNull(result.RelativeGap());
  if (source.maximises) {
    body["published"] = {{"sense", "maximise"},
                         {"objective", FiniteOrNull(-result.objective)},
                         {"bound", FiniteOrNull(-result.bound)}};
  }
  body["time_s"] = result.stats.time_s;
  body["time_to_best_s"] = result.stats.time_to_best_s;
  body["nodes"] = result.stats.nodes;
  body["iterations"] = result.stats.iterations;
  const auto threads = UsedNumber<int>(result, "threads");
  if (threads) body["threads"] = *threads;
  if (result.HasIncumbent()) {
    body["resources"] = ResourceLines(problem, result.incumbent);
    body["plan"] = PlanUnits(problem, result.incumbent);
  }
  AddOptionsAndCurves(result, body);
  return body;
}

Expected<void> WriteSolveResult(const std::filesystem::path& file,
                                const AllocationProblem& problem,
                                const SolveResult& result,
                                const ResultSource& source) {
  return WriteJsonFile(
      file, ResultHeader(result, source), ResultBody(problem, result, source));
}

Expected<Assignment> ReadWarmStart(const std::filesystem::path& file,
                                   const AllocationProblem& problem) {
  const Expected<Json> peeked = ParseJsonFile(file);
  if (!peeked) return tl::unexpected(peeked.error());
  const bool is_plan = peeked->is_object() && peeked->contains("format") &&
                       peeked->at("format") == kPlanFormat;
  const Expected<JsonFile> json =
      JsonFile::Read(file, is_plan ? kPlanFormat : kResultFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  const auto fail = [&](const std::string& what) {
    return InvalidArgument(file.string() + ": " + what);
  };
  const auto choices =
      is_plan ? ChoicesOfPlan(json->root()) : ChoicesOfResult(json->root());
  if (!choices) return fail(choices.error().message);
  Assignment assignment;
  for (const ProblemUnit& unit : problem.units) {
    const auto found = choices->find(unit.name);
    if (found == choices->end()) {
      return fail("does not name the problem's unit '" + unit.name + "'");
    }
    const int option = FindOption(unit, found->second);
    if (option < 0) {
      return fail("gives unit '" + unit.name + "' the option '" +
                  found->second.option + "', which the problem does not have");
    }
    assignment.push_back(option);
  }
  return assignment;
}

}  // namespace bitpact
