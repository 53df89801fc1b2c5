// SPDX-License-Identifier: Apache-2.0
#include "cli/solve_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "cli/text_table.h"
#include "core/progress.h"

namespace bitpact {
namespace {

constexpr std::size_t kCurveRows = 10;
// Characters of unit names that follow an option, before "and 12 more".
constexpr std::size_t kNamesWidth = 300;
constexpr std::size_t kPoolRows = 10;

using Rows = std::vector<std::vector<std::string>>;

std::string Printed(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string Count(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// Facts with their names in a column of one width.
class Facts {
 public:
  void Add(const std::string& name, const std::string& value) {
    std::string start = name;
    start.resize(12, ' ');
    text_ += start + value + "\n";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string Objectives(const Instance& instance, double value) {
  if (!std::isfinite(value)) return "none";
  if (!instance.maximises()) return FormatObjective(value);
  return FormatObjective(value) +
         "   (as the file counts, to be maximised: " + FormatObjective(-value) +
         ")";
}

std::string StatusText(const SolveResult& result) {
  std::string text = TerminationName(result.termination);
  std::replace(text.begin(), text.end(), '_', ' ');
  switch (result.limit) {
    case Limit::kNone:
      return text + ", no limit reached";
    case Limit::kTime:
      return text + ", time limit reached";
    case Limit::kNodes:
      return text + ", node limit reached";
    case Limit::kStopped:
      return text + ", stopped on request";
  }
  return text;
}

std::string Used(const SolveResult& result, const char* option) {
  const auto found = result.options.find(option);
  return found == result.options.end() ? "?" : found->second.used;
}

std::string Summary(const Instance& instance, const SolveResult& result) {
  Facts facts;
  facts.Add("status", StatusText(result));
  facts.Add("objective", Objectives(instance, result.objective));
  facts.Add("bound",
            std::isfinite(result.bound) ? Objectives(instance, result.bound)
                                        : "none claimed");
  if (std::isfinite(result.AbsoluteGap())) {
    facts.Add("gap",
              FormatObjective(result.AbsoluteGap()) +
                  " absolute = objective - bound; " +
                  FormatPercent(result.RelativeGap()) +
                  " relative = absolute / max(1e-9, |objective|)");
  } else {
    facts.Add("gap", "none claimed");
  }
  facts.Add(
      "solver",
      result.solver + (result.detail.empty() ? "" : ": " + result.detail));
  if (result.presolve) facts.Add("presolve", PresolveText(*result.presolve));
  facts.Add("work",
            Count(static_cast<std::size_t>(result.stats.nodes), "node") + ", " +
                Count(static_cast<std::size_t>(result.stats.iterations),
                      "iteration") +
                ", seed " + Used(result, "seed") + ", threads " +
                Used(result, "threads"));
  std::string time = Printed("%.3f s", result.stats.time_s);
  if (result.HasIncumbent()) {
    time += Printed(", best plan after %.3f s", result.stats.time_to_best_s);
  }
  facts.Add("time", time);
  if (result.HasIncumbent()) {
    const std::vector<std::int64_t> use =
        ResourceUse(instance.problem, result.incumbent);
    for (std::size_t k = 0; k < use.size() && k < kPoolRows; ++k) {
      const Resource& resource = instance.problem.resources[k];
      facts.Add(k == 0 ? "resources" : "",
                resource.name + ": " + std::to_string(use[k]) + " of " +
                    std::to_string(resource.limit));
    }
    if (use.size() > kPoolRows) {
      facts.Add("", "and " + std::to_string(use.size() - kPoolRows) + " more");
    }
  }
  return facts.text();
}

// Indices of the points to show: the first, the last, the last change of the
// incumbent, and what held at times that grow by one factor.
std::set<std::size_t> CurvePoints(const std::vector<TracePoint>& trace) {
  std::set<std::size_t> shown = {0, trace.size() - 1};
  for (std::size_t i = 1; i < trace.size(); ++i) {
    if (trace[i].objective == trace.back().objective &&
        trace[i - 1].objective != trace[i].objective) {
      shown.insert(i);
    }
  }
  const double first = std::max(1e-6, trace.front().time_s);
  const double growth = trace.back().time_s / first;
  for (std::size_t step = 1; step < kCurveRows; ++step) {
    const double time =
        first *
        std::pow(growth, static_cast<double>(step) / double{kCurveRows});
    const auto after = std::upper_bound(
        trace.begin(), trace.end(), time, [](double t, const TracePoint& p) {
          return t < p.time_s;
        });
    if (after == trace.begin()) continue;
    shown.insert(static_cast<std::size_t>(after - trace.begin()) - 1);
  }
  return shown;
}

std::string Curve(const SolveResult& result) {
  if (result.trace.empty()) return {};
  const std::set<std::size_t> shown = CurvePoints(result.trace);
  Rows rows = {{"time, s", "objective", "bound", "gap"}};
  for (const std::size_t i : shown) {
    const TracePoint& point = result.trace[i];
    const bool has_gap =
        std::isfinite(point.objective) && std::isfinite(point.bound);
    const double gap = std::max(0.0, point.objective - point.bound) /
                       std::max(1e-9, std::abs(point.objective));
    rows.push_back({Printed("%.4f", point.time_s),
                    FormatObjective(point.objective),
                    FormatObjective(point.bound),
                    has_gap ? FormatPercent(gap) : "none"});
  }
  std::string text = "\n" + RenderTable(rows);
  if (shown.size() < result.trace.size()) {
    text += "(" + std::to_string(shown.size()) + " of " +
            std::to_string(result.trace.size()) + " points; -o keeps all)\n";
  }
  return text;
}

// Options by how many units take them; few names, however many units.
std::string Plan(const AllocationProblem& problem, const Assignment& plan) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::string>> takers;
  for (std::size_t u = 0; u < plan.size(); ++u) {
    const ProblemUnit& unit = problem.units[u];
    const auto option = static_cast<std::size_t>(plan[u]);
    const std::string& name = unit.options[option].name;
    if (takers[name].empty()) order.push_back(name);
    takers[name].push_back(unit.name);
  }
  std::string text = "\nplan: option, units that take it\n";
  // Groups whose options have names of their own: one taker each.
  const bool is_list = order.size() > kPoolRows;
  for (std::size_t i = 0; i < order.size() && i < 2 * kPoolRows; ++i) {
    const std::vector<std::string>& names = takers[order[i]];
    std::string line;
    std::size_t written = 0;
    const std::size_t room = is_list ? kNamesWidth / 5 : kNamesWidth;
    for (; written < names.size() && line.size() < room; ++written) {
      line += (written == 0 ? "" : ", ") + names[written];
    }
    if (written < names.size()) {
      line += ", and " + std::to_string(names.size() - written) + " more";
    }
    text += "  " + order[i] + " (" + std::to_string(names.size()) +
            "): " + line + "\n";
  }
  if (order.size() > 2 * kPoolRows) {
    text += "  and " + std::to_string(order.size() - 2 * kPoolRows) +
            " more options; -o keeps all\n";
  }
  return text;
}

std::string Pool(const SolveResult& result) {
  if (result.pool.size() < 2) return {};
  std::string text =
      "\npool: " + std::to_string(result.pool.size()) + " distinct plans: ";
  for (std::size_t i = 0; i < result.pool.size() && i < kPoolRows; ++i) {
    text += (i == 0 ? "" : ", ") + FormatObjective(result.pool[i].objective);
  }
  return text + (result.pool.size() > kPoolRows ? ", ..\n" : "\n");
}

std::string Options(const SolveResult& result) {
  Rows rows = {{"option", "asked", "used"}};
  for (const auto& [name, use] : result.options) {
    rows.push_back({name, use.asked, use.used});
  }
  return "\n" + RenderTable(rows);
}

}  // namespace

std::string FormatObjective(double value) {
  return std::isfinite(value) ? Printed("%.9g", value) : "none";
}

std::string FormatPercent(double share) {
  if (!std::isfinite(share)) return "none";
  if (share == 0.0) return "0%";
  return Printed(share < 5e-5 ? "%.1e%%" : "%.2f%%", 100.0 * share);
}

std::string RenderInstance(const std::string& name, const Instance& instance) {
  const AllocationProblem& problem = instance.problem;
  std::string text =
      name + ": " + InstanceFormatName(instance.format) + " file, " +
      Count(problem.units.size(), "unit") + ", " +
      Count(static_cast<std::size_t>(problem.FirstVariables().back()),
            "option") +
      ", " + Count(problem.resources.size(), "resource") + ", " +
      Count(problem.pairs.Count(), "pair term") + "\n";
  if (instance.maximises()) {
    text += "The file states a maximum; bitpact minimises the negative.\n";
  }
  return text;
}

std::string RenderSolve(const Instance& instance, const SolveResult& result) {
  std::string text = Summary(instance, result) + Curve(result);
  if (result.HasIncumbent()) {
    text += Plan(instance.problem, result.incumbent);
  }
  return text + Pool(result) + Options(result);
}

}  // namespace bitpact
