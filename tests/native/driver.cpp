// Puts every loop and every function of the native core to work, for a sanitizer to watch: `driver
// [PART-OF-A-NAME...]`. Each case has to leave as many descriptors open as it found. Exits with 1 if one fails.
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <vector>

#include "board.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "meter.hpp"

namespace {

auto open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{});
}

bool wanted(std::string_view name, const std::vector<std::string_view> &parts) {
  for (const std::string_view part : parts) {
    if (name.find(part) != std::string_view::npos) {
      return true;
    }
  }
  return parts.empty();
}

bool holds(const trial::Case &each) {
  const std::uint64_t start = pathgauge::read_clock(CLOCK_MONOTONIC);
  const auto before = open_descriptors();
  try {
    each.run();
    trial::require(open_descriptors() == before, "a descriptor was left open");
  } catch (const std::exception &error) {
    std::printf("FAILED %s: %s\n", each.name, error.what());
    return false;
  }
  std::printf("%6.2f s  %s\n", static_cast<double>(pathgauge::read_clock(CLOCK_MONOTONIC) - start) / 1e9, each.name);
  return true;
}

int run(const std::vector<std::string_view> &parts) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): as in Python, where no process dies of it
  pathgauge::hear_nudges();
  int ran = 0;
  int failed = 0;
  for (const auto &list :
       {trial::board_cases, trial::buffer_cases, trial::cost_cases, trial::stream_cases, trial::method_cases,
        trial::exchange_cases, trial::connection_cases, trial::flow_cases, trial::storm_cases, trial::relay_cases,
        trial::hostile_cases, trial::many_cases, trial::way_cases}) {
    for (const trial::Case &each : list()) {
      if (wanted(each.name, parts)) {
        ++ran;
        failed += holds(each) ? 0 : 1;
      }
    }
  }
  std::printf("%d cases, %d failed\n", ran, failed);
  return ran > 0 && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char **words) {
  try {
    return run({words + 1, words + count});
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
