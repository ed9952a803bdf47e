#include "train/stop.h"

#include "train/phase_state.h"
#include "train/training.h"

namespace gcg {

void save_kept(Stop& stop) {
  stop.recording.lock();  // and never unlocked: the process ends
  if (stop.kept && !stop.lost) {
    save(*stop.recorder, *stop.kept);
  }
}

void save(Training& training) {
  Stop& stop = *training.run.stop;
  training.now.method_state = phase_text({training.stage, training.counted});
  const std::lock_guard guard(stop.recording);
  if (stop.lost) {
    throw Stopped();
  }
  save(training.recorder, training.now);
  stop.kept.reset();
}

void keep(Training& training) {
  Stop& stop = *training.run.stop;
  training.now.method_state = phase_text({training.stage, training.counted});
  const std::lock_guard guard(stop.recording);
  stop.recorder = training.recorder;
  stop.kept = training.now;
}

void pass(Training& training) {
  Stop& stop = *training.run.stop;
  if (stop.asked) {
    catch_up(training);
    save(training);
    throw Stopped();
  }
  const std::lock_guard guard(stop.recording);
  stop.kept.reset();
}

}  // namespace gcg
