#include "run/until_signal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <thread>

#include "base/program.h"
#include "base/progress.h"
#include "base/thread_name.h"
#include "study/process.h"

namespace gcg {

namespace {

/// Seconds that a run has to come to its next step by itself.
constexpr double kOwnWay = 2.5;
constexpr std::int64_t kLookMilliseconds = 50;

void end_process(Stop& stop) {
  try {
    save_kept(stop);
  } catch (const std::exception& error) {
    put(stderr,
        fmt::format("what was trained since the last saving is lost: {}\n", reason_of(error)));
  }
  if (stop.leave) {
    stop.leave();
  }
  ::_exit(kContinueStatus);
}

void watch(SignalWatch& signals, Stop& stop, bool tells, const std::stop_token& over) {
  int signal = 0;
  while (signal == 0 || signal == SIGCHLD) {
    if (over.stop_requested()) {
      return;
    }
    signal = signals.wait(kLookMilliseconds);
  }
  stop.asked = true;
  if (tells) {
    put(stderr,
        fmt::format("\nstopped by {}: the same command goes on from here\n", ::strsignal(signal)));
  }
  const double limit = now_seconds() + kOwnWay;
  while (now_seconds() < limit) {
    if (over.stop_requested()) {
      return;
    }
    ::usleep(1000 * kLookMilliseconds);
  }
  end_process(stop);
}

}  // namespace

RunRecord execute_until_signal(RunPlan& plan, const RankPlace* place) {
  SignalWatch signals;
  signals.hold();
  const auto stop = std::make_shared<Stop>();
  const bool tells = place == nullptr || place->rank == 0;
  const std::jthread watcher([&](const std::stop_token& over) {
    const ThreadName name("gcg-signals");
    watch(signals, *stop, tells, over);
  });
  return execute(plan, stop, place);
}

}  // namespace gcg
