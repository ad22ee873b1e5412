// What stands between two tun devices in user space.
#pragma once

#include <cstdint>

namespace pathgauge {

// How long the way is, each way, give or take a jitter that is drawn for each packet; none overtakes another.
struct Length {
  std::uint64_t delay_ns = 0;
  std::uint64_t jitter_ns = 0;
};

// Passes packets on, both ways, as they are, between two descriptors that do not block and keep the bounds of packets,
// until one of them is at its end or fails. What the other side has no room for is dropped, as a router does, and so is
// what there is no room for on a way of some length: 64 MiB.
void relay(int one, int other, Length length = {});

}  // namespace pathgauge
