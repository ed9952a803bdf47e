#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace gcg {

/// Prints a text that nothing depends on. Work goes on without an audience: what cannot be written
/// (a full disk, a terminal that went away) is left out, where fmt::print would throw.
void put(std::FILE* output, std::string_view text);

/// One line that tells how far a long job is: rewritten in place on a terminal, printed now and
/// then (at most every `interval_seconds`) where the output is a file or a pipe.
class ProgressLine {
 public:
  explicit ProgressLine(std::FILE* output = stderr, double interval_seconds = 15);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Shows the text. `done` in [0, 1] is the share of this process's work that is finished; the
  /// time left is estimated from it and appended.
  void show(std::string_view text, double done);
  /// Prints a full line that stays, above the progress line.
  void say(std::string_view text);
  /// Ends the line in place, if there is one.
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

/// Seconds on a clock that never goes back; the origin has no meaning.
double now_seconds();

/// "48 s", "3 min 20 s", "2 h 05 min".
std::string duration_text(double seconds);

}  // namespace gcg
