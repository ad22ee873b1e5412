// The cases of the driver, one list a file.
#pragma once

#include <vector>

namespace trial {

struct Case {
  const char *name;
  void (*run)();
};

[[nodiscard]] std::vector<Case> board_cases();
[[nodiscard]] std::vector<Case> buffer_cases();
[[nodiscard]] std::vector<Case> cost_cases();
[[nodiscard]] std::vector<Case> stream_cases();
[[nodiscard]] std::vector<Case> method_cases();
[[nodiscard]] std::vector<Case> exchange_cases();
[[nodiscard]] std::vector<Case> connection_cases();
[[nodiscard]] std::vector<Case> flow_cases();
[[nodiscard]] std::vector<Case> storm_cases();
[[nodiscard]] std::vector<Case> relay_cases();
[[nodiscard]] std::vector<Case> hostile_cases();
[[nodiscard]] std::vector<Case> many_cases();
[[nodiscard]] std::vector<Case> way_cases();

}  // namespace trial
