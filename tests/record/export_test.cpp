#include "record/export.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/temporary_folder.h"
#include "graph/networks.h"
#include "record/network_file.h"
#include "record/npz.h"
#include "record/write_bytes.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using ::testing::ThrowsMessage;

Mask some_mask(const Network& network) {
  Mask mask(network, false);
  RandomStream stream(20260102, "export-test");
  for (LayerMask& layer : mask.layers) {
    layer = random_layer(layer.size(), layer.size() / 3, stream);
  }
  return mask;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(NetworkFile, EveryNetworkComesBack) {
  for (const NetworkEntry& entry : network_table()) {
    SCOPED_TRACE(entry.name);
    const Network network = build_network(entry.name, {{3, 64, 64}, 10, 6});
    const std::string text = network_text(network);
    const Network again = parse_network("network.json", text);
    EXPECT_EQ(network_text(again), text);
    ASSERT_EQ(again.nodes.size(), network.nodes.size());
    for (std::size_t n = 0; n < network.nodes.size(); ++n) {
      EXPECT_EQ(again.nodes[n].shape, network.nodes[n].shape);
      EXPECT_EQ(again.nodes[n].window, network.nodes[n].window);
      EXPECT_EQ(again.nodes[n].layer, network.nodes[n].layer);
      EXPECT_EQ(again.nodes[n].norm, network.nodes[n].norm);
      EXPECT_EQ(again.nodes[n].heads, network.nodes[n].heads);
    }
  }
}

/// With the checksum of what it says.
std::string sealed(const std::string& text) {
  nlohmann::json content = nlohmann::json::parse(text);
  content["sha256"] = hex(sha256(content.dump()));
  return content.dump();
}

TEST(NetworkFile, StochasticDepthComesBack) {
  const Network network = build_network("vit6_small", {{3, 32, 32}, 10, 6, 0.1});
  const Network again = parse_network("network.json", network_text(network));
  EXPECT_EQ(again.drop_count, 10);
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    EXPECT_EQ(again.nodes[n].drop, network.nodes[n].drop);
    EXPECT_EQ(again.nodes[n].drop_rate, network.nodes[n].drop_rate);
  }
}

TEST(NetworkFile, WhatIsNoGraphIsAnErrorThatNamesTheFile) {
  const std::string good =
      R"({"version": 2, "run": "r", "stage": -1, "name": "n", "input": [1, 2, 2], "nodes": [
    {"name": "f", "operation": "flatten", "inputs": [0]},
    {"name": "l", "operation": "linear", "inputs": [1], "channels": 2, "bias": true}]})";
  EXPECT_EQ(parse_network("f.json", sealed(good)).layers.at(0).inputs, 4);
  const auto with = [&](std::string_view old, std::string_view changed) {
    std::string text = good;
    text.replace(text.find(old), old.size(), changed);
    return sealed(text);
  };
  for (const std::string& text :
       {std::string("[]"), std::string("{}"), good, with("\"name\": \"n\"", "\"title\": 1"),
        with("[1, 2, 2]", "[1, 2]"), with("[1, 2, 2]", "[1, 2, 1e9]"),
        with("[1, 2, 2]", "[1, 2, -2]"), with("[1, 2, 2]", "[1, 2, 99999999999]"),
        with("\"flatten\"", "\"melt\""), with("[0]", "[7]"), with("[0]", "[]"),
        with("\"channels\": 2, ", ""), with("\"l\"", "\"f\"")}) {
    SCOPED_TRACE(text);
    EXPECT_THAT([&] { (void)parse_network("f.json", text); },
                ThrowsMessage<Error>(HasSubstr("f.json: is not a layer graph")));
  }
  EXPECT_THAT([] { (void)parse_network("f.json", "{"); },
              ThrowsMessage<Error>(HasSubstr("f.json: byte 2: not JSON")));
  for (const std::string version : {"2.5", "1e+300", "null"}) {
    const std::string text = with("\"version\": 2", "\"version\": " + version);
    EXPECT_THAT(
        [&] { (void)parse_network("f.json", text); },
        ThrowsMessage<Error>(HasSubstr("f.json: version is " + version + ", not a whole number")));
  }
}

TEST(NetworkFile, AnotherVersionIsAnErrorThatNamesBoth) {
  std::string text = network_text(build_network("lenet5", {{1, 28, 28}, 10, 1}));
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 7");
  EXPECT_THAT([&] { (void)parse_network("f.json", text); },
              ThrowsMessage<Error>(AllOf(HasSubstr("it has version 7, this program reads 2"),
                                         HasSubstr("run the run's command again"))));
}

