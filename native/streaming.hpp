// What every loop of a stream has in common, whichever calls it sends or receives with.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "exchange.hpp"
#include "loops.hpp"
#include "meter.hpp"

namespace pathgauge {

// What one call did: the bytes it moved, -1 with errno where it failed; in how many messages, none at a stream's end;
// how many datagrams the kernel refused, and how many of the bytes it mapped.
struct Moved {
  ssize_t bytes = 0;
  std::uint64_t messages = 0;
  std::uint64_t lost = 0;
  std::uint64_t mapped = 0;
};

// `call(meter)` sends once.
template <typename Call>
int send_by(Slot &slot, const Transfer &transfer, Call call) {
  Meter meter(slot, transfer);
  while (meter.await_run() && !meter.expired_at_times() && !meter.sent_all()) {
    meter.keep_pace();
    if (!meter.await_turn()) {
      meter.look();
      continue;
    }
    const std::uint64_t start = transfer.record ? read_clock(CLOCK_MONOTONIC) : 0;
    const Moved moved = call(meter);
    if (moved.bytes >= 0) {
      meter.sent(static_cast<std::size_t>(moved.bytes), moved.messages);
      if (transfer.record) {
        meter.took(read_clock(CLOCK_MONOTONIC) - start);
      }
    } else if (!(transfer.datagrams ? is_datagram_loss(errno) : is_timeout(errno))) {
      return ending(meter, Outcome::failed);
    } else if (meter.expired()) {  // a call that moved nothing may have taken long
      break;
    }
    if (transfer.datagrams && moved.lost != 0) {
      meter.lost(moved.lost);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

// `call()` receives once.
template <typename Call>
int receive_by(Slot &slot, const Transfer &transfer, Call call) {
  Meter meter(slot, transfer);
  publish_state(slot, State::running);
  while (!meter.expired_at_times() && !meter.received_all()) {
    const std::uint64_t start = transfer.record ? read_clock(CLOCK_MONOTONIC) : 0;
    await_data(meter, transfer);
    const Moved moved = call();
    if (moved.bytes >= 0 && moved.messages > 0) {
      meter.received(static_cast<std::size_t>(moved.bytes), moved.messages);
      if (moved.mapped != 0) {
        meter.mapped(moved.mapped);
      }
      if (transfer.record) {
        meter.took(read_clock(CLOCK_MONOTONIC) - start);
      }
    } else if (moved.bytes >= 0) {
      break;
    } else if (!is_timeout(errno) && !(transfer.datagrams && errno == ECONNREFUSED)) {
      return ending(meter, Outcome::failed);
    } else if (meter.expired()) {
      break;
    }
    meter.look();
    if (meter.quitting()) {
      break;
    }
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
