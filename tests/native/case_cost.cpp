// What the loops cost by themselves.
#include <vector>

#include "cases.hpp"
#include "cost.hpp"
#include "ends.hpp"

namespace trial {
namespace {

void every_cost_is_found() {
  const pathgauge::OwnCost found = pathgauge::own_cost();
  for (const double cost : {found.clock_ns, found.record_ns, found.message_ns, found.call_ns, found.copy_rate}) {
    require(cost > 0, "a cost is above 0");
  }
  require(found.record_ns < found.call_ns && found.message_ns < found.call_ns, "what needs no kernel costs less");
}

}  // namespace

std::vector<Case> cost_cases() { return {{"cost: each part", every_cost_is_found}}; }

}  // namespace trial
