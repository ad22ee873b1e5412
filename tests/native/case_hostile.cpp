// Peers that close, reset, send rubbish, drip or are silent, planned and at random. Whatever they do, a loop ends by
// its deadline or the order to quit, and touches nothing but its own.
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "uring.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::Slot;
using pathgauge::Transfer;

using Loop = std::function<int(Slot &, const Transfer &, Buffers &, Buffers &)>;

const std::array<Loop, 6> &loops() {
  static const std::array<Loop, 6> all{
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &) { return send_stream(slot, transfer, one); },
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &) { return receive_stream(slot, transfer, one); },
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &two) {
        return request(slot, transfer, one, two);
      },
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &two) {
        return respond(slot, transfer, one, two);
      },
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &) { return send_ring(slot, transfer, one); },
      [](Slot &slot, const Transfer &transfer, Buffers &one, Buffers &) { return receive_ring(slot, transfer, one); },
  };
  return all;
}

// A thread that does something over and over until it is out of scope.
class Doing {
 public:
  explicit Doing(std::function<void()> what)
      : thread_([this, act = std::move(what)] {
          while (!over_.load()) {
            act();
          }
        }) {}
  ~Doing() {
    over_.store(true);
    thread_.join();
  }
  Doing(const Doing &) = delete;
  Doing &operator=(const Doing &) = delete;
  Doing(Doing &&) = delete;
  Doing &operator=(Doing &&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

enum class Ending : std::uint8_t { deadline, passed_deadline, nudge, shutdown };

void end_before_a_silent_peer(Wire wire, const Loop &loop, Ending ending) {
  const Desk desk(1);
  const Pair pair = connected(wire);
  Buffers one({.size = 60000});
  Buffers two({.size = 60000});
  const bool told = ending == Ending::nudge || ending == Ending::shutdown;
  if (!told) {
    limit_wait(pair.one, 5);
  }
  give_order(desk[0], Order::run);
  Transfer transfer = over(pair.one, wire, told ? 60 : 0.02);
  if (ending == Ending::passed_deadline) {
    transfer.deadline_ns = 0;
  }
  Job job(desk[0], [&] { return loop(desk[0], transfer, one, two); });
  if (told) {
    nap(3000);
  }
  int error = 0;
  switch (ending) {
    case Ending::nudge:
      error = job.stop();
      break;
    case Ending::shutdown:
      error = job.shut(pair.one);
      break;
    default:
      error = job.finish();
  }
  require(error == 0, "it ends, and well");
}

void a_silent_peer_is_left_at_the_deadline_or_the_order() {
  for (const Wire wire : {Wire::tcp, Wire::udp, Wire::local}) {
    for (const Loop &loop : loops()) {
      for (const Ending ending : {Ending::deadline, Ending::passed_deadline, Ending::nudge, Ending::shutdown}) {
        end_before_a_silent_peer(wire, loop, ending);
      }
    }
  }
}

void a_peer_that_goes_ends_a_loop() {
  for (const Wire wire : {Wire::tcp, Wire::local}) {
    for (const Loop &loop : loops()) {
      for (const bool reset : {false, true}) {
        const Desk desk(1);
        Pair pair = connected(wire);
        Buffers one({.size = 1000});
        Buffers two({.size = 1000});
        give_order(desk[0], Order::run);
        Job job(desk[0], [&] { return loop(desk[0], over(pair.one, wire), one, two); });
        std::ignore = send(pair.two.get(), "a part of a message", 19, 0);
        nap(1000);
        reset ? pair.two.abort() : pair.two.reset();
        const int error = job.finish();
        require(error == 0 || error == ECONNRESET || error == EPIPE, "a closed connection is all that it says");
        require(std::cmp_equal(desk[0].error.load(), error), "in the slot, too");
      }
    }
  }
}

// A message that comes byte by byte is no way to hold a loop beyond its deadline, or its order.
void a_peer_that_drips_holds_nobody() {
  for (const bool answering : {true, false}) {
    for (const bool told : {true, false}) {
      const Desk desk(1);
      const Pair pair = connected(Wire::tcp);
      Buffers one({.size = answering ? std::size_t{1} << 22U : 1});
      Buffers two({.size = answering ? 1 : std::size_t{1} << 22U});
      give_order(desk[0], Order::run);
      const Transfer transfer = over(pair.one, Wire::tcp, told ? 60 : 0.1);
      const Doing drips([&] {
        std::ignore = send(pair.two.get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        nap(20);
      });
      Job job(desk[0],
              [&] { return answering ? respond(desk[0], transfer, one, two) : request(desk[0], transfer, one, two); });
      await([&] { return desk[0].bytes_received.load() > 10; }, "it drips");
      require((told ? job.stop() : job.finish()) == 0, "it ends");
    }
  }
}

// Answers to what nobody asked.
void a_flood_of_wrong_answers_holds_nobody() {
  for (const std::uint32_t ahead : {0U, 3U}) {
    for (const bool told : {true, false}) {
      const Desk desk(1);
      const Pair pair = connected(Wire::udp);
      limit_wait(pair.one, 1000);
      Buffers one({.size = 10});
      Buffers two({.size = 10});
      give_order(desk[0], Order::run);
      Transfer transfer = over(pair.one, Wire::udp, told ? 60 : 0.1);
      transfer.ahead = ahead;
      const Doing floods([&] { std::ignore = send(pair.two.get(), "\xC8 wrong", 7, MSG_NOSIGNAL); });
      Job job(desk[0], [&] { return request(desk[0], transfer, one, two); });
      await([&] { return desk[0].messages_received.load() > 3; }, "it is flooded");
      if (told && ahead == 0) {
        require(wait_edge(desk[0], ask_edge(desk[0]), 5), "it takes edges meanwhile");
      }
      require((told ? job.stop() : job.finish()) == 0, "it ends");
    }
  }
}

class Dice {
 public:
  explicit Dice(unsigned seed) : source_(seed) {}
  // 0 to most.
  std::uint32_t roll(std::uint32_t most) { return std::uniform_int_distribution<std::uint32_t>(0, most)(source_); }
  bool one_in(std::uint32_t number) { return roll(number - 1) == 0; }
  // Edges of the range rather than its middle.
  std::size_t size() {
    const std::array<std::size_t, 10> all{1, 2, 3, 255, 1400, 4096, 4097, 65507, 65508, 300000};
    return all[roll(all.size() - 1)];
  }

 private:
  std::mt19937 source_;
};

Transfer some_transfer(Dice &dice, const Descriptor &socket, Wire wire, const Descriptor &file) {
  Transfer made = over(socket, wire, dice.one_in(8) ? 0 : 0.001 * dice.roll(40));
  made.limit = dice.one_in(2) ? 0 : dice.roll(100000);
  made.ahead = dice.one_in(2) ? 0 : dice.roll(dice.one_in(5) ? 65536 : 8);
  made.pace_count = dice.one_in(4) ? dice.roll(5) : 0;
  made.pace_ns = dice.one_in(3) ? 0 : std::uint64_t{dice.roll(50)} << dice.roll(40);
  made.file = dice.one_in(4) ? file.get() : -1;
  made.record = dice.one_in(2);
  made.numbered = !dice.one_in(3);
  made.marked = dice.one_in(3);
  made.discard = dice.one_in(3);
  return made;
}

void do_something(Dice &dice, Descriptor &peer, std::vector<std::byte> &bytes) {
  if (peer.get() < 0) {
    nap(100);
    return;
  }
  switch (dice.roll(dice.one_in(6) ? 8 : 5)) {
    case 0:
    case 1:
      std::ignore = send(peer.get(), bytes.data(), dice.size() % 65508, MSG_DONTWAIT | MSG_NOSIGNAL);
      break;
    case 2:
      std::ignore = send(peer.get(), bytes.data(), dice.roll(3), MSG_DONTWAIT | MSG_NOSIGNAL);
      break;
    case 3:
    case 4:
      std::ignore = recv(peer.get(), bytes.data(), dice.size() % bytes.size(), MSG_DONTWAIT);
      break;
    case 5:
      nap(dice.roll(300));
      break;
    case 6:
      shutdown(peer.get(), static_cast<int>(dice.roll(2)));
      break;
    case 7:
      peer.reset();
      break;
    default:
      peer.abort();
  }
}

void control(Dice &dice, Slot &slot) {
  for (std::uint32_t turn = dice.roll(6); turn > 0; --turn) {
    const std::uint32_t what = dice.roll(4);
    if (what == 0) {
      std::ignore = wait_edge(slot, ask_edge(slot), 0.001 * dice.roll(3));
    } else if (what == 1) {
      give_order(slot, dice.one_in(3) ? Order::pause : Order::run);
    } else if (what == 2) {
      nudge(slot);
    } else {
      nap(dice.roll(2000));
    }
  }
}

void one_round(unsigned seed) {
  Dice dice(seed);
  Dice other(seed + 1'000'000);
  const Desk desk(1);
  const Wire wire = std::array{Wire::udp, Wire::udp, Wire::tcp, Wire::local}.at(dice.roll(3));
  Pair pair = connected(wire);
  const Descriptor file = memory(dice.size());
  if (!dice.one_in(3)) {
    limit_wait(pair.one, 1 + dice.roll(3));
  }
  Buffers one({.size = dice.size(), .width = 1 + dice.roll(3)});
  Buffers two({.size = dice.size(), .width = 1 + dice.roll(3)});
  const Transfer transfer = some_transfer(dice, pair.one, wire, file);
  const Loop &loop = loops().at(dice.roll(5));
  std::vector<std::byte> bytes(70000);
  if (!dice.one_in(6)) {
    give_order(desk[0], Order::run);
  }
  Job job(desk[0], [&] { return loop(desk[0], transfer, one, two); });
  {
    const Doing peer([&] { do_something(other, pair.two, bytes); });
    control(dice, desk[0]);
    dice.one_in(2) ? job.stop() : job.shut(pair.one);
  }
}

void peers_at_random() {
  for (unsigned seed = 0; seed < 250; ++seed) {
    one_round(seed);
  }
}

}  // namespace

std::vector<Case> hostile_cases() {
  return {
      {"hostile: silent peers", a_silent_peer_is_left_at_the_deadline_or_the_order},
      {"hostile: peers that go", a_peer_that_goes_ends_a_loop},
      {"hostile: peers that drip", a_peer_that_drips_holds_nobody},
      {"hostile: wrong answers", a_flood_of_wrong_answers_holds_nobody},
      {"hostile: at random", peers_at_random},
  };
}

}  // namespace trial
