// SPDX-License-Identifier: Apache-2.0
#include "solvers/cbc_backend.h"

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

namespace bitpact {
namespace {

// CBC's values of "no bound"; anything this large is one of them.
constexpr double kNoValue = 1e40;
// CBC treats a time limit of 0 as none.
constexpr double kLeastSeconds = 0.01;
constexpr const char* kTolerance = "1e-9";
// How much longer than its limit CBC may take before a relaxation is broken
// off.
constexpr double kGraceShare = 0.05;
constexpr double kGraceSeconds = 0.3;

std::mutex& CbcMutex() {
  static std::mutex mutex;
  return mutex;
}

// Reports solutions; stops the search when the clock or the caller says so.
class SearchHandler final : public CbcEventHandler {
 public:
  SearchHandler(const SolveClock& clock,
                const MilpRequest& request,
                int columns)
      : clock_(&clock), request_(&request), columns_(columns) {}
  CbcEventHandler* clone() const override { return new SearchHandler(*this); }
  CbcAction event(CbcEvent which) override {
    if (which == solution || which == heuristicSolution) Report();
    return clock_->Reached(-1) == Limit::kNone ? noAction : stop;
  }

 private:
  void Report() const {
    const CbcModel* model = getModel();
    // Sub-models of heuristics have fewer columns, not ours.
    if (!request_->on_solution || model == nullptr ||
        model->bestSolution() == nullptr || model->getNumCols() != columns_ ||
        model->parentModel() != nullptr) {
      return;
    }
    request_->on_solution(
        {model->bestSolution(), static_cast<std::size_t>(columns_)});
  }

