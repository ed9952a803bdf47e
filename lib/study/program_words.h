#pragma once

#include <boost/program_options.hpp>
#include <span>
#include <string_view>

namespace gcg {

/// The words of a command line (without the program's name) by the options of a program, notified;
/// `positions` are the names, in order, of the options that words without `--NAME` belong to.
///
/// Every word has to belong to one option: no abbreviated name, no option twice, no word left over.
/// A word that looks like an option is never the value before it (`--out --seed 3` has forgotten
/// the folder); such a value is written --NAME=VALUE. UsageError, with `remedy`.
boost::program_options::variables_map parse_words(
    std::span<const char* const> words, const boost::program_options::options_description& options,
    std::string_view remedy, std::span<const char* const> positions = {});

}  // namespace gcg
