// The loops over many connections.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "flows.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Flows;
using pathgauge::Order;
using pathgauge::State;
using pathgauge::Transfer;

// So many connections, with a board that has room for them.
struct Lot {
  explicit Lot(std::size_t count) : desk(2, count) {
    for (std::size_t number = 0; number < count; ++number) {
      pairs.push_back(connected(Wire::tcp));
      ones.push_back(pairs.back().one.get());
      twos.push_back(pairs.back().two.get());
    }
  }
  // Of the edge, behind the retransmits.
  [[nodiscard]] std::span<const std::uint64_t> counts(std::size_t slot, std::uint32_t edge) const {
    const auto both = desk.flows(slot);
    return both.subspan((edge + 1) % 2 * (both.size() / 2) + 1, pairs.size());
  }
  [[nodiscard]] Transfer transfer() const { return over(pairs[0].one, Wire::tcp); }

  Desk desk;
  std::vector<Pair> pairs;
  std::vector<int> ones;
  std::vector<int> twos;
};

std::uint64_t edge_of(const Lot &lot, std::size_t slot, std::uint32_t &edge) {
  edge = ask_edge(lot.desk[slot]);
  require(wait_edge(lot.desk[slot], edge, 10), "the loop takes edges");
  const auto counts = lot.counts(slot, edge);
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void streams() {
  for (const std::size_t count : {1U, 7U, 300U}) {
    const Lot lot(count);
    Flows ones(lot.ones, lot.desk.flows(0));
    Flows twos(lot.twos, lot.desk.flows(1));
    Buffers from({.size = 300'000, .width = 2});
    Buffers into({.size = 10'000});
    Transfer limited = lot.transfer();
    limited.limit = 300'000 * count;
    give_order(lot.desk[0], Order::run);
    Job sends(lot.desk[0], [&] { return send_flows(lot.desk[0], limited, ones, from); });
    Job receives(lot.desk[1], [&] { return receive_flows(lot.desk[1], lot.transfer(), twos, into); });
    require(sends.finish() == 0, "the sender ends at its limit");
    const std::uint64_t sent = lot.desk[0].bytes_sent.load();
    await([&] { return lot.desk[1].bytes_received.load() == sent; }, "all of it comes");
    std::uint32_t edge = 0;
    require(edge_of(lot, 1, edge) == sent, "the counts of all flows make up the sum");
    const auto counts = lot.counts(1, edge);
    require(std::ranges::min(counts) > 0, "each flow had its share");
    require(receives.stop() == 0, "the receiver is ended");
  }
}

void exchange(std::size_t count, std::size_t question, std::size_t answer) {
  const Lot lot(count);
  Flows ones(lot.ones, lot.desk.flows(0));
  Flows twos(lot.twos, lot.desk.flows(1));
  std::array<Buffers, 4> rings{Buffers({.size = question}), Buffers({.size = answer}), Buffers({.size = question}),
                               Buffers({.size = answer})};
  Transfer limited = lot.transfer();
  limited.record = true;
  limited.limit = 5 * count;
  give_order(lot.desk[0], Order::run);
  Job asks(lot.desk[0], [&] { return request_flows(lot.desk[0], limited, ones, rings[0], rings[1]); });
  Job answers(lot.desk[1], [&] { return respond_flows(lot.desk[1], lot.transfer(), twos, rings[2], rings[3]); });
  require(asks.finish() == 0, "the requester ends at its limit");
  require(lot.desk[0].transactions.load() == 5 * count, "each transaction is counted");
  const auto &places = lot.desk[0].histogram;
  require(std::accumulate(places.begin(), places.end(), std::uint64_t{0}) == 5 * count, "and timed");
  require(lot.desk[0].bytes_sent.load() == 5 * count * question, "whole requests");
  require(lot.desk[0].bytes_received.load() == 5 * count * answer, "whole answers");
  std::uint32_t edge = 0;
  require(edge_of(lot, 1, edge) == 5 * count, "the counts of all flows make up the sum");
  require(answers.stop() == 0, "the responder is ended");
}

void exchanges() {
  exchange(1, 1, 1);
  exchange(300, 1, 1);
  exchange(20, 3'000'000, 5);
  exchange(20, 5, 3'000'000);
  exchange(3, 2'000'000, 2'000'000);
}

// Paused, the requester has nothing under way; run again, it goes on.
void pauses() {
  const Lot lot(10);
  Flows ones(lot.ones, lot.desk.flows(0));
  Flows twos(lot.twos, lot.desk.flows(1));
  std::array<Buffers, 4> rings{Buffers({.size = 10}), Buffers({.size = 10}), Buffers({.size = 10}),
                               Buffers({.size = 10})};
  Job asks(lot.desk[0], [&] { return request_flows(lot.desk[0], lot.transfer(), ones, rings[0], rings[1]); });
  Job answers(lot.desk[1], [&] { return respond_flows(lot.desk[1], lot.transfer(), twos, rings[2], rings[3]); });
  for (int round = 0; round < 20; ++round) {
    require(wait_state(lot.desk[0], State::paused, 10), "it pauses");
    const std::uint64_t before = lot.desk[0].transactions.load();
    await([&] { return lot.desk[1].transactions.load() == before; }, "with nothing under way");
    give_order(lot.desk[0], Order::run);
    await([&] { return lot.desk[0].transactions.load() > before + 50; }, "it runs");
    std::uint32_t edge = 0;
    require(edge_of(lot, 0, edge) > before, "and takes edges");
    give_order(lot.desk[0], Order::pause);
  }
  require(asks.stop() == 0 && answers.stop() == 0, "both are ended");
}

void closed_by_the_peer() {
  for (const bool talks : {false, true}) {
    Lot lot(5);
    Flows ones(lot.ones, lot.desk.flows(0));
    Buffers one({.size = 100});
    Buffers two({.size = 100});
    Job job(lot.desk[0], [&] {
      return talks ? respond_flows(lot.desk[0], lot.transfer(), ones, one, two)
                   : receive_flows(lot.desk[0], lot.transfer(), ones, one);
    });
    lot.pairs[3].two.reset();
    require(job.finish() == 0, "one that is closed ends the loop");
  }
  Lot lot(5);
  Flows ones(lot.ones, lot.desk.flows(0));
  Buffers one({.size = 100});
  give_order(lot.desk[0], Order::run);
  Job job(lot.desk[0], [&] { return send_flows(lot.desk[0], lot.transfer(), ones, one); });
  lot.pairs[3].two.abort();
  require(job.finish() != 0, "one that is reset is an error");
}

template <typename Error>
bool refuses(const std::vector<int> &sockets, const Lot &lot) {
  try {
    const Flows flows(sockets, lot.desk.flows(0));
    return false;
  } catch (const Error &) {
    return true;
  }
}

void no_room() {
  const Lot lot(3);
  const std::vector<int> many{lot.ones[0], lot.ones[1], lot.ones[2], lot.twos[0]};
  require(refuses<std::out_of_range>({}, lot), "no flows, no loop");
  require(refuses<std::out_of_range>(many, lot), "no room, no flows");
  require(refuses<std::system_error>({-1, -1}, lot), "no sockets, no flows");
}

}  // namespace

std::vector<Case> flow_cases() {
  return {{"flows: streams of one, of some, of many", streams},
          {"flows: exchanges of every size", exchanges},
          {"flows: paused and run again", pauses},
          {"flows: one is closed or reset", closed_by_the_peer},
          {"flows: no room, no socket", no_room}};
}

}  // namespace trial
