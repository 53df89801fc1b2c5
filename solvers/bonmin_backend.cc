// SPDX-License-Identifier: Apache-2.0
#include "solvers/bonmin_backend.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <exception>
#include <mutex>

#include "BonBonminSetup.hpp"
#include "BonCbc.hpp"
#include "BonTMINLP.hpp"
#include "CbcEventHandler.hpp"
#include "CoinError.hpp"

namespace bitpact {
namespace {

// Bonmin's values of "no bound".
constexpr double kNoValue = 1e40;

// The caller's handler of Ctrl-C, which Bonmin replaces by its own.
class InterruptKeeper {
 public:
  InterruptKeeper() { sigaction(SIGINT, nullptr, &action_); }
  ~InterruptKeeper() { Restore(); }
  InterruptKeeper(const InterruptKeeper&) = delete;
  InterruptKeeper& operator=(const InterruptKeeper&) = delete;
  void Restore() const { sigaction(SIGINT, &action_, nullptr); }

 private:
  struct sigaction action_ {};
};

// The programme as Bonmin asks for it. Its names are Bonmin's.
class Callbacks final : public Bonmin::TMINLP {
 public:
  using Index = Ipopt::Index;
  using Number = Ipopt::Number;

  Callbacks(const ConvexProgramme& programme, const InterruptKeeper& keeper)
      : programme_(programme), keeper_(keeper) {}

  bool get_variables_types(Index n, VariableType* types) override {
    std::fill_n(types, n, BINARY);
    return true;
  }
  bool get_variables_linearity(Index n,
                               Ipopt::TNLP::LinearityType* types) override {
    std::fill_n(types, n, Ipopt::TNLP::NON_LINEAR);
    return true;
  }
  bool get_constraints_linearity(Index m,
                                 Ipopt::TNLP::LinearityType* types) override {
    std::fill_n(types, m, Ipopt::TNLP::LINEAR);
    return true;
  }
  bool get_nlp_info(Index& n,
                    Index& m,
                    Index& jacobian,
                    Index& hessian,
                    Ipopt::TNLP::IndexStyleEnum& style) override {
    n = NumVariables();
    m = static_cast<Index>(programme_.rows.size());
    jacobian = 0;
    for (const MilpModel::Row& row : programme_.rows) {
      jacobian += static_cast<Index>(row.columns.size());
    }
    hessian = 0;
    ForEachBend([&](Index, Index, double) { ++hessian; });
    style = Ipopt::TNLP::C_STYLE;
    return true;
  }
  bool get_bounds_info(Index n,
                       Number* lower,
                       Number* upper,
                       Index m,
                       Number* row_lower,
                       Number* row_upper) override {
    std::fill_n(lower, n, 0.0);
    std::fill_n(upper, n, 1.0);
    for (Index r = 0; r < m; ++r) {
      const MilpModel::Row& row = programme_.rows[static_cast<std::size_t>(r)];
      row_lower[r] = std::max(row.lower, -1e20);
      row_upper[r] = std::min(row.upper, 1e20);
    }
    return true;
  }
  bool get_starting_point(Index n,
                          bool wants_point,
                          Number* point,
                          bool wants_bound_multipliers,
                          Number* lower,
                          Number* upper,
                          Index m,
                          bool wants_multipliers,
                          Number* multipliers) override {
    if (wants_point) std::fill_n(point, n, 0.5);
    if (wants_bound_multipliers) {
      std::fill_n(lower, n, 1.0);
      std::fill_n(upper, n, 1.0);
    }
    if (wants_multipliers) std::fill_n(multipliers, m, 0.0);
    return true;
  }
  bool eval_f(Index n, const Number* z, bool, Number& value) override {
    keeper_.Restore();
    const Eigen::Map<const Eigen::VectorXd> at(z, n);
    const Eigen::Map<const Eigen::VectorXd> linear(programme_.linear.data(), n);
    value = linear.dot(at) + 0.5 * at.dot(programme_.bend * at);
    return true;
  }
  bool eval_grad_f(Index n, const Number* z, bool, Number* gradient) override {
    const Eigen::Map<const Eigen::VectorXd> at(z, n);
    Eigen::Map<Eigen::VectorXd> out(gradient, n);
    out = Eigen::Map<const Eigen::VectorXd>(programme_.linear.data(), n) +
          programme_.bend * at;
    return true;
  }
  bool eval_g(Index, const Number* z, bool, Index m, Number* values) override {
    for (Index r = 0; r < m; ++r) {
      const MilpModel::Row& row = programme_.rows[static_cast<std::size_t>(r)];
      values[r] = 0.0;
      for (std::size_t t = 0; t < row.columns.size(); ++t) {
        values[r] += row.coefficients[t] * z[row.columns[t]];
      }
    }
    return true;
  }
  // Structure when there are no values to fill, values otherwise.
  bool eval_jac_g(Index,
                  const Number*,
                  bool,
                  Index m,
                  Index,
                  Index* rows,
                  Index* columns,
                  Number* values) override {
    std::size_t at = 0;
    for (Index r = 0; r < m; ++r) {
      const MilpModel::Row& row = programme_.rows[static_cast<std::size_t>(r)];
      for (std::size_t t = 0; t < row.columns.size(); ++t, ++at) {
        if (values == nullptr) {
          rows[at] = r;
          columns[at] = row.columns[t];
        } else {
          values[at] = row.coefficients[t];
        }
      }
    }
    return true;
  }
  bool eval_h(Index,
              const Number*,
              bool,
              Number factor,
              Index,
              const Number*,
              bool,
              Index,
              Index* rows,
              Index* columns,
              Number* values) override {
    std::size_t at = 0;
    ForEachBend([&](Index i, Index j, double value) {
      if (values == nullptr) {
        rows[at] = i;
        columns[at] = j;
      } else {
        values[at] = factor * value;
      }
      ++at;
    });
    return true;
  }
  void finalize_solution(Bonmin::TMINLP::SolverReturn,
                         Index,
                         const Number*,
                         Number) override {}
  const SosInfo* sosConstraints() const override { return nullptr; }
  const BranchingInfo* branchingInfo() const override { return nullptr; }