  const SolveClock* clock_;
  const MilpRequest* request_;
  int columns_;
};

// Inside the linear relaxations, whose root may take minutes and looks at no
// clock of its own, only this stops; what CBC then calls its bound is not one.
// It waits a while longer, so that CBC can stop by itself between nodes.
class RelaxationStopHandler final : public ClpEventHandler {
 public:
  RelaxationStopHandler(const SolveClock& clock, bool& has_stopped)
      : clock_(&clock), has_stopped_(&has_stopped) {}
  ClpEventHandler* clone() const override {
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

// All rows at once: appended one by one, CBC's library copies the whole matrix
// for each.
CoinPackedMatrix RowMatrix(const MilpModel& milp) {
  std::vector<double> elements;
  std::vector<int> columns;
  std::vector<CoinBigIndex> starts = {0};
  for (const MilpModel::Row& row : milp.rows) {
    elements.insert(
        elements.end(), row.coefficients.begin(), row.coefficients.end());
    columns.insert(columns.end(), row.columns.begin(), row.columns.end());
    starts.push_back(static_cast<CoinBigIndex>(elements.size()));
  }
  return {/*colordered=*/false,
          static_cast<int>(milp.columns.size()),
          static_cast<int>(milp.rows.size()),
          static_cast<CoinBigIndex>(elements.size()),
          elements.data(),
          columns.data(),
          starts.data(),
          /*len=*/nullptr};
}

void LoadModel(const MilpModel& milp, OsiClpSolverInterface& backend) {
  std::vector<double> row_lower;
  std::vector<double> row_upper;
  const double infinity = backend.getInfinity();
  const auto bounded = [&](double value) {
    return std::clamp(value, -infinity, infinity);
  };
  for (const MilpModel::Row& row : milp.rows) {
    row_lower.push_back(bounded(row.lower));
    row_upper.push_back(bounded(row.upper));
  }
  std::vector<double> lower;
  std::vector<double> upper;
  std::vector<double> cost;
  for (const MilpModel::Column& column : milp.columns) {
    lower.push_back(bounded(column.lower));
    upper.push_back(bounded(column.upper));
    cost.push_back(column.cost);
  }
  backend.loadProblem(RowMatrix(milp),
                      lower.data(),
                      upper.data(),
                      cost.data(),
                      row_lower.data(),
                      row_upper.data());
  backend.setObjSense(1.0);
}

void NameColumns(const MilpModel& milp, OsiClpSolverInterface& backend) {
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

std::vector<std::string> Arguments(const MilpRequest& request,
                                   const SolveClock& clock) {
  std::vector<std::string> arguments = {"bitpact",
                                        "-log",
                                        "0",
                                        "-timeMode",
                                        "elapsed",
                                        "-ratioGap",
                                        Shown(request.relative_gap),
                                        "-primalTolerance",
                                        kTolerance,
                                        "-dualTolerance",
                                        kTolerance,
                                        "-integerTolerance",
                                        kTolerance,
                                        "-randomCbcSeed",
                                        std::to_string(request.seed % 1000000),
                                        "-preprocess",
                                        "off"};
  if (request.is_one_of_many) {
    arguments.insert(arguments.end(),
                     {"-heuristicsOnOff", "off", "-cutsOnOff", "off"});
  }
  const double left = clock.SecondsLeft();
  if (std::isfinite(left)) {
    arguments.insert(arguments.end(),
                     {"-seconds", Shown(std::max(left, kLeastSeconds))});
  }
  if (request.node_limit) {
    const auto most = std::int64_t{std::numeric_limits<int>::max()};
    arguments.insert(
        arguments.end(),
        {"-maxNodes", std::to_string(std::min(*request.node_limit, most))});
  }
  arguments.insert(arguments.end(), {"-solve", "-quit"});
  return arguments;
}

void RunMain(CbcModel& model, const std::vector<std::string>& arguments) {
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

MilpOutcome Search(const MilpModel& milp,
                   const MilpRequest& request,
                   const SolveClock& clock) {
  const std::lock_guard<std::mutex> lock(CbcMutex());
  OsiClpSolverInterface backend;
  backend.messageHandler()->setLogLevel(0);
  LoadModel(milp, backend);
  NameColumns(milp, backend);
  bool is_broken_off = false;
  const RelaxationStopHandler relaxation_handler(clock, is_broken_off);
  backend.getModelPtr()->passInEventHandler(&relaxation_handler);
  CbcModel model(backend);
  model.messageHandler()->setLogLevel(0);
  SearchHandler handler(clock, request, static_cast<int>(milp.columns.size()));
  model.passInEventHandler(&handler);
  std::vector<std::pair<std::string, double>> start;
  for (std::size_t c = 0; c < request.start.size(); ++c) {
    start.emplace_back(ColumnName(c), request.start[c]);
  }
  if (!start.empty()) model.setMIPStart(start);
  RunMain(model, Arguments(request, clock));
  MilpOutcome outcome;
  outcome.nodes = model.getNodeCount();
  outcome.iterations = model.getIterationCount();
  if (model.bestSolution() != nullptr && request.on_solution) {
    request.on_solution({model.bestSolution(), milp.columns.size()});
  }
  outcome.is_proven = !is_broken_off && model.isProvenOptimal();
  outcome.is_infeasible = !is_broken_off && model.isProvenInfeasible();
  const double best_possible = model.getBestPossibleObjValue();
  if (!is_broken_off && std::abs(best_possible) < kNoValue) {
    outcome.bound =
        outcome.is_proven ? best_possible : LoweredBound(best_possible);
  }
  return outcome;
}

double Relax(const MilpModel& milp,
             const SolveClock& clock,
             std::vector<double>* values) {
  OsiClpSolverInterface backend;
  backend.messageHandler()->setLogLevel(0);
  LoadModel(milp, backend);
  bool is_broken_off = false;
  const RelaxationStopHandler handler(clock, is_broken_off);
  backend.getModelPtr()->passInEventHandler(&handler);
  backend.initialSolve();
  if (backend.isProvenPrimalInfeasible()) {
    return std::numeric_limits<double>::infinity();
  }
  if (is_broken_off || !backend.isProvenOptimal()) {
    return -std::numeric_limits<double>::infinity();
  }
  if (values != nullptr) {
    values->assign(backend.getColSolution(),
                   backend.getColSolution() + milp.columns.size());
  }
  return backend.getObjValue();
}

// Calls and turns what CBC throws into an error.
template <typename Function>
auto Guarded(Function&& function) -> Expected<decltype(function())> {
  try {
    return function();
  } catch (const CoinError& failure) {
    return Fail(ErrorCode::kInternal, "cbc failed: " + failure.message());
  } catch (const std::exception& failure) {
    return Fail(ErrorCode::kInternal,
                std::string("cbc failed: ") + failure.what());
  }
}

}  // namespace

Expected<MilpOutcome> RunCbc(const MilpModel& milp,
                             const MilpRequest& request,
                             const SolveClock& clock) {
  return Guarded([&] { return Search(milp, request, clock); });
}

Expected<double> RelaxationByClp(const MilpModel& milp,
                                 const SolveClock& clock,
                                 std::vector<double>* values) {
  return Guarded([&] { return Relax(milp, clock, values); });
}

}  // namespace bitpact
