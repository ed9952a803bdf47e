#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace gcg {

/// Prints a text that nothing depends on, and flushes. If it cannot be written (full disk, closed
/// terminal) it is left out and work goes on, where fmt::print would throw.
void put(std::FILE* output, std::string_view text);

/// One line that says how far a long job is. On a terminal it is rewritten in place; in a file or a
/// pipe a new line is printed at most every `interval_seconds`.
class ProgressLine {
 public:
  explicit ProgressLine(std::FILE* output = stderr, double interval_seconds = 15);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Shows the text. `done` in [0, 1] is the finished share of the whole job; the time left is
  /// estimated from how it rose since the first call, and appended.
  void show(std::string_view text, double done);
  /// Prints a full line that stays, above the progress line.
  void say(std::string_view text);
  /// Ends the progress line with a line break, if one is shown.
  void end();

 private:
  std::FILE* output_;
  double interval_;
  bool terminal_;
  bool pending_ = false;
  double first_done_ = -1;  ///< share already done when this process started (a resumed run)
  double first_seconds_ = 0;
  double last_shown_ = -1e9;
};

/// Seconds on a monotonic clock with an arbitrary origin.
double now_seconds();

/// "48 s", "3 min 20 s", "2 h 05 min".
std::string duration_text(double seconds);

}  // namespace gcg
