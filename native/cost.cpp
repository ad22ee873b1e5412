#include "cost.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <limits>
#include <vector>

#include "board.hpp"
#include "loops.hpp"
#include "meter.hpp"

namespace pathgauge {
namespace {

constexpr int looks = 8;
constexpr int turns = 20'000;
constexpr std::size_t block = std::size_t{64} << 10U;
constexpr std::size_t ring = std::size_t{16} << 20U;

// The least time of one turn, in ns: whatever else the CPU did meanwhile only adds to it.
template <typename Turn>
double least_ns(int count, Turn turn) {
  double least = std::numeric_limits<double>::infinity();
  for (int look = 0; look < looks; ++look) {
    const std::uint64_t start = read_clock(CLOCK_MONOTONIC);
    for (int place = 0; place < count; ++place) {
      turn(place);
    }
    const auto took = static_cast<double>(read_clock(CLOCK_MONOTONIC) - start);
    least = std::min(least, took / count);
  }
  return least;
}

double copy_rate() {
  std::vector<std::byte> from(ring, std::byte{1});
  std::vector<std::byte> to(ring);
  constexpr int blocks = ring / block;
  volatile std::byte seen{};
  const double took = least_ns(blocks, [&](int place) {
    const std::size_t offset = static_cast<std::size_t>(place) * block;
    std::memcpy(to.data() + offset, from.data() + offset, block);
    seen = to[offset];
  });
  return static_cast<double>(block) * 1e9 / took;
}

}  // namespace

OwnCost own_cost() {
  std::vector<Slot> slots(1);
  Slot &slot = slots.front();
  slot.order.store(static_cast<std::uint32_t>(Order::run));
  const Transfer transfer{.record = true};
  Meter meter(slot, transfer);
  volatile std::uint64_t seen = 0;
  OwnCost found;
  found.clock_ns = least_ns(turns, [&](int) { seen = read_clock(CLOCK_MONOTONIC); });
  found.record_ns = least_ns(turns, [&](int place) { meter.took(static_cast<std::uint64_t>(place) * 16); });
  found.message_ns = least_ns(turns, [&](int place) {
    if (!meter.look() && meter.order() == Order::run) {
      meter.sent(static_cast<std::size_t>(place));
    }
  });
  found.call_ns = least_ns(turns, [&](int) { seen = static_cast<std::uint64_t>(syscall(SYS_getppid)); });
  found.copy_rate = copy_rate();
  return found;
}

}  // namespace pathgauge
