// Connections started and stopped with their loops, over and over. The driver sees to the descriptors, LeakSanitizer to
// the memory. The whole number of 10,000 is gone through in tests/native/test_lives.py.
#include <cstddef>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Order;

void live_once(const Desk &desk, Wire wire, bool talks) {
  const Pair pair = connected(wire);
  Buffers one({.size = 1000, .width = 2});
  Buffers two({.size = 1000});
  Buffers three({.size = 1000});
  Buffers four({.size = 1000});
  give_order(desk[0], Order::run);
  Job active(desk[0], [&] {
    return talks ? request(desk[0], over(pair.one, wire), one, two) : send_stream(desk[0], over(pair.one, wire), one);
  });
  Job passive(desk[1], [&] {
    return talks ? respond(desk[1], over(pair.two, wire), three, four)
                 : receive_stream(desk[1], over(pair.two, wire), three);
  });
  await([&] { return desk[1].bytes_received.load() > 0; }, "something is moved");
  require(active.shut(pair.one) == 0 && passive.shut(pair.two) == 0, "both end well");
  reset(desk[0]);
  reset(desk[1]);
}

void many_lives() {
  const Desk desk;
  for (int round = 0; round < 100; ++round) {
    live_once(desk, Wire::tcp, false);
    live_once(desk, Wire::tcp, true);
    live_once(desk, Wire::udp, false);
    live_once(desk, Wire::udp, true);
  }
}

}  // namespace

std::vector<Case> many_cases() { return {{"many: 400 starts and stops", many_lives}}; }

}  // namespace trial
