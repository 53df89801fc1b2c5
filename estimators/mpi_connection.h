// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MPI_CONNECTION_H_
#define BITPACT_ESTIMATORS_MPI_CONNECTION_H_

// The part of mpi_ranks.h that needs Boost.MPI; for mpi_ranks.cc and
// mpi_game.cc in builds that have it.

#include "boost/mpi.hpp"
#include "estimators/mpi_ranks.h"

namespace bitpact {

struct MpiRanks::Connection {
  boost::mpi::environment environment;
  boost::mpi::communicator world;
};

// Messages between rank 0 and the others.
enum MpiTag : int {
  kMpiAssignments = 1,  // to a rank: options of whole assignments, one by one
  kMpiWindows = 2,      // to a rank: window, options, window, options, ...
  kMpiSums = 3,         // back: every window's sum of each assignment
  kMpiFailure = 4,      // back: the error's message
  kMpiGoHome = 5        // to a rank
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MPI_CONNECTION_H_
