#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace gcg {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of a sequence of blocks of bytes, given in order.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  /// Ends the computation; the object must not be used afterwards.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of one block.
Digest sha256(std::span<const std::byte> bytes);
Digest sha256(std::string_view text);

/// The digest as text: 64 lower-case hexadecimal digits.
std::string hex(const Digest& digest);
/// Reads the digest from such a text. Anything else is an Error.
Digest digest_of_hex(std::string_view text);

}  // namespace gcg
