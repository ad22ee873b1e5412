// Each way of a transaction timed apart: right values, and none rather than a wrong one.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "meter.hpp"
#include "ways.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::make_stamp;
using pathgauge::no_stamp;
using pathgauge::Order;
using pathgauge::since_stamp;
using pathgauge::Slot;
using pathgauge::Transfer;

constexpr std::uint64_t millisecond_ns = 1'000'000;

std::uint64_t now() { return pathgauge::read_clock(CLOCK_MONOTONIC); }

std::uint64_t timed(const Slot &slot) {
  return std::accumulate(slot.histogram.begin(), slot.histogram.end(), std::uint64_t{0});
}

std::uint64_t timed_from(const Slot &slot, std::uint64_t least) {
  const auto longer = std::span(slot.histogram).subspan(pathgauge::histogram_index(least));
  return std::accumulate(longer.begin(), longer.end(), std::uint64_t{0});
}

Transfer apart(const Descriptor &socket, Wire wire, const Slot &peer, Slot *back = nullptr) {
  Transfer made = over(socket, wire);
  made.record = true;
  made.peer = &peer;
  made.back = back;
  return made;
}

void stamps() {
  constexpr std::uint64_t late = (std::uint64_t{1} << 57U) + 12345;  // a machine that is up for four years
  for (const std::uint64_t time : {std::uint64_t{1}, std::uint64_t{1} << 56U, late}) {
    require(since_stamp(make_stamp(time, 7), time + 1000, 7) == 1000, "the time since");
    require(!since_stamp(make_stamp(time, 7), time + 1000, 8), "another message's");
  }
  require(!since_stamp(no_stamp, 1000, 0), "none");
}

// Slot 2 is where the requester keeps the responses' times.
void every_transaction_is_timed_both_ways(Wire wire, std::size_t question, std::size_t answer) {
  const Desk desk(3);
  const Pair pair = connected(wire);
  limit_wait(pair.one, 2000);
  Buffers asked({.size = question});
  Buffers heard({.size = question});
  Buffers said({.size = answer});
  Buffers got({.size = answer});
  Transfer asking = apart(pair.one, wire, desk[1], &desk[2]);
  asking.limit = 300;
  give_order(desk[0], Order::run);
  const Transfer answering = apart(pair.two, wire, desk[0]);
  Job requester(desk[0], [&] { return request(desk[0], asking, asked, got); });
  Job responder(desk[1], [&] { return respond(desk[1], answering, heard, said); });
  require(requester.finish() == 0 && responder.shut(pair.two) == 0, "both end");
  require(desk[0].lost.load() == 0, "nothing was lost");
  for (std::size_t slot = 0; slot < 3; ++slot) {
    require(timed(desk[slot]) == 300, "each transaction and each of its ways once");
    require(timed_from(desk[slot], 2000 * millisecond_ns) == 0, "and none for ever");
  }
}

void both_ways() {
  for (const Wire wire : {Wire::tcp, Wire::udp, Wire::local}) {
    every_transaction_is_timed_both_ways(wire, 1, 1);
    every_transaction_is_timed_both_ways(wire, 30000, 1);
    every_transaction_is_timed_both_ways(wire, 1, 30000);
  }
  every_transaction_is_timed_both_ways(Wire::tcp, 1000000, 1000000);
}

// The responder at work over datagrams, and what is asked of it by hand.
class Asked {
 public:
  Asked()
      : pair_(connected(Wire::udp)), job_(desk_[1], [this] { return respond(desk_[1], transfer_, heard_, said_); }) {
    limit_wait(pair_.one, 2000);
  }
  // Returns the stamp that the response came with.
  std::uint64_t ask(std::uint8_t number, std::uint64_t stamp) {
    desk_[0].stamp.store(stamp);
    std::array<std::uint8_t, 1> message{number};
    send(pair_.one.get(), message.data(), 1, 0);
    require(recv(pair_.one.get(), message.data(), 1, 0) == 1 && message[0] == number, "it is answered");
    return desk_[1].stamp.load();
  }
  std::uint64_t known() {
    require(job_.stop() == 0, "it ends");
    return timed(desk_[1]);
  }