TEST(NetworkFile, KnowsTheRunThatItBelongsTo) {
  const Network network = build_network("lenet5", {{1, 28, 28}, 10, 1});
  const std::string text = network_text(network, {"mine", 3});
  EXPECT_EQ(parse_network("f.json", text, "mine").name, "lenet5");
  EXPECT_EQ(parse_network("f.json", text).name, "lenet5");
  EXPECT_THAT([&] { (void)parse_network("f.json", text, "yours"); },
              ThrowsMessage<Error>(HasSubstr("belongs to the run 'mine', not to 'yours'")));
}

TEST(NetworkFile, AFlippedBitIsAnErrorOrChangesNothing) {
  const std::string text = network_text(build_network("lenet5", {{1, 28, 28}, 10, 1}));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ (1 << i % 7));
    try {
      EXPECT_EQ(network_text(parse_network("f.json", changed)), text) << i;
    } catch (const Error&) {
    }
  }
}

TEST(Npz, ComesBackAndEqualArraysGiveEqualBytes) {
  const std::vector<std::byte> values(24, std::byte{7});
  const std::vector<NpzArray> arrays{{"a.weight", "<f4", {2, 3}, values},
                                     {"scalar", "<f8", {}, std::vector(8, std::byte{7})},
                                     {"empty", "|u1", {0, 5}, {}}};
  const std::vector<NpzText> texts{{"graph.json", "{}"}};
  const std::vector<std::byte> content = npz_content(arrays, texts);
  EXPECT_EQ(npz_content(arrays, texts), content);
  const std::vector<NpzArray> again = parse_npz("x.npz", content);
  ASSERT_EQ(again.size(), 3U);
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    EXPECT_EQ(again[a].name, arrays[a].name);
    EXPECT_EQ(again[a].type, arrays[a].type);
    EXPECT_EQ(again[a].shape, arrays[a].shape);
    EXPECT_TRUE(std::ranges::equal(again[a].bytes, arrays[a].bytes));
  }
}

TEST(Npz, NoDamageIsReadAsContentOrLeadsOutOfTheFile) {
  const std::vector<std::byte> values(12, std::byte{1});
  const std::vector<NpzArray> arrays{{"one", "|u1", {3, 4}, values}, {"two", "<f4", {3}, values}};
  const std::vector<std::byte> good = npz_content(arrays, {});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW((void)parse_npz("x.npz", std::span(good).first(size)), Error) << size;
  }
  // Whatever single byte changes: an Error, or the same arrays (fields that nobody reads).
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int change : {1, 0x80, 0xFF}) {
      std::vector<std::byte> bytes = good;
      bytes[i] ^= static_cast<std::byte>(change);
      try {
        const std::vector<NpzArray> arrays_read = parse_npz("x.npz", bytes);
        for (const NpzArray& array : arrays_read) {
          EXPECT_TRUE(std::ranges::equal(array.bytes, values)) << i;
        }
      } catch (const Error&) {
      }
    }
  }
}

/// An archive of one array with a header of one's own, its checksum right.
std::vector<std::byte> with_header(const std::string& dictionary, const std::string& values) {
  std::string member("\x93NUMPY\x01", 7);
  member += std::string(1, '\0');
  member +=
      {static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  member += dictionary + values;
  const std::vector<NpzText> texts{{"a.npy", member}};
  return npz_content({}, texts);
}

TEST(Npz, HostileHeadersAreErrors) {
  const auto parse = [](const std::string& dictionary, std::size_t values) {
    return [=] { (void)parse_npz("x.npz", with_header(dictionary, std::string(values, '\1'))); };
  };
  EXPECT_NO_THROW(
      parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n", 24)());
  for (const auto& [dictionary, text] : std::vector<std::pair<std::string, std::string>>{
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }",
            "do not match its shape"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
            "do not match its shape"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4, 6), }",
            "do not match its shape"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }",
            "do not match its shape"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3), }",
            "shape of a is invalid"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", "shape of a is invalid"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "shape of a is invalid"},
           {"{'descr': '<f4', 'fortran_order': False}", "has no shape"},
           {"{'descr': '<f4', 'fortran_order': 1, 'shape': (2, 3)}", "the order of a is invalid"},
           {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", "plain little-endian"},
           {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", "plain little-endian"},
           {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (6,)}",
            "plain little-endian"},
           {"", "has no descr"},
           {std::string(5000, ' '), "more than 4096"}}) {
    SCOPED_TRACE(dictionary.substr(0, 100));
    EXPECT_THAT(parse(dictionary, 24), ThrowsMessage<Error>(HasSubstr(text)));
  }
  EXPECT_THAT([] { (void)parse_npz("x.npz", bytes_of("PK, or so it says")); },
              ThrowsMessage<Error>(HasSubstr("is not an .npz file")));
}

