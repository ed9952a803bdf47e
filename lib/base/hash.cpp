#include "base/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/error.h"

namespace gcg {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr ||
      EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    throw Error("SHA-256", "OpenSSL refused to start the digest");
  }
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) {
    throw Error("SHA-256", "OpenSSL refused the data");
  }
  return *this;
}

Sha256& Sha256::update(std::string_view text) {
  return update(std::as_bytes(std::span(text.data(), text.size())));
}

Digest Sha256::finish() {
  Digest digest{};
  if (EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) != 1) {
    throw Error("SHA-256", "OpenSSL refused to end the digest");
  }
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) { return Sha256().update(bytes).finish(); }

Digest sha256(std::string_view text) { return Sha256().update(text).finish(); }

std::string hex(const Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

Digest digest_of_hex(std::string_view text) {
  const auto value = [&](char digit) {
    if (digit >= '0' && digit <= '9') {
      return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
      return digit - 'a' + 10;
    }
    throw Error("digest", fmt::format("'{}' is not hexadecimal", text));
  };
  Digest digest{};
  if (text.size() != 2 * digest.size()) {
    throw Error("digest", fmt::format("{} digits, not {}", text.size(), 2 * digest.size()));
  }
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(16 * value(text[2 * i]) + value(text[2 * i + 1]));
  }
  return digest;
}

}  // namespace gcg
