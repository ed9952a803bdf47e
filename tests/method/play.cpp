#include "method/play.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <utility>

#include "backend/slots.h"
#include "base/random.h"

namespace gcg::testing {

namespace {

/// Keeps a state, changes it as play() says and invents what it is asked for.
class InventingExecutor final : public Executor {
 public:
  InventingExecutor(Play& play, const std::function<double(double)>& accuracy,
                    const std::function<void()>& on_pass)
      : play_(play),
        accuracy_(accuracy),
        on_pass_(on_pass),
        gradients_(invented_gradients(play.network, 1, 1)) {}

  const Network& network() const override { return play_.network; }
  void write(const TrainingState& state) override {
    changed_ = true;
    play_.updates_at_end = state.mask == state_.mask ? play_.updates_at_end : 0;
    state_ = state;
  }
  TrainingState read() const override { return state_; }
  BatchSums forward_backward(const Batch& batch) override {
    if (on_pass_) {
      on_pass_();
    }
    return {static_cast<double>(batch.size()), 0, batch.size()};
  }
  void step(const OptimiserStep& step) override {
    ++play_.updates_at_end;
    if (!std::exchange(changed_, false)) {
      return;
    }
    if (state_.slots.empty()) {
      state_.slots = empty_slots(play_.network, *step.optimiser);
    }
    for (std::size_t l = 0; l < state_.mask.layers.size(); ++l) {
      state_.mask.layers[l].for_each_present([&](std::int64_t i) {
        state_.values.weights[l][static_cast<std::size_t>(i)] += 0.01F;
        state_.slots[0].values.weights[l][static_cast<std::size_t>(i)] = 0.5F;
      });
    }
  }
  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    constexpr std::int64_t kMany = 1'000'000'000;  // accuracies are exact to nine digits
    const double accuracy = accuracy_(state_.mask.density());
    const auto stage = std::ssize(play_.stages) - 1;
    for (std::size_t i = 0; i < each.losses.size(); ++i) {
      const double away = (i % 2 == 0 ? 0.01 : -0.01) * static_cast<double>(i / 2 + stage % 3);
      each.losses[i] = static_cast<float>(1 - accuracy + away);
    }
    for (std::size_t i = 0; i < each.classes.size(); ++i) {
      const bool hit = static_cast<double>(i) < accuracy * static_cast<double>(kPlayedImages);
      each.classes[i] = hit ? batch.labels[i] : batch.labels[i] - 1;
    }
    return {(1 - accuracy) * kMany, std::llround(accuracy * kMany), kMany};
  }
  ConnectionValues dense_gradients(const Batch& /*batch*/) override {
    return gradients_;  // of every update the same: they are averaged after each
  }
  Parameters gradients() const override { return zero_slots(play_.network); }

  static ConnectionValues invented_gradients(const Network& network, std::uint64_t seed,
                                             std::uint64_t index) {
    RandomStream stream(seed, "test-gradient", index);
    ConnectionValues gradients;
    for (const Layer& layer : network.layers) {
      std::vector<float>& values = gradients.emplace_back(layer.connections());
      std::ranges::generate(values, [&] { return static_cast<float>(stream.normal()); });
    }
    return gradients;
  }

 private:
  Play& play_;
  const std::function<double(double)>& accuracy_;
  const std::function<void()>& on_pass_;
  const ConnectionValues gradients_;
  TrainingState state_;
  bool changed_ = false;
};

/// Another method, with what it decides written down. Its gradients are invented by their number,
/// its stages are evaluated on many images.
class Watched final : public Method {
 public:
  Watched(const Method& inner, Play& play) : inner_(inner), play_(play) {}