TEST(Npz, ColumnMajorArraysAreTurned) {
  std::string values;
  std::vector<std::byte> expected;
  for (char v = 0; v < 24; ++v) {
    values += v;
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) {
        expected.push_back(static_cast<std::byte>(i + 2 * (j + 3 * k)));
      }
    }
  }
  const std::vector<NpzArray> arrays = parse_npz(
      "x.npz",
      with_header("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", values));
  EXPECT_EQ(arrays.at(0).shape, (std::vector<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(arrays.at(0).bytes, expected);
}

TEST(Npz, IsKnownByItsNameInUpperOrLowerCase) {
  EXPECT_TRUE(names_npz("folder/mask.npz"));
  EXPECT_TRUE(names_npz("MASK.NPZ"));
  EXPECT_FALSE(names_npz("npz"));
  EXPECT_FALSE(names_npz("mask.npz.h5"));
}

TEST(Export, TheMaskComesBackFromTheExport) {
  const TemporaryFolder folder;
  for (const char* name : {"resnet8", "lenet5"}) {
    SCOPED_TRACE(name);
    const Network network = build_network(name, {{3, 32, 32}, 10, 4});
    const TrainingState state = initial_state(network, some_mask(network), 3);
    write_bytes(folder.path() / "x.npz", export_content(network, state));
    EXPECT_EQ(read_npz_mask(folder.path() / "x.npz", network), state.mask);
  }
}

TEST(Export, HoldsEveryValueUnderTheNameThatPyTorchGivesIt) {
  const Network network = build_network("resnet8", {{3, 32, 32}, 10, 4});
  const TrainingState state = initial_state(network, some_mask(network), 3);
  const std::vector<std::byte> content = export_content(network, state);
  const std::vector<NpzArray> arrays = parse_npz("x.npz", content);
  EXPECT_EQ(arrays.size(), 2 * network.layers.size() + 1 + 4 * state.values.norms.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const auto found =
        std::ranges::find(arrays, network.layers[l].name + ".weight", &NpzArray::name);
    ASSERT_NE(found, arrays.end());
    EXPECT_TRUE(
        std::ranges::equal(found->bytes, std::as_bytes(std::span(state.values.weights[l]))));
    // The last one, the classifier, is linear.
    EXPECT_EQ(found->shape.size(), l + 1 < network.layers.size() ? 4U : 2U);
  }
  EXPECT_NE(std::ranges::find(arrays, "classifier.bias", &NpzArray::name), arrays.end());
  EXPECT_NE(std::ranges::find(arrays, "stem.norm.running_var", &NpzArray::name), arrays.end());
}

TEST(Export, AMaskThatDoesNotFitIsAnErrorThatNamesTheLayer) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "m.npz";
  NetworkBuilder net("small", {3, 1, 1});
  net.linear("first", 0, 2);
  const Network network = net.finish();
  const auto refused = [&](const NpzArray& array, const std::string& text) {
    SCOPED_TRACE(text);
    const std::vector<NpzArray> arrays{array};
    write_bytes(path, npz_content(arrays, {}));
    EXPECT_THAT([&] { (void)read_npz_mask(path, network); }, ThrowsMessage<Error>(HasSubstr(text)));
  };
  const std::vector<std::byte> ones(24, std::byte{1});
  const std::vector<std::byte> six(6, std::byte{1});
  const std::vector<NpzArray> good{{"first.mask", "|u1", {2, 3, 1, 1}, six}};
  write_bytes(path, npz_content(good, {}));
  EXPECT_EQ(read_npz_mask(path, network).present(), 6);
  refused({"other", "|b1", {2, 3}, six}, "has no array first.mask");
  refused({"first.mask", "|b1", {3, 2}, six}, "of shape (3, 2), the layer is 2x3x1x1");
  refused({"first.mask", "|b1", {6}, six}, "of shape (6), the layer is 2x3x1x1");
  refused({"first.mask", "<f4", {2, 3}, ones}, "first.mask is <f4");
  const std::vector<std::byte> twos(6, std::byte{2});
  refused({"first.mask", "|u1", {2, 3}, twos}, "first.mask holds 2 at position 0");
  const std::vector<NpzArray> two{{"first.mask", "|b1", {2, 3}, six},
                                  {"second.mask", "|b1", {2, 3}, six}};
  write_bytes(path, npz_content(two, {}));
  EXPECT_THAT([&] { (void)read_npz_mask(path, network); },
              ThrowsMessage<Error>(HasSubstr("second.mask is the mask of no layer of small")));
}

}  // namespace
}  // namespace gcg