 private:
  Desk desk_;
  Pair pair_;
  Buffers heard_{{.size = 1}};
  Buffers said_{{.size = 1}};
  Transfer transfer_ = apart(pair_.two, Wire::udp, desk_[0]);
  Job job_;
};

void requests_in_doubt() {
  Asked asked;
  const std::uint64_t before = now();
  require(since_stamp(asked.ask(1, make_stamp(before, 1)), now(), 1).has_value(), "the first is timed");
  require(asked.ask(1, make_stamp(before, 1)) == no_stamp, "one that comes again is not, nor its answer");
  require(asked.ask(3, make_stamp(now(), 3)) != no_stamp, "one may be lost in between");
  require(asked.ask(2, make_stamp(now(), 3)) == no_stamp, "a late one is another's");
  require(asked.ask(3, make_stamp(now(), 3)) == no_stamp, "and what comes again after it is no new one");
  require(static_cast<std::uint8_t>(asked.ask(4, make_stamp(now(), 5))) == 4, "given up by now, but answered");
  require(asked.ask(5, make_stamp(now(), 5)) != no_stamp, "what was asked instead");
  std::uint8_t number = 5;
  for (int turn = 0; turn < 400; ++turn) {
    ++number;
    require(asked.ask(number, make_stamp(now(), number)) != no_stamp, "numbers begin anew");
  }
  require(asked.known() == 3 + 400, "each once, but those in doubt");
}

void answers_in_doubt() {
  const Desk desk(3);
  const Pair pair = connected(Wire::udp);
  limit_wait(pair.one, 300);
  limit_wait(pair.two, 2000);
  Buffers asked({.size = 1});
  Buffers got({.size = 1});
  const Transfer asking = apart(pair.one, Wire::udp, desk[1], &desk[2]);
  give_order(desk[0], Order::run);
  Job requester(desk[0], [&] { return request(desk[0], asking, asked, got); });
  const auto hear = [&] {
    std::array<std::uint8_t, 1> message{};
    require(recv(pair.two.get(), message.data(), 1, 0) == 1, "it asks");
    return message[0];
  };
  const auto say = [&](std::uint8_t number, std::uint64_t stamp) {
    desk[1].stamp.store(stamp);
    send(pair.two.get(), &number, 1, 0);
  };
  const std::uint8_t first = hear();
  const std::uint64_t given_up = desk[0].stamp.load();
  const std::uint8_t second = hear();  // the first was given up after 300 ms
  const std::uint64_t again = desk[0].stamp.load();
  require(second == first + 1, "with a number of its own");
  require(again - given_up >= make_stamp(250 * millisecond_ns, 0), "whose way begins when it is sent");
  say(first, make_stamp(now(), first));
  say(second, make_stamp(now(), second));
  const std::uint8_t third = hear();
  say(third, no_stamp);
  const std::uint8_t fourth = hear();
  say(fourth, make_stamp(now(), third));
  hear();
  require(requester.stop() == 0, "it ends");
  require(desk[0].transactions.load() == 3 && timed(desk[0]) == 3, "three were answered");
  require(timed(desk[2]) == 1, "and of one the way back is known");
  require(timed_from(desk[0], 250 * millisecond_ns) == 1, "what was lost is a long transaction");
  require(timed_from(desk[2], 250 * millisecond_ns) == 0, "and no long way");
}

}  // namespace

std::vector<Case> way_cases() {
  return {
      {"ways: stamps", stamps},
      {"ways: both", both_ways},
      {"ways: requests in doubt", requests_in_doubt},
      {"ways: answers in doubt", answers_in_doubt},
  };
}

}  // namespace trial
