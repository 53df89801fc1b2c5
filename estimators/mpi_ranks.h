// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MPI_RANKS_H_
#define BITPACT_ESTIMATORS_MPI_RANKS_H_

// The processes of a run that mpirun started (Boost.MPI). Rank 0 leads: it runs
// the estimator and writes the files; the others evaluate (mpi_game.h). A
// process that was started alone is rank 0 of 1 and touches no MPI library.
//
// A rank that dies takes the run down: mpirun ends the others. What was
// evaluated is in rank 0's file, so a later run goes on from there.

#include <memory>
#include <string>

#include "core/error.h"

namespace bitpact {

// What mpirun (Open MPI, or a PMI launcher) says in the environment, before MPI
// is started: 0 of 1 when nothing does.
struct LaunchedAs {
  int rank = 0;
  int size = 1;
  int size_on_this_machine = 1;
};
LaunchedAs ReadLaunch();

class MpiRanks {
 public:
  // Joins the other ranks; at most once in a process. kUnsupported: mpirun
  // started several processes and this build has no MPI; kUnavailable: MPI did
  // not start.
  static Expected<std::unique_ptr<MpiRanks>> Join();
  // Rank 0 sends the others home first.
  ~MpiRanks();
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;

  [[nodiscard]] int rank() const { return launch_.rank; }
  [[nodiscard]] int size() const { return launch_.size; }
  [[nodiscard]] bool leads() const { return launch_.rank == 0; }

  // Called by all ranks once each is set up, or has failed to: `mine` holds a
  // fingerprint of what the rank will compute with. An error on one rank, or
  // fingerprints that differ, is an error on all, with the rank named.
  Expected<void> Agree(const Expected<std::string>& mine);

  // For mpi_game.cc: a boost::mpi::communicator, null when alone.
  struct Connection;
  [[nodiscard]] Connection* connection() const { return connection_.get(); }

 private:
  explicit MpiRanks(LaunchedAs launch);

  LaunchedAs launch_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MPI_RANKS_H_
