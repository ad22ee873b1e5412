// What stands between two tun devices in user space.
#pragma once

namespace pathgauge {

// Passes packets on, both ways, as they are, between two descriptors that do not block and keep the bounds of packets,
// until one of them is at its end or fails. What the other side has no room for is dropped, as a router does.
void relay(int one, int other);

}  // namespace pathgauge
