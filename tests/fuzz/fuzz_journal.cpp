// The journal of an interrupted preparation; its first line is given.
#include "data/prepare_journal.h"
#include "data/prepared.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  folder.write("partial",
               std::string(static_cast<std::size_t>(kPreparedDataStart), '\0') + "aabbb");
  const std::string text = journal_text({}, "fuzz") + std::string(data, data + size);
  folder.write("journal", text);
  return test::try_to([&] { read_journal(folder / "journal", folder / "partial", "fuzz", 1); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  JournalLine first{2, sha256("aa"), ""};
  JournalLine second{2, {}, "damaged"};
  JournalLine third{5, sha256("bbb"), ""};
  return {seed_of(journal_line_text(first) + journal_line_text(second) + journal_line_text(third))};
}
