// SPDX-License-Identifier: Apache-2.0
#include "solvers/cbc_solver.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "CbcEventHandler.hpp"
#include "CbcModel.hpp"
#include "CbcSolver.hpp"
#include "ClpEventHandler.hpp"
#include "CoinError.hpp"
#include "CoinPackedMatrix.hpp"
#include "OsiClpSolverInterface.hpp"
#include "solvers/incumbent_recorder.h"
#include "solvers/mccormick.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

// CBC's values of "no bound"; anything this large is one of them.
constexpr double kNoValue = 1e40;
// CBC treats a time limit of 0 as none.
constexpr double kLeastSeconds = 0.01;
// How much longer than its limit CBC may take before a relaxation is broken
// off.
constexpr double kGraceShare = 0.05;
constexpr double kGraceSeconds = 0.3;

std::mutex& CbcMutex() {
  static std::mutex mutex;
  return mutex;
}

// Stops the search when the clock or the caller says so.
class StopHandler final : public CbcEventHandler {
 public:
  explicit StopHandler(const SolveClock& clock) : clock_(&clock) {}
  [[nodiscard]] CbcEventHandler* clone() const override {
    return new StopHandler(*this);
  }
  CbcAction event(CbcEvent /*which*/) override {
    return clock_->Reached(-1) == Limit::kNone ? noAction : stop;
  }

 private:
  const SolveClock* clock_;
};

// Inside the linear relaxations, whose root may take minutes and looks at no
// clock of its own, only this stops; what CBC then calls its bound is not one.
// It waits a while longer, so that CBC can stop by itself between nodes.
class RelaxationStopHandler final : public ClpEventHandler {
 public:
  RelaxationStopHandler(const SolveClock& clock, bool& has_stopped)
      : clock_(&clock), has_stopped_(&has_stopped) {}
  [[nodiscard]] ClpEventHandler* clone() const override {
    return new RelaxationStopHandler(*this);
  }
  // -1 goes on, anything else stops.
  int event(Event which) override {
    if (which != endOfIteration && which != endOfFactorization) return -1;
    if (clock_->Reached(-1) == Limit::kNone) return -1;
    const double now = clock_->Seconds();
    if (first_seen_s_ < 0.0) first_seen_s_ = now;
    if (now - first_seen_s_ < kGraceShare * first_seen_s_ + kGraceSeconds) {
      return -1;
    }
    *has_stopped_ = true;
    return 0;
  }

 private:
  const SolveClock* clock_;
  bool* has_stopped_;
  double first_seen_s_ = -1.0;
};

std::string ColumnName(std::size_t column) {
  return "c" + std::to_string(column);
}

void LoadModel(const MilpModel& milp, OsiClpSolverInterface& backend) {
  const int columns = static_cast<int>(milp.columns.size());
  CoinPackedMatrix matrix(false, 0.0, 0.0);
  matrix.setDimensions(0, columns);
  std::vector<double> row_lower;
  std::vector<double> row_upper;
  const double infinity = backend.getInfinity();
  const auto bounded = [&](double value) {
    return std::clamp(value, -infinity, infinity);
  };
  for (const MilpModel::Row& row : milp.rows) {
    matrix.appendRow(static_cast<int>(row.columns.size()),
                     row.columns.data(),
                     row.coefficients.data());
    row_lower.push_back(bounded(row.lower));
    row_upper.push_back(bounded(row.upper));
  }
  std::vector<double> lower;
  std::vector<double> upper;
  std::vector<double> cost;
  for (const MilpModel::Column& column : milp.columns) {
    lower.push_back(column.lower);
    upper.push_back(column.upper);
    cost.push_back(column.cost);
  }
  backend.loadProblem(matrix,
                      lower.data(),
                      upper.data(),
                      cost.data(),
                      row_lower.data(),
                      row_upper.data());
  backend.setObjSense(1.0);
  backend.setIntParam(OsiNameDiscipline, 1);
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    if (milp.columns[c].is_integer) backend.setInteger(static_cast<int>(c));
    backend.setColName(static_cast<int>(c), ColumnName(c));
  }
}

std::string Shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.12g", value);
  return text.data();
}

std::vector<std::string> Arguments(const SolveOptions& options,
                                   const SolveClock& clock) {
  std::vector<std::string> arguments = {"bitpact",
                                        "-log",
                                        "0",
                                        "-timeMode",
                                        "elapsed",
                                        "-ratioGap",
                                        Shown(options.relative_gap),
                                        "-randomCbcSeed",
                                        std::to_string(options.seed % 1000000),
                                        // Plans are met in our own columns.
                                        "-preprocess",
                                        "off"};
  if (options.time_limit_s) {
    arguments.insert(
        arguments.end(),
        {"-seconds", Shown(std::max(clock.SecondsLeft(), kLeastSeconds))});
  }
  if (options.node_limit) {
    const auto most = std::int64_t{std::numeric_limits<int>::max()};
    arguments.insert(
        arguments.end(),
        {"-maxNodes", std::to_string(std::min(*options.node_limit, most))});
  }
  arguments.insert(arguments.end(), {"-solve", "-quit"});
  return arguments;
}

