#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>

namespace gcg {
namespace {

// Vectors of FIPS 180-4's examples.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, IsTheSameHoweverTheBytesAreCutIntoBlocks) {
  Sha256 digest;
  for (int block = 0; block < 10000; ++block) {
    digest.update(std::string(100, 'a'));
  }
  EXPECT_EQ(hex(digest.finish()),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, CountsZeroBytes) {
  const std::string zero(1, '\0');
  EXPECT_EQ(hex(sha256(zero)), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

}  // namespace
}  // namespace gcg
