#include "relay.hpp"

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pathgauge {
namespace {

constexpr std::size_t largest_packet = 131072;  // an IP packet of 64 KiB, and what tun says of it
constexpr int burst = 64;                       // packets one way before it is the other's turn

enum class Flow : std::uint8_t { idle, moved, ended };

Flow pass_on(int from, int to, std::vector<std::byte> &packet) {
  for (int count = 0; count < burst; ++count) {
    const ssize_t size = read(from, packet.data(), packet.size());
    if (size > 0) {
      // A device that is down, or has no room, refuses the packet; one that is gone is noticed where it is read.
      [[maybe_unused]] const ssize_t written = write(to, packet.data(), static_cast<std::size_t>(size));
    } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      return count == 0 ? Flow::idle : Flow::moved;
    } else {
      return Flow::ended;
    }
  }
  return Flow::moved;
}

}  // namespace

void relay(int one, int other) {
  std::vector<std::byte> packet(largest_packet);
  std::array<pollfd, 2> ends{
      pollfd{.fd = one, .events = POLLIN, .revents = 0},
      pollfd{.fd = other, .events = POLLIN, .revents = 0},
  };
  for (;;) {
    const Flow there = pass_on(one, other, packet);
    const Flow back = pass_on(other, one, packet);
    if (there == Flow::ended || back == Flow::ended) {
      return;
    }
    if (there == Flow::idle && back == Flow::idle) {
      poll(ends.data(), ends.size(), -1);
    }
  }
}

}  // namespace pathgauge
