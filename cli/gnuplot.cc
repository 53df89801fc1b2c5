// SPDX-License-Identifier: Apache-2.0
#include "cli/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace bitpact {

bool RunGnuplot(const std::filesystem::path& folder,
                const std::string& script) {
  std::string program = "gnuplot";
  std::string file = script;
  std::array<char*, 3> argv = {program.data(), file.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(
      &actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, "gnuplot", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string NoPicturesNote(const std::filesystem::path& folder,
                           const std::string& script) {
  return "no pictures: gnuplot is not installed or has no svg and pngcairo "
         "terminals (Debian: gnuplot-nox); later: cd " +
         folder.string() + " && gnuplot " + script;
}

}  // namespace bitpact
