// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_LINE_PROCESS_H_
#define BITPACT_CORE_LINE_PROCESS_H_

// A program that is talked to in lines, over its standard input and output. The
// command is run by `/bin/sh -c`, so it may hold arguments, quotes and pipes,
// and is to be trusted as much as anything typed into a shell; what is written
// to it later never passes a shell. Its standard error is ours. It runs in a
// process group of its own: Ctrl-C reaches it as the end of its input, and the
// destructor ends the whole group.
//
// Plain POSIX instead of Boost.Process: version 1 of that, which is what Debian
// 12 has, cannot wait for a line with a time-out without an event loop. Not
// thread-safe; each object may live in a thread of its own.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "core/error.h"

namespace bitpact {

class LineProcess {
 public:
  // kUnavailable: the shell could not be started. An unknown program shows as
  // the end of its output.
  static Expected<std::unique_ptr<LineProcess>> Start(
      const std::string& command);
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  // What became of a wait for a line.
  enum class Outcome { kLine, kEnded, kTimedOut };
  struct Answer {
    Outcome outcome = Outcome::kEnded;
    std::string line;  // without the newline
  };

  // Writes the line and a newline. False when the program no longer reads, or
  // does not within the time.
  bool Write(std::string line, std::chrono::duration<double> patience);
  // The next line of its output. Lines over 64 MiB count as the end.
  Answer Read(std::chrono::duration<double> patience);
  // Ends the program and says how it ended: "exit status 3", "signal 9".
  std::string End();

 private:
  LineProcess(pid_t pid, int socket) : pid_(pid), socket_(socket) {}

  pid_t pid_;
  int socket_;
  std::string unread_;
};

}  // namespace bitpact

#endif  // BITPACT_CORE_LINE_PROCESS_H_
