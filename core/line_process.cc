// SPDX-License-Identifier: Apache-2.0
#include "core/line_process.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

// One socket pair is both standard input and output of the program: writing to
// a socket can be told not to raise SIGPIPE when the reader has died.

extern char** environ;

namespace bitpact {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestLine = std::size_t{64} << 20;

Clock::time_point Deadline(std::chrono::duration<double> patience) {
  // A day is as good as for ever and cannot overflow.
  const std::chrono::duration<double> most = std::chrono::hours(24 * 365);
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::min(patience, most));
}

// Whether the socket became ready before the deadline.
bool WaitFor(int socket, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - Clock::now());
    const auto wait = std::clamp<std::int64_t>(left.count() + 1, 0, 1'000'000);
    pollfd watched{.fd = socket, .events = events, .revents = 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(wait));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR)
      return true;  // the call that follows fails
    if (Clock::now() >= deadline) return false;
  }
}

}  // namespace

Expected<std::unique_ptr<LineProcess>> LineProcess::Start(
    const std::string& command) {
  const auto failed = [&](int code) {
    return Fail(ErrorCode::kUnavailable,
                "cannot start '" + command +
                    "': " + std::generic_category().message(code));
  };
  std::array<int, 2> ends{};
  // Neither end is inherited, but for the copies made below.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return failed(errno);
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  // Handlers are reset by exec; what we ignore or block is not.
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigemptyset(&all);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&all, signal);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(
      &attributes,
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh";
  std::string flag = "-c";
  std::string text = command;
  std::array<char*, 4> arguments = {
      shell.data(), flag.data(), text.data(), nullptr};
  pid_t pid = -1;
  const int code = ::posix_spawn(
      &pid, "/bin/sh", &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (code != 0) {
    ::close(ends[0]);
    return failed(code);
  }
  return std::unique_ptr<LineProcess>(new LineProcess(pid, ends[0]));
}

LineProcess::~LineProcess() { End(); }

bool LineProcess::Write(std::string line,
                        std::chrono::duration<double> patience) {
  if (socket_ < 0) return false;
  line += '\n';
  const auto deadline = Deadline(patience);
  for (std::size_t done = 0; done < line.size();) {
    if (!WaitFor(socket_, POLLOUT, deadline)) return false;
    const ssize_t count = ::send(socket_,
                                 line.data() + done,
                                 line.size() - done,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  return true;
}

LineProcess::Answer LineProcess::Read(std::chrono::duration<double> patience) {
  const auto deadline = Deadline(patience);
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = unread_.find('\n', searched);
    if (end != std::string::npos) {
      Answer answer{Outcome::kLine, unread_.substr(0, end)};
      unread_.erase(0, end + 1);
      return answer;
    }
    searched = unread_.size();
    if (socket_ < 0 || searched > kLongestLine) return {Outcome::kEnded, {}};
    if (!WaitFor(socket_, POLLIN, deadline)) return {Outcome::kTimedOut, {}};
    std::array<char, 65536> part{};
    const ssize_t count =
        ::recv(socket_, part.data(), part.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return {Outcome::kEnded, {}};
    unread_.append(part.data(), static_cast<std::size_t>(count));
  }
}

std::string LineProcess::End() {
  if (pid_ <= 0) return "ended";
  // Its input ends first: a program that stops by itself is left the time to.
  ::shutdown(socket_, SHUT_RDWR);
  ::close(socket_);
  socket_ = -1;
  int status = 0;
  pid_t gone = 0;
  constexpr int kTries = 50;
  for (int i = 0; i < kTries && gone == 0; ++i) {
    gone = ::waitpid(pid_, &status, WNOHANG);
    if (gone == 0) ::usleep(10'000);
  }
  ::kill(-pid_, SIGKILL);  // and whatever it has started
  if (gone == 0) ::waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace bitpact
