// What the loops themselves cost, with no socket in the way.
#pragma once

#include <cstddef>

namespace pathgauge {

// Each the least of several looks. Of a transaction the engine's own part is two clocks, one record and two messages.
struct OwnCost {
  double clock_ns = 0;    // to read the clock
  double record_ns = 0;   // to put a latency into the histogram
  double message_ns = 0;  // to count a message, and to see whether an order or an edge is asked for
  double call_ns = 0;     // of a kernel call that does nothing
  double copy_rate = 0;   // bytes that one CPU copies in a second, between two rings as large as a sender's largest
};

// Takes some 50 ms. Throws std::bad_alloc where there is no memory.
[[nodiscard]] OwnCost own_cost();

}  // namespace pathgauge
