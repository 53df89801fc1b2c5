// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TWO_WAY_SEARCH_H_
#define BITPACT_SOLVERS_TWO_WAY_SEARCH_H_

// Branch and bound for binaries under one row at most, the two-way half of
// `branch-and-bound`.
//
// Root: the scaled and the semidefinite shift in turn (solvers/
// diagonal_shift.h), each with its relaxation; reduced costs against the
// incumbent fix variables, the model is compressed and shifted anew, until a
// pass fixes little. The shift that leaves less is searched.
//
// Search, in rounds: the open nodes with the least bounds are each compressed,
// shifted anew (what is fixed needs no curvature any more) and expanded depth
// first for a fixed number of nodes, side by side on the threads, against
// a cutoff that is frozen for the round; what they leave open and the plans
// they met are merged in order. So the plan, the bound and the number of nodes
// do not depend on the number of threads.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solvers/diagonal_shift.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"
#include "solvers/two_way_model.h"
#include "solvers/two_way_relaxation.h"

namespace bitpact {

class TwoWaySearch {
 public:
  // Needs IsTwoWayModel(reduced) and at least one variable; keeps references.
  // Without `uses_heuristics` every plan comes from the search itself.
  TwoWaySearch(const AllocationProblem& problem,
               const ReducedProblem& reduced,
               const SolveOptions& options,
               const SolveClock& clock,
               IncumbentRecorder& recorder,
               bool uses_heuristics);

  // Returns the limit that ended it; the recorder then has plan and bound.
  Limit Run();

  [[nodiscard]] std::int64_t nodes() const { return nodes_; }
  [[nodiscard]] std::int64_t iterations() const { return iterations_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] const std::optional<RootCertificate>& certificate() const {
    return certificate_;
  }

 private:
  enum class Shift { kScaled, kSemidefinite };
  struct Job;

  [[nodiscard]] double Cutoff() const;
  Limit CloseProof();
  bool ReduceAtRoot();
  bool RootPass();
  bool TightenRoot(Shift shift, double& bound);
  void ApplyShift(Shift shift, TwoWayModel& model);
  void TakeFixings(const TwoWayModel& model, const TwoWayNode& node);
  void KeepCertificate(const TwoWayModel& model,
                       const TwoWayRelaxation& relaxation);
  void OfferRounded(const TwoWayModel& model, const std::vector<char>& z);
  [[nodiscard]] Choices ChoicesOf(const TwoWayModel& model,
                                  const std::vector<char>& z) const;
  [[nodiscard]] std::size_t NumFree() const;

  void Search();
  void RunRound();
  void RunJob(Job& job) const;
  void Dive(const TwoWayModel& model,
            TwoWayRelaxation& relaxation,
            Job& job,
            std::vector<TwoWayNode>& stack) const;
  static void Examine(const TwoWayModel& model,
                      TwoWayNode node,
                      TwoWayRelaxation& relaxation,
                      Job& job,
                      std::vector<TwoWayNode>& stack);
  void Merge(Job& job);
  [[nodiscard]] TwoWayNode Pop();
  void DropAboveCutoff();
  [[nodiscard]] std::int64_t NodesLeft() const;

  const ReducedProblem& reduced_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  bool uses_heuristics_;
  double proof_tolerance_;
  int num_threads_;
  std::vector<Fixing> fixed_;  // of the reduced variables
  TwoWayModel whole_;
  TwoWayModel model_;  // what the search works on
  Shift shift_ = Shift::kScaled;
  MixingState mixing_;
  std::map<std::pair<double, std::int64_t>, TwoWayNode> open_;
  std::int64_t next_id_ = 0;
  std::int64_t rounds_ = 0;
  std::int64_t nodes_ = 0;
  std::int64_t iterations_ = 0;
  Limit limit_ = Limit::kNone;
  std::optional<RootCertificate> certificate_;
  std::string detail_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TWO_WAY_SEARCH_H_
