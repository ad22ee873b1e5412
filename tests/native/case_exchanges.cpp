// request and respond.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::State;
using pathgauge::Transfer;

struct Shape {
  Wire wire = Wire::tcp;
  std::size_t question = 1;
  std::size_t answer = 1;
  std::uint32_t ahead = 0;
  std::uint64_t limit = 200;
  std::uint32_t pace_count = 0;
};

void exchange(const Shape &shape) {
  const Desk desk;
  const Pair pair = connected(shape.wire);
  limit_wait(pair.one, 200);
  Buffers asked({.size = shape.question, .width = 2});
  Buffers heard({.size = shape.question});
  Buffers said({.size = shape.answer, .width = 3});
  Buffers got({.size = shape.answer});
  Transfer asking = over(pair.one, shape.wire);
  asking.record = true;
  asking.ahead = shape.ahead;
  asking.limit = shape.limit;
  asking.pace_count = shape.pace_count;
  asking.pace_ns = 1'000'000;
  give_order(desk[0], Order::run);
  const std::uint32_t edge = ask_edge(desk[1]);
  Job requester(desk[0], [&] { return request(desk[0], asking, asked, got); });
  Job responder(desk[1], [&] { return respond(desk[1], over(pair.two, shape.wire), heard, said); });
  require(wait_edge(desk[1], edge, 10), "the responder takes edges");
  require(requester.finish() == 0, "it ends at its limit");
  require(desk[0].transactions.load() == shape.limit, "each transaction is counted");
  require(responder.shut(pair.two) == 0, "the responder is ended");
}

void exchanges_of_every_size() {
  for (const Wire wire : {Wire::tcp, Wire::udp, Wire::local}) {
    exchange({.wire = wire});
    exchange({.wire = wire, .question = 60000, .answer = 1});
    exchange({.wire = wire, .question = 1, .answer = 60000});
    exchange({.wire = wire, .ahead = 1, .limit = 50});
    exchange({.wire = wire, .question = 3, .answer = 5, .ahead = 16});
    exchange({.wire = wire, .ahead = 65536, .limit = 9});
    exchange({.wire = wire, .limit = 20, .pace_count = 3});
    exchange({.wire = wire, .ahead = 2, .limit = 1});
  }
  exchange({.question = 3000000, .answer = 2000000, .limit = 3});
}

void slices_of_transactions() {
  const Desk desk;
  const Pair pair = connected(Wire::tcp);
  Buffers asked({.size = 1});
  Buffers heard({.size = 1});
  Buffers said({.size = 1});
  Buffers got({.size = 1});
  Job requester(desk[0], [&] { return request(desk[0], over(pair.one, Wire::tcp), asked, got); });
  Job responder(desk[1], [&] { return respond(desk[1], over(pair.two, Wire::tcp), heard, said); });
  for (int slice = 0; slice < 5; ++slice) {
    require(wait_state(desk[0], State::paused, 10), "paused");
    desk[0].histogram.fill(0);
    give_order(desk[0], Order::run);
    const std::uint32_t first = ask_edge(desk[0]);
    require(wait_edge(desk[0], first, 10), "the first edge");
    nap(2000);
    const std::uint32_t second = ask_edge(desk[0]);
    require(wait_edge(desk[0], second, 10), "the second edge");
    std::uint64_t timed = 0;
    give_order(desk[0], Order::pause);
    require(wait_state(desk[0], State::paused, 10), "paused again");
    for (const std::uint32_t count : desk[0].histogram) {
      timed += count;
    }
    const auto &edges = desk[0].edges;
    require(timed == edges[(second + 1) % 2].transactions - edges[(first + 1) % 2].transactions, "each is timed once");
  }
  require(requester.stop() == 0 && responder.stop() == 0, "both end by a nudge");
}

void lost_datagrams_are_asked_again() {
  for (const std::uint32_t ahead : {0U, 4U}) {
    const Desk desk(1);
    const Pair pair = connected(Wire::udp);
    limit_wait(pair.one, 10);
    limit_wait(pair.two, 2000);
    Buffers asked({.size = 8});
    Buffers got({.size = 8});
    Transfer asking = over(pair.one, Wire::udp);
    asking.ahead = ahead;
    give_order(desk[0], Order::run);
    Job requester(desk[0], [&] { return request(desk[0], asking, asked, got); });
    await([&] { return desk[0].lost.load() > ahead; }, "what is lost is counted");
    std::array<char, 8> question{};
    for (int turn = 0; turn < 20; ++turn) {
      require(recv(pair.two.get(), question.data(), question.size(), 0) == 8, "it comes again");
      send(pair.two.get(), question.data(), 8, 0);
    }
    require(requester.stop() == 0, "it ends");
  }
}

}  // namespace

std::vector<Case> exchange_cases() {
  return {
      {"exchanges: every size", exchanges_of_every_size},
      {"exchanges: slices", slices_of_transactions},
      {"exchanges: lost datagrams", lost_datagrams_are_asked_again},
  };
}

}  // namespace trial