  void add_options(OptionList& /*list*/) override {}
  void check(const Recipe& recipe) const override { inner_.check(recipe); }
  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& network) const override {
    return inner_.planned_course(recipe, network);
  }
  Stage begin(MethodContext& context) const override {
    MethodContext lent = invented(context);
    return *noted(inner_.begin(lent), context);
  }
  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    MethodContext lent = invented(context);
    play_.ended.push_back(context.state);
    return noted(inner_.next(lent, finished), context);
  }
  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    MethodContext lent = invented(context);
    inner_.update(lent, phase, done);
    play_.updated.push_back(context.state);
    play_.memory = context.memory;
  }

 private:
  static MethodContext invented(MethodContext& context) {
    context.record.identity.validation_images = 100000;
    const std::uint64_t seed = context.seed;
    return {context.network,
            context.recipe,
            seed,
            context.epoch_updates,
            context.record,
            context.state,
            context.memory,
            [&network = context.network, seed](const TrainingState&, std::uint64_t index) {
              return InventingExecutor::invented_gradients(network, seed, index);
            },
            [](const TrainingState&, const ConnectionValues& direction, std::uint64_t) {
              return direction;
            },
            context.trunk_mask};
  }

  std::optional<Stage> noted(std::optional<Stage> stage, const MethodContext& context) const {
    play_.memory = context.memory;
    if (stage) {
      play_.stages.push_back(*stage);
      play_.begun.push_back(context.state);
    }
    return stage;
  }

  const Method& inner_;
  Play& play_;
};

/// Black images for so many updates an epoch, the first ones once more for validation.
DataSet black_images(const Network& network, std::int64_t count) {
  DataSet data;
  data.classes = network.classes();
  data.train.shape = network.nodes.front().shape;
  for (std::int64_t i = 0; i < count; ++i) {
    data.train.labels.push_back(static_cast<std::int32_t>(i % data.classes));
  }
  data.train.pixels.assign(static_cast<std::size_t>(count * data.train.shape.elements()), 0);
  data.test = data.train;
  data.test.labels.resize(1);
  data.test.pixels.resize(static_cast<std::size_t>(data.train.shape.elements()));
  return data;
}

}  // namespace

std::string table_file(const TemporaryFolder& folder, double first, double others) {
  const std::string path = folder / fmt::format("{}-{}.txt", first, others);
  const Network network = small_network();
  std::ofstream file(path);
  for (const Layer& layer : network.layers) {
    const bool is_first = layer.name == network.layers.front().name;
    file << fmt::format("{} {}\n", layer.name, is_first ? first : others);
  }
  return path;
}

Play play(const std::string& name, const Options& options,
          const std::function<double(double)>& accuracy, std::uint64_t seed, const Network& network,
          Length length, const std::function<void()>& on_pass) {
  const std::unique_ptr<Method> method = make_method(name);
  OptionList list;
  method->add_options(list);
  if (list.find("disconnected") != nullptr) {
    list.set("disconnected", "repair");  // so narrow a network has units that no walk meets
  }
  for (const auto& [option, value] : options) {
    list.set(option, value);
  }
  Play play{network, {}, {}, {}, {}, {}, {}, {}, {}};
  play.recipe.epochs = length.epochs;
  play.recipe.batch_size = 128;
  play.recipe.augment = false;
  method->check(play.recipe);
  const DataSet data = black_images(network, play.recipe.batch_size * length.epoch_updates);
  InventingExecutor executor(play, accuracy, on_pass);
  const Watched watched(*method, play);
  const TemporaryFolder folder;
  TrainingRun run{play.network, data, play.recipe, watched, executor};
  run.seed = seed;
  run.folder = folder.path();
  run.keep_stages = false;
  run.save_after_epochs = false;  // what is played is not gone on with
  run.loader_threads = 0;
  Split& split = run.split.emplace();
  for (std::int64_t i = 0; i < data.train.size(); ++i) {
    split.train.push_back(i);
  }
  split.validation.assign(split.train.begin(), split.train.begin() + kPlayedImages);
  play.record = train(std::move(run));
  play.state = play.record.result->state;
  return play;
}

}  // namespace gcg::testing
