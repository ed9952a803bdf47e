#include "run/local_ranks.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/host.h"
#include "base/index.h"
#include "base/progress.h"
#include "study/process.h"
#include "world/world.h"

namespace gcg {

namespace {

/// Seconds in which all ranks end once one has: after the end of the run, after a failure.
constexpr double kGoodEnd = 60;
constexpr double kBadEnd = 10;

struct Child {
  pid_t process = 0;
  bool running = true;
  bool killed = false;  ///< by this process
  int status = 0;       ///< as of waitpid

  [[nodiscard]] int exit_status() const {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

std::vector<std::string> command_of_a_rank(const GivenOptions& given) {
  std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string(),
                                   "--world", "auto"};
  for (const auto& [name, value] : given) {
    if (name != "processes") {
      command.push_back("--" + name);
      command.push_back(value);
    }
  }
  return command;
}

class LocalRanks {
 public:
  LocalRanks(const GivenOptions& given, const RunPlan& plan) {
    signals_.hold();
    const std::vector<std::string> command = command_of_a_rank(given);
    RankPlace place;
    place.ranks = plan.settings.processes;
    place.address = "127.0.0.1";
    place.port = meeting_->port();
    place.launcher_hosts = true;
    // They stand side by side: each makes batches with its share of the cores.
    const std::int64_t cores = std::max<std::int64_t>(1, own_cores() / place.ranks);
    for (std::int64_t r = 0; r < place.ranks; ++r) {
      place.rank = r;
      place.local_rank = r;
      std::vector<std::string> variables = place_variables(place);
      variables.push_back(fmt::format("GCG_CORES={}", cores));
      children_.push_back({start_process(command, variables, {}, signals_.before())});
    }
  }
  ~LocalRanks() { signal_all(SIGKILL); }
  LocalRanks(const LocalRanks&) = delete;
  LocalRanks& operator=(const LocalRanks&) = delete;

  int run() {
    while (collect()) {
      const int signal = signals_.wait(200);
      if (signal != 0 && signal != SIGCHLD) {
        signal_all(SIGTERM);
        end_within(kBadEnd);
      }
      if (now_seconds() > limit_) {
        signal_all(SIGKILL);
        limit_ = std::numeric_limits<double>::infinity();
      }
    }
    return tell();
  }

 private:
  /// Notes those that have ended. False: all have.
  bool collect() {
    bool some = false;
    for (Child& child : children_) {
      if (child.running && ::waitpid(child.process, &child.status, WNOHANG) == child.process) {
        child.running = false;
        end_within(child.exit_status() == 0 ? kGoodEnd : kBadEnd);
      }
      some = some || child.running;
    }
    return some;
  }

  void end_within(double seconds) { limit_ = std::min(limit_, now_seconds() + seconds); }

  void signal_all(int signal) {
    for (Child& child : children_) {
      if (child.running) {
        ::kill(child.process, signal);
        child.killed = child.killed || signal == SIGKILL;
      }
    }
  }

  [[nodiscard]] int tell() const {
    int status = 0;
    for (std::size_t r = 0; r < children_.size(); ++r) {
      const Child& child = children_[r];
      const int own = child.exit_status();
      if (WIFSIGNALED(child.status)) {
        put(stderr, child.killed
                        ? fmt::format("rank {} did not end and was killed\n", r)
                        : fmt::format("rank {} was ended by signal {} ({})\n", r,
                                      WTERMSIG(child.status), ::strsignal(WTERMSIG(child.status))));
      }
      if (own != 0 && own != kContinueStatus) {
        status = 1;
      } else if (own == kContinueStatus && status == 0) {
        status = kContinueStatus;
      }
    }
    return status;
  }

  SignalWatch signals_;
  std::unique_ptr<MeetingPlace> meeting_ = host_meeting_place();
  std::vector<Child> children_;
  double limit_ = std::numeric_limits<double>::infinity();
};

}  // namespace

int run_local_ranks(const GivenOptions& given, const RunPlan& plan) {
  return LocalRanks(given, plan).run();
}

}  // namespace gcg
