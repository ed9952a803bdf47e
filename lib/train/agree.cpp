#include "train/agree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/index.h"
#include "base/text.h"

namespace gcg {

namespace {

constexpr std::string_view kRemedy =
    "start the same program with the same options and data on every host, with the run's folder on "
    "a file system that all of them see";

template <typename T>
void feed(Sha256& hash, const std::vector<T>& values) {
  hash.update(std::as_bytes(std::span(values)));
}

struct NamedDigest {
  std::string name;
  Digest digest;
};

template <typename F>
NamedDigest digest_of(std::string name, F feed_all) {
  Sha256 hash;
  feed_all(hash);
  return {std::move(name), hash.finish()};
}

/// Calls f(parameters) for the values and the slots of a state.
template <typename F>
void for_each_parameters(const TrainingState& state, F f) {
  f(state.values);
  for (const Slot& slot : state.slots) {
    f(slot.values);
  }
}

std::string course_text(const Checkpoint& now) {
  const Position& position = now.position;
  std::string text = fmt::format(
      "{} {} {} {} {:a} {} {} {} {} {}", now.method_state, position.phase, position.epoch_in_phase,
      position.batch_in_epoch, position.loss_sum, position.correct, position.samples,
      now.record.cost.steps, now.record.stages.size(), now.state.updates);
  for (const TrajectoryRow& row : now.record.trajectory) {
    text += fmt::format(" {:a} {:a}", row.train_loss, row.validation_loss);
  }
  for (const Slot& slot : now.state.slots) {
    text += " " + slot.name;
  }
  return text;
}

std::vector<NamedDigest> digests(const Checkpoint& now) {
  const TrainingState& state = now.state;
  const Network& network = now.record.network;
  std::vector<NamedDigest> all;
  for (std::size_t l = 0; l < state.mask.layers.size(); ++l) {
    const std::string& layer = network.layers[l].name;
    all.push_back(digest_of("the mask of layer " + layer, [&](Sha256& hash) {
      const auto words = state.mask.layers[l].words();
      hash.update(std::as_bytes(words));
    }));
    all.push_back(digest_of("the weights of layer " + layer, [&](Sha256& hash) {
      for_each_parameters(state, [&](const Parameters& parameters) {
        feed(hash, parameters.weights[l]);
        feed(hash, parameters.biases[l]);
      });
      if (!now.memory.gradient_average.empty()) {
        feed(hash, now.memory.gradient_average[l]);
      }
    }));
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0 && !state.values.norms.empty()) {
      all.push_back(digest_of("normalisation " + node.name, [&](Sha256& hash) {
        for_each_parameters(state, [&](const Parameters& parameters) {
          const NormParameters& norm = parameters.norms[at(node.norm)];
          for (const auto* values : {&norm.scale, &norm.shift, &norm.mean, &norm.variance}) {
            feed(hash, *values);
          }
        });
      }));
    }
  }
  all.push_back(digest_of("the class token or the position table", [&](Sha256& hash) {
    for_each_parameters(state, [&](const Parameters& parameters) {
      feed(hash, parameters.tokens.class_token);
      feed(hash, parameters.tokens.positions);
    });
  }));
  all.push_back(
      digest_of("the course of the run", [&](Sha256& hash) { hash.update(course_text(now)); }));
  return all;
}

std::vector<std::string> gather_texts(Ranks& ranks, std::string_view text) {
  const std::int64_t own = std::ssize(text);
  std::vector<std::int64_t> sizes(at(ranks.size()));
  gather<std::int64_t>(ranks, {&own, 1}, sizes);
  const std::size_t room = at(std::ranges::max(sizes));
  std::string padded(text);
  padded.resize(room);
  std::string all(room * sizes.size(), '\0');
  gather<char>(ranks, padded, all);
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    texts.push_back(all.substr(r * room, at(sizes[r])));
  }
  return texts;
}

/// "WHAT: VALUE" as WHAT and VALUE.
std::pair<std::string_view, std::string_view> fact_in(std::string_view line) {
  const std::size_t colon = line.find(": ");
  return {line.substr(0, colon), line.substr(std::min(line.size(), colon + 2))};
}

}  // namespace

Wishes agreed(Ranks* ranks, Wishes mine) {
  if (ranks == nullptr) {
    return mine;
  }
  std::vector<Wishes> all(at(ranks->size()));
  gather<Wishes>(*ranks, {&mine, 1}, all);
  Wishes result = all.front();
  result.stop = std::ranges::any_of(all, &Wishes::stop);
  return result;
}

void check_same_facts(Ranks* ranks, std::string_view facts) {
  if (ranks == nullptr) {
    return;
  }
  const std::vector<std::string> all = gather_texts(*ranks, facts);
  const std::vector<std::string_view> first = lines_of(all.front());
  for (std::size_t r = 1; r < all.size(); ++r) {
    const std::vector<std::string_view> other = lines_of(all[r]);
    for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
      const auto [what, value] = fact_in(i < first.size() ? first[i] : std::string_view());
      const auto [other_what, other_value] =
          fact_in(i < other.size() ? other[i] : std::string_view());
      if (what != other_what || value != other_value) {
        const std::string_view name = what.empty() ? other_what : what;
        throw Error(fmt::format("rank {}", r),
                    fmt::format("{} is {}, on rank 0 {}", name,
                                other_value.empty() ? "missing" : other_value,
                                value.empty() ? "missing" : value),
                    kRemedy);
      }
    }
  }
}

void check_same_state(Ranks* ranks, const Checkpoint& now, std::string_view when) {
  if (ranks == nullptr) {
    return;
  }
  const std::vector<NamedDigest> own = digests(now);
  std::vector<Digest> flat;
  std::ranges::transform(own, std::back_inserter(flat), &NamedDigest::digest);
  const std::int64_t count = std::ssize(flat);
  std::vector<std::int64_t> counts(at(ranks->size()));
  gather<std::int64_t>(*ranks, {&count, 1}, counts);
  for (std::size_t r = 1; r < counts.size(); ++r) {
    if (counts[r] != counts[0]) {
      throw Error(fmt::format("rank {}", r),
                  fmt::format("{}, it does not stand where rank 0 does: only one of them has found "
                              "the checkpoint",
                              when),
                  kRemedy);
    }
  }
  std::vector<Digest> all(flat.size() * at(ranks->size()));
  gather<Digest>(*ranks, flat, all);
  for (std::size_t r = 1; r < at(ranks->size()); ++r) {
    for (std::size_t i = 0; i < flat.size(); ++i) {
      if (all[r * flat.size() + i] != all[i]) {
        throw Error(fmt::format("rank {}", r),
                    fmt::format("{}, {} is not that of rank 0", when, own[i].name), kRemedy);
      }
    }
  }
}

}  // namespace gcg
