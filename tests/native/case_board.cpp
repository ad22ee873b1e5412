// The board between a controller and loops that begin and end.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "board.hpp"
#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "meter.hpp"

namespace trial {
namespace {

using pathgauge::Board;
using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::Slot;
using pathgauge::State;

void a_board_is_no_greater_than_its_memory() {
  const Descriptor little = memory(Board::bytes(2) - 1);
  int refused = 0;
  for (const std::size_t slots : {std::size_t{0}, std::size_t{2}, std::numeric_limits<std::size_t>::max(),
                                  std::numeric_limits<std::size_t>::max() / sizeof(Slot) + 2}) {
    try {
      const Board board(little.get(), slots);
    } catch (const std::out_of_range &) {
      ++refused;
    }
  }
  for (const int fd : {-1, 1 << 20}) {
    try {
      const Board board(fd, 1);
    } catch (const std::system_error &) {
      ++refused;
    }
  }
  const Board board(little.get(), 1);
  for (const std::size_t slot : {std::size_t{1}, std::numeric_limits<std::size_t>::max()}) {
    try {
      give_order(board.slot(slot), Order::quit);
    } catch (const std::out_of_range &) {
      ++refused;
    }
  }
  require(refused == 8, "each board and each slot that is none is refused");
  board.slot(0).histogram.back() = 1;
  board.slot(0).edges.back().tcp_info.back() = std::byte{1};
}

void waits_that_run_out() {
  const Desk desk(1);
  for (const double seconds : {0.0, -1.0, 0.001, 0.02}) {
    require(!wait_edge(desk[0], 1, seconds), "no edge was asked for");
    require(!wait_state(desk[0], State::running, seconds), "no loop runs");
  }
  nudge(desk[0]);  // nobody is at work
}

// A loop that ends, with or without an edge just before, while a controller begins to wait for one: `rounds` times,
// each a little later than the one before.
template <typename Waits>
void end_beside_a_wait(unsigned rounds, bool takes_edge, const Waits &waits) {
  const Desk desk(1);
  std::atomic<unsigned> begun{0};
  std::atomic<unsigned> done{0};
  Job job(desk[0], [&] {
    for (unsigned round = 1; round <= rounds; ++round) {
      while (begun.load() != round) {
      }
      for (volatile unsigned delay = 0; delay < round % 400;) {
        delay = delay + 1;
      }
      if (takes_edge) {
        publish_edge(desk[0], 1);
      }
      publish_state(desk[0], State::ended);
      done.store(round);
    }
    return 0;
  });
  unsigned well = 0;
  for (unsigned round = 1; round <= rounds; ++round) {
    desk[0].state.store(static_cast<std::uint32_t>(State::running));
    desk[0].edge_done.store(0);
    begun.store(round);
    well += waits(desk[0]) ? 1 : 0;
    while (done.load() != round) {
    }
  }
  job.finish();
  require(well == rounds, "each wait ends as it should");
}

void who_waits_for_an_edge_hears_of_the_end() {
  end_beside_a_wait(1000, false, [](Slot &slot) {
    const std::uint64_t start = pathgauge::read_clock(CLOCK_MONOTONIC);
    return !wait_edge(slot, 1, 2.0) && pathgauge::read_clock(CLOCK_MONOTONIC) - start < 1'000'000'000U;
  });
}

void an_edge_before_the_end_is_not_missed() {
  end_beside_a_wait(200'000, true, [](Slot &slot) { return wait_edge(slot, 1, 2.0); });
}

void a_slot_serves_again_as_soon_as_its_loop_has_ended() {
  const Desk desk(1);
  for (int round = 0; round < 200; ++round) {
    const Pair first = connected(Wire::local);
    const Pair second = connected(Wire::local);
    Buffers buffers({.size = 64});
    Buffers others({.size = 64});
    Job ending(desk[0], [&] { return receive_stream(desk[0], over(first.one, Wire::local), buffers); });
    require(wait_state(desk[0], State::running, 10), "it runs");
    shutdown(first.two.get(), SHUT_RDWR);
    require(wait_state(desk[0], State::ended, 10), "it has ended");
    reset(desk[0]);
    Job next(desk[0], [&] { return receive_stream(desk[0], over(second.one, Wire::local), others); });
    require(ending.finish() == 0, "the end of the peer is no failure");
    require(next.stop() == 0, "the one that serves now hears nudges");
    reset(desk[0]);
  }
}

void orders_that_are_none_end_a_loop() {
  for (const std::uint32_t order : {3U, 7U, std::numeric_limits<std::uint32_t>::max()}) {
    const Desk desk(1);
    const Pair pair = connected(Wire::local);
    Buffers buffers({.size = 16});
    give_order(desk[0], static_cast<Order>(order));
    Job job(desk[0], [&] { return send_stream(desk[0], over(pair.one, Wire::local), buffers); });
    require(job.finish() == 0, "it ends");
  }
}

void every_time_has_a_place_in_the_histogram() {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t beside : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
      require(pathgauge::histogram_index((std::uint64_t{1} << bit) + beside) < pathgauge::histogram_size, "it lies in");
    }
  }
  require(pathgauge::histogram_index(0) == 0, "nothing comes first");
}

}  // namespace

std::vector<Case> board_cases() {
  return {
      {"board: no greater than its memory", a_board_is_no_greater_than_its_memory},
      {"board: waits that run out", waits_that_run_out},
      {"board: who waits for an edge hears of the end", who_waits_for_an_edge_hears_of_the_end},
      {"board: an edge before the end is not missed", an_edge_before_the_end_is_not_missed},
      {"board: a slot serves again as soon as its loop has ended", a_slot_serves_again_as_soon_as_its_loop_has_ended},
      {"board: orders that are none", orders_that_are_none_end_a_loop},
      {"board: the histogram", every_time_has_a_place_in_the_histogram},
  };
}

}  // namespace trial