 private:
  [[nodiscard]] Index NumVariables() const {
    return static_cast<Index>(programme_.linear.size());
  }
  // The lower triangle; the diagonal always, Ipopt wants it.
  template <typename Visit>
  void ForEachBend(Visit&& visit) const {
    for (Index i = 0; i < NumVariables(); ++i) {
      for (Index j = 0; j <= i; ++j) {
        const double value = programme_.bend(i, j);
        if (i == j || value != 0.0) visit(i, j, value);
      }
    }
  }

  const ConvexProgramme& programme_;
  const InterruptKeeper& keeper_;
};

using OnPoint = std::function<void(const double*)>;

// Reports solutions; stops the search when the clock or the caller says so.
class SearchHandler final : public CbcEventHandler {
 public:
  SearchHandler(const SolveClock& clock, const OnPoint& on_point)
      : clock_(&clock), on_point_(&on_point) {}
  CbcEventHandler* clone() const override { return new SearchHandler(*this); }
  CbcAction event(CbcEvent which) override {
    const CbcModel* model = getModel();
    if ((which == solution || which == heuristicSolution) && model != nullptr &&
        model->bestSolution() != nullptr) {
      (*on_point_)(model->bestSolution());
    }
    return clock_->Reached(-1) == Limit::kNone ? noAction : stop;
  }

 private:
  const SolveClock* clock_;
  const OnPoint* on_point_;
};

// All in the programme's values.
MilpOutcome Search(const ConvexProgramme& programme,
                   const std::string& options_text,
                   const SolveClock& clock,
                   const OnPoint& on_point) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  const InterruptKeeper keeper;
  Bonmin::BonminSetup setup;
  setup.initializeOptionsAndJournalist();
  setup.readOptionsString(options_text);
  const Ipopt::SmartPtr<Bonmin::TMINLP> callbacks =
      new Callbacks(programme, keeper);
  setup.initialize(callbacks);
  Bonmin::Bab search;
  SearchHandler handler(clock, on_point);
  search.model().passInEventHandler(&handler);
  search.model().setUseElapsedTime(true);
  search(setup);
  MilpOutcome outcome;
  outcome.nodes = search.numNodes();
  outcome.iterations = search.iterationCount();
  if (search.bestSolution() != nullptr) on_point(search.bestSolution());
  using Status = Bonmin::Bab::MipStatuses;
  outcome.is_proven = search.mipStatus() == Status::FeasibleOptimal;
  outcome.is_infeasible = search.mipStatus() == Status::ProvenInfeasible;
  const double bound = search.bestBound();
  if (std::abs(bound) < kNoValue) {
    outcome.bound = outcome.is_proven ? bound : LoweredBound(bound);
  }
  return outcome;
}

// Calls and turns what Bonmin, Ipopt or CBC throw into an error.
template <typename Function>
Expected<MilpOutcome> Guarded(Function&& function) {
  const auto fail = [](const std::string& what) {
    return Fail(ErrorCode::kInternal, "bonmin failed: " + what);
  };
  try {
    return function();
  } catch (const CoinError& failure) {
    return fail(failure.message());
  } catch (const Ipopt::IpoptException& failure) {
    return fail(failure.Message());
  } catch (const std::exception& failure) {
    return fail(failure.what());
  } catch (Bonmin::TNLPSolver::UnsolvedError* failure) {
    const std::string name = failure->errorName();
    delete failure;
    return fail(name);
  } catch (...) {
    return fail("it threw something unknown");
  }
}

}  // namespace

Expected<MilpOutcome> RunBonmin(
    const ConvexProgramme& programme,
    const std::string& options_text,
    const SolveClock& clock,
    const std::function<void(const double*)>& on_point) {
  return Guarded(
      [&] { return Search(programme, options_text, clock, on_point); });
}

}  // namespace bitpact