// Rounds a solution of the model to choices.
Choices ToChoices(const ReducedProblem& problem, const double* values) {
  Choices choices(static_cast<std::size_t>(problem.NumGroups()), 0);
  for (int v = 0; v < problem.NumVariables(); ++v) {
    if (values[v] < 0.5) continue;
    const int group = problem.group_of[static_cast<std::size_t>(v)];
    const int first = problem.groups[static_cast<std::size_t>(group)].first;
    choices[static_cast<std::size_t>(group)] = v - first + 1;
  }
  return choices;
}

void RunCbc(CbcModel& model, const std::vector<std::string>& arguments) {
  std::vector<const char*> pointers;
  pointers.reserve(arguments.size());
  for (const std::string& argument : arguments) {
    pointers.push_back(argument.c_str());
  }
  CbcSolverUsefulData data;
  data.noPrinting_ = true;
  CbcMain0(model, data);
  CbcMain1(
      static_cast<int>(pointers.size()),
      pointers.data(),
      model,
      [](CbcModel*, int) { return 0; },
      data);
}

struct CbcOutcome {
  bool is_proven = false;
  bool is_infeasible = false;
  double bound = -std::numeric_limits<double>::infinity();
  std::int64_t nodes = 0;
  std::int64_t iterations = 0;
};

CbcOutcome SolveModel(const ReducedProblem& problem,
                      const McCormickModel& linear,
                      const SolveOptions& options,
                      const SolveClock& clock,
                      IncumbentRecorder& recorder) {
  const std::lock_guard<std::mutex> lock(CbcMutex());
  OsiClpSolverInterface backend;
  backend.messageHandler()->setLogLevel(0);
  LoadModel(linear.milp, backend);
  bool is_broken_off = false;
  const RelaxationStopHandler relaxation_handler(clock, is_broken_off);
  backend.getModelPtr()->passInEventHandler(&relaxation_handler);
  CbcModel model(backend);
  model.messageHandler()->setLogLevel(0);
  StopHandler handler(clock);
  model.passInEventHandler(&handler);
  if (options.warm_start) {
    const std::vector<double> values =
        linear.Lift(problem, problem.Contract(*options.warm_start));
    std::vector<std::pair<std::string, double>> start;
    for (std::size_t c = 0; c < values.size(); ++c) {
      start.emplace_back(ColumnName(c), values[c]);
    }
    model.setMIPStart(start);
  }
  RunCbc(model, Arguments(options, clock));
  CbcOutcome outcome;
  outcome.nodes = model.getNodeCount();
  outcome.iterations = model.getIterationCount();
  if (model.bestSolution() != nullptr) {
    recorder.Offer(problem.Expand(ToChoices(problem, model.bestSolution())));
  }
  outcome.is_proven = !is_broken_off && model.isProvenOptimal();
  outcome.is_infeasible = !is_broken_off && model.isProvenInfeasible();
  const double best_possible = model.getBestPossibleObjValue();
  if (!is_broken_off && std::abs(best_possible) < kNoValue) {
    outcome.bound = linear.milp.offset + linear.milp.scale * best_possible;
  }
  return outcome;
}

}  // namespace

SolverCapabilities CbcSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = false,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false,
          .max_binaries = kMostColumns};
}

Expected<SolveResult> CbcSolver::Solve(const AllocationProblem& problem,
                                       const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem);
  IncumbentRecorder recorder(problem, options, clock);
  const double infinity = std::numeric_limits<double>::infinity();
  if (reduced.infeasible) {
    recorder.RaiseBound(infinity);
    SolveResult result = recorder.Finish(Limit::kNone);
    result.detail = *reduced.infeasible;
    return result;
  }
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    recorder.RaiseBound(recorder.Best());
    return recorder.Finish(Limit::kNone);
  }
  const McCormickModel linear = LinearizeMcCormick(reduced);
  if (linear.milp.columns.size() > kMostColumns) {
    return Fail(ErrorCode::kUnsupported,
                "cbc: the McCormick linearization has " +
                    std::to_string(linear.milp.columns.size()) +
                    " columns; the most is " + std::to_string(kMostColumns));
  }
  CbcOutcome outcome;
  try {
    outcome = SolveModel(reduced, linear, options, clock, recorder);
  } catch (const CoinError& failure) {
    return Fail(ErrorCode::kInternal, "cbc failed: " + failure.message());
  } catch (const std::exception& failure) {
    return Fail(ErrorCode::kInternal,
                std::string("cbc failed: ") + failure.what());
  }
  Limit limit = Limit::kNone;
  if (!outcome.is_proven && !outcome.is_infeasible) {
    limit = clock.Reached(outcome.nodes);
    // CBC may stop a moment before the limit it was given.
    if (limit == Limit::kNone) {
      limit = options.time_limit_s ? Limit::kTime : Limit::kNodes;
    }
  }
  if (outcome.is_infeasible && !recorder.HasIncumbent()) {
    recorder.RaiseBound(infinity);
  } else if (!outcome.is_infeasible) {
    recorder.RaiseBound(outcome.bound);
  }
  SolveResult result = recorder.Finish(limit);
  result.detail =
      "McCormick linearization: " + std::to_string(linear.milp.columns.size()) +
      " columns, " + std::to_string(linear.milp.rows.size()) + " rows";
  result.stats.nodes = outcome.nodes;
  result.stats.iterations = outcome.iterations;
  return result;
}

}  // namespace bitpact
