// relay, over pairs that keep the bounds of packets as tun devices do.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "cases.hpp"
#include "ends.hpp"
#include "meter.hpp"
#include "relay.hpp"

namespace trial {
namespace {

// The relay between two pairs; it ends when the outer end of the first is gone.
struct Relayed {
  pathgauge::Length length{};
  Pair left = packets(1 << 18);
  Pair right = packets(1 << 18);
  Desk desk{1};
  Job job{desk[0], [this] {
            pathgauge::relay(left.two.get(), right.one.get(), length);
            return 0;
          }};
};

void end(Relayed &relayed) {
  relayed.left.one.reset();
  require(relayed.job.finish() == 0, "it ends when nothing more can come");
}

ssize_t receive(const Descriptor &from, std::vector<std::byte> &into) {
  ssize_t size = -1;
  await([&] { return (size = recv(from.get(), into.data(), into.size(), 0)) >= 0; }, "a packet comes");
  return size;
}

void packets_pass_both_ways() {
  Relayed relayed;
  std::vector<std::byte> packet(131073, std::byte{7});
  std::vector<std::byte> got(200000);
  for (const std::size_t size : {std::size_t{1}, std::size_t{1500}, std::size_t{65536}, std::size_t{131072}}) {
    require(send(relayed.left.one.get(), packet.data(), size, 0) == static_cast<ssize_t>(size), "sent there");
    require(receive(relayed.right.two, got) == static_cast<ssize_t>(size), "comes there");
    require(send(relayed.right.two.get(), packet.data(), size, 0) == static_cast<ssize_t>(size), "sent back");
    require(receive(relayed.left.one, got) == static_cast<ssize_t>(size), "comes back");
  }
  require(send(relayed.left.one.get(), packet.data(), 131073, 0) == 131073, "greater than any");
  require(receive(relayed.right.two, got) == 131072, "no further than the buffer");
  end(relayed);
}

void what_there_is_no_room_for_is_dropped() {
  Relayed relayed;
  std::array<std::byte, 2000> packet{};
  for (int turn = 0; turn < 20000; ++turn) {  // nobody reads on the right
    std::ignore = send(relayed.left.one.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  }
  end(relayed);
}

// None comes before its time, none overtakes another, and none is lost, whatever the jitter.
void packets_are_delayed() {
  constexpr std::uint64_t delay = 30'000'000;
  Relayed relayed{.length = {.delay_ns = delay, .jitter_ns = delay / 2}};
  std::vector<std::byte> got(10);
  const std::uint64_t start = pathgauge::read_clock(CLOCK_MONOTONIC);
  for (unsigned number = 0; number < 50; ++number) {
    const auto mark = static_cast<std::byte>(number);
    require(send(relayed.left.one.get(), &mark, 1, 0) == 1, "sent");
  }
  for (unsigned number = 0; number < 50; ++number) {
    require(receive(relayed.right.two, got) == 1 && got[0] == static_cast<std::byte>(number), "in the order");
  }
  const std::uint64_t took = pathgauge::read_clock(CLOCK_MONOTONIC) - start;
  require(took >= delay / 2, "and late");
  require(send(relayed.right.two.get(), got.data(), 1, 0) == 1, "one is under way back when it ends");
  end(relayed);
}

void a_long_way_has_an_end() {
  Relayed relayed{.length = {.delay_ns = 3'600'000'000'000}};
  const std::vector<std::byte> packet(100'000);
  for (int turn = 0; turn < 1000; ++turn) {  // more than there is room for
    std::ignore = send(relayed.left.one.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  }
  end(relayed);
}

void no_descriptor_ends_it() {
  const Pair pair = packets(1 << 16);
  pathgauge::relay(-1, pair.one.get());
  pathgauge::relay(pair.one.get(), 1 << 20);
}

}  // namespace

std::vector<Case> relay_cases() {
  return {
      {"relay: both ways", packets_pass_both_ways},    {"relay: delayed", packets_are_delayed},
      {"relay: a long way", a_long_way_has_an_end},    {"relay: no room", what_there_is_no_room_for_is_dropped},
      {"relay: no descriptor", no_descriptor_ends_it},
  };
}

}  // namespace trial
