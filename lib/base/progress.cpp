#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

namespace gcg {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) {
    return "?";
  }
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) {
    return fmt::format("{} s", whole);
  }
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

void put(std::FILE* output, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), output);
  std::fflush(output);
  std::clearerr(output);
}

ProgressLine::ProgressLine(std::FILE* output, double interval_seconds)
    : output_(output), interval_(interval_seconds), terminal_(isatty(fileno(output)) != 0) {}

ProgressLine::~ProgressLine() { end(); }

void ProgressLine::show(std::string_view text, double done) {
  const double now = now_seconds();
  if (first_done_ < 0) {
    first_done_ = done;
    first_seconds_ = now;
  }
  if (now - last_shown_ < (terminal_ ? 0.1 : interval_)) {
    return;
  }
  last_shown_ = now;
  std::string line(text);
  if (done > first_done_) {
    const double left = (now - first_seconds_) * (1 - done) / (done - first_done_);
    line += fmt::format("  {:3.0f} %  {} left", 100 * done, duration_text(left));
  }
  if (terminal_) {
    put(output_, fmt::format("\r{}\x1b[K", line));
    pending_ = true;
  } else {
    put(output_, line + "\n");
  }
}

void ProgressLine::say(std::string_view text) {
  put(output_, fmt::format("{}{}\n", pending_ ? "\r\x1b[K" : "", text));
  pending_ = false;
}

void ProgressLine::end() {
  if (pending_) {
    put(output_, "\n");
    pending_ = false;
  }
}

}  // namespace gcg
