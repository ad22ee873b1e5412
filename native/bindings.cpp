// What Python sees of the native core. Sizes and descriptors arrive checked; here they are only bounded again.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "board.hpp"
#include "buffers.hpp"
#include "connections.hpp"
#include "connector.hpp"
#include "cost.hpp"
#include "descriptors.hpp"
#include "flows.hpp"
#include "loops.hpp"
#include "mapped.hpp"
#include "meter.hpp"
#include "methods.hpp"
#include "relay.hpp"
#include "ring.hpp"
#include "storm.hpp"
#include "uring.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

using pathgauge::Board;
using pathgauge::BufferPlan;
using pathgauge::Buffers;
using pathgauge::ConnectPlan;
using pathgauge::Edge;
using pathgauge::Flows;
using pathgauge::Order;
using pathgauge::OwnCost;
using pathgauge::Places;
using pathgauge::Slot;
using pathgauge::SocketOption;
using pathgauge::State;
using pathgauge::Transfer;

constexpr double longest_wait = 3600;
constexpr std::uint32_t most_ahead = 65536;
constexpr std::uint64_t longest_pace_ns = std::uint64_t{1} << 62U;  // so that no clock's sum with it overflows
constexpr std::uint64_t longest_delay_ns = 100'000'000'000U;
constexpr double longest_period_ns = 1e12;
constexpr std::size_t most_slots = 1U << 20U;

double checked_wait(double seconds) {
  if (!(seconds >= 0 && seconds <= longest_wait)) {
    throw std::out_of_range("a wait is 0 to 3600 s");
  }
  return seconds;
}

std::size_t checked_slots(std::size_t slots, std::size_t flows) {
  if (slots > most_slots || flows > most_slots) {
    throw std::out_of_range("a board has at most 1048576 slots, and so many flows in each");
  }
  return slots;
}

auto live(const Slot &slot) {
  return std::make_tuple(slot.bytes_sent.load(), slot.bytes_received.load(), slot.messages_sent.load(),
                         slot.messages_received.load(), slot.transactions.load(), slot.lost.load());
}

nb::tuple read_edge(const Slot &slot, std::uint32_t number) {
  const Edge &edge = slot.edges[(number + 1) % 2];
  const std::size_t size = std::min<std::size_t>(edge.tcp_info_size, edge.tcp_info.size());
  return nb::make_tuple(edge.time_ns, edge.cpu_ns, edge.bytes_sent, edge.bytes_received, edge.messages_sent,
                        edge.messages_received, edge.transactions, nb::bytes(edge.tcp_info.data(), size));
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): the macros of the binding library, not ours
void bind_board(nb::module_ &module) {
  nb::class_<Board>(module, "Board")
      .def(
          "__init__",
          [](Board *made, int fd, std::size_t slots, std::size_t flows) {
            new (made) Board(fd, checked_slots(slots, flows), flows);
          },
          "fd"_a, "slots"_a, "flows"_a = 0)
      .def_static(
          "bytes",
          [](std::size_t slots, std::size_t flows) { return Board::bytes(checked_slots(slots, flows), flows); },
          "slots"_a, "flows"_a = 0)
      .def(
          "order",
          [](const Board &board, std::size_t slot, std::uint32_t order) {
            give_order(board.slot(slot), static_cast<Order>(order));
          },
          "slot"_a, "order"_a)
      .def(
          "ask_edge", [](const Board &board, std::size_t slot) { return ask_edge(board.slot(slot)); }, "slot"_a)
      .def(
          "wait_edge",
          [](const Board &board, std::size_t slot, std::uint32_t edge, double seconds) {
            Slot &chosen = board.slot(slot);
            const double limit = checked_wait(seconds);
            const nb::gil_scoped_release unlocked;
            return wait_edge(chosen, edge, limit);
          },
          "slot"_a, "edge"_a, "seconds"_a)
      .def(
          "wait_state",
          [](const Board &board, std::size_t slot, std::uint32_t state, double seconds) {
            Slot &chosen = board.slot(slot);
            const double limit = checked_wait(seconds);
            const nb::gil_scoped_release unlocked;
            return wait_state(chosen, static_cast<State>(state), limit);
          },
          "slot"_a, "state"_a, "seconds"_a)
      .def(
          "state", [](const Board &board, std::size_t slot) { return board.slot(slot).state.load(); }, "slot"_a)
      .def(
          "error", [](const Board &board, std::size_t slot) { return board.slot(slot).error.load(); }, "slot"_a)
      .def(
          "live", [](const Board &board, std::size_t slot) { return live(board.slot(slot)); }, "slot"_a)
      .def(
          "zerocopy",
          [](const Board &board, std::size_t slot) {
            const Slot &chosen = board.slot(slot);
            return std::make_tuple(chosen.completed.load(), chosen.copied.load());
          },
          "slot"_a)
      .def(
          "mapped", [](const Board &board, std::size_t slot) { return board.slot(slot).mapped.load(); }, "slot"_a)
      .def(
          "edge",
          [](const Board &board, std::size_t slot, std::uint32_t edge) { return read_edge(board.slot(slot), edge); },
          "slot"_a, "edge"_a)
      .def(
          "flows",
          [](const Board &board, std::size_t slot, std::uint32_t edge) {
            const std::span<const std::uint64_t> both = board.flows(slot);
            const auto one = both.subspan((edge + 1) % 2 * (both.size() / 2), both.size() / 2);
            return nb::bytes(one.data(), one.size_bytes());
          },
          "slot"_a, "edge"_a)
      .def(
          "histogram",
          [](const Board &board, std::size_t slot) {
            const auto &counts = board.slot(slot).histogram;
            return nb::bytes(counts.data(), sizeof(counts));
          },
          "slot"_a)
      .def(
          "clear_histogram", [](const Board &board, std::size_t slot) { board.slot(slot).histogram.fill(0); }, "slot"_a)
      .def(
          "nudge", [](const Board &board, std::size_t slot) { nudge(board.slot(slot)); }, "slot"_a)
      .def(
          "fail",
          [](const Board &board, std::size_t slot, std::uint32_t error) {
            Slot &chosen = board.slot(slot);
            chosen.error.store(error);
            publish_state(chosen, State::ended);
          },
          "slot"_a, "error"_a)
      .def("reset", [](const Board &board, std::size_t slot) { reset(board.slot(slot)); }, "slot"_a);
}

Buffers make_buffers(std::size_t size, std::size_t width, std::size_t alignment, std::size_t offset,
                     const nb::bytes &fill) {
  const std::span<const std::byte> bytes(static_cast<const std::byte *>(fill.data()), fill.size());
  return Buffers(BufferPlan{.size = size, .width = width, .alignment = alignment, .offset = offset}, bytes);
}

ConnectPlan make_plan(const std::string &local, const std::string &remote, std::uint16_t port, std::uint16_t low,
                      std::uint16_t high, const std::vector<std::tuple<int, int, int>> &options) {
  std::vector<SocketOption> typed;
  typed.reserve(options.size());
  for (const auto &[level, name, value] : options) {
    typed.push_back(SocketOption{.level = level, .name = name, .value = value});
  }
  return pathgauge::make_connect_plan(local, remote, port, low, high, std::move(typed));
}

void bind_what_moves(nb::module_ &module) {
  nb::class_<Transfer>(module, "Transfer")
      .def(
          "__init__",
          [](Transfer *made, int fd, bool datagrams, std::uint64_t deadline_ns, std::uint64_t limit,
             std::uint32_t ahead, std::uint32_t pace_count, std::uint64_t pace_ns, int file, bool record, bool numbered,
             bool marked, bool discard, bool spin, bool poll, std::uint64_t patience_ns, std::uint32_t segment,
             double period_ns) {
            if (ahead > most_ahead) {
              throw std::out_of_range("at most 65536 requests ahead");
            }
            if (pace_ns > longest_pace_ns) {
              throw std::out_of_range("an interval is at most 2^62 ns");
            }
            if (!(period_ns >= 0 && period_ns <= longest_period_ns)) {
              throw std::out_of_range("a period is 0 to 10^12 ns");
            }
            new (made) Transfer{
                .fd = fd,
                .datagrams = datagrams,
                .deadline_ns = deadline_ns,
                .limit = limit,
                .ahead = ahead,
                .pace_count = pace_count,
                .pace_ns = pace_ns,
                .file = file,
                .record = record,
                .numbered = numbered,
                .marked = marked,
                .discard = discard,
                .spin = spin,
                .poll = poll,
                .patience_ns = patience_ns,
                .period_ns = period_ns,
                .segment = segment,
            };
          },
          nb::kw_only(), "fd"_a, "datagrams"_a, "deadline_ns"_a, "limit"_a = 0, "ahead"_a = 0, "pace_count"_a = 0,
          "pace_ns"_a = 0, "file"_a = -1, "record"_a = false, "numbered"_a = true, "marked"_a = false,
          "discard"_a = false, "spin"_a = false, "poll"_a = false, "patience_ns"_a = 0, "segment"_a = 0,
          "period_ns"_a = 0.0);
  nb::class_<Buffers>(module, "Buffers")
      .def(
          "__init__",
          [](Buffers *made, std::size_t size, std::size_t width, std::size_t alignment, std::size_t offset,
             const nb::bytes &fill) { new (made) Buffers(make_buffers(size, width, alignment, offset, fill)); },
          "size"_a, "width"_a = 1, "alignment"_a = 8, "offset"_a = 0, "fill"_a = nb::bytes(""));
  nb::class_<Flows>(module, "Flows")
      .def(
          "__init__",
          [](Flows *made, const Board &board, std::size_t slot, const std::vector<int> &sockets) {
            new (made) Flows(sockets, board.flows(slot));
          },
          "board"_a, "slot"_a, "sockets"_a, nb::keep_alive<1, 2>());
  nb::class_<Places>(module, "Places")
      .def(
          "__init__",
          [](Places *made, const Board &board, std::size_t slot, std::size_t count) {
            new (made) Places(count, board.flows(slot));
          },
          "board"_a, "slot"_a, "count"_a, nb::keep_alive<1, 2>());
  nb::class_<ConnectPlan>(module, "ConnectPlan")
      .def(
          "__init__",
          [](ConnectPlan *made, const std::string &local, const std::string &remote, std::uint16_t port,
             std::uint16_t low, std::uint16_t high, const std::vector<std::tuple<int, int, int>> &options) {
            new (made) ConnectPlan(make_plan(local, remote, port, low, high, options));
          },
          nb::kw_only(), "local"_a, "remote"_a, "port"_a, "low"_a = 0, "high"_a = 0,
          "options"_a = std::vector<std::tuple<int, int, int>>{});
}

void bind_connecting_loops(nb::module_ &module) {
  module.def(
      "connect_transact",
      [](const Board &board, std::size_t slot, const Transfer &transfer, const ConnectPlan &plan, Buffers *questions,
         Buffers *answers) {
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::connect_transact(chosen, transfer, plan, questions, answers);
      },
      "board"_a, "slot"_a, "transfer"_a, "plan"_a, "questions"_a = nb::none(), "answers"_a = nb::none());
  module.def(
      "accept_transact",
      [](const Board &board, std::size_t slot, const Transfer &transfer, Buffers *questions, Buffers *answers) {
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::accept_transact(chosen, transfer, questions, answers);
      },
      "board"_a, "slot"_a, "transfer"_a, "questions"_a = nb::none(), "answers"_a = nb::none());
  module.def(
      "connect_many",
      [](const Board &board, std::size_t slot, const Transfer &transfer, const ConnectPlan &plan, Places &places,
         Buffers *questions, Buffers *answers) {
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::connect_many(chosen, transfer, plan, places, questions, answers);
      },
      "board"_a, "slot"_a, "transfer"_a, "plan"_a, "places"_a, "questions"_a = nb::none(), "answers"_a = nb::none());
  module.def(
      "accept_many",
      [](const Board &board, std::size_t slot, const Transfer &transfer, Places &places, Buffers *questions,
         Buffers *answers) {
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::accept_many(chosen, transfer, places, questions, answers);
      },
      "board"_a, "slot"_a, "transfer"_a, "places"_a, "questions"_a = nb::none(), "answers"_a = nb::none());
}

void bind_loops(nb::module_ &module) {
  const auto stream = [&module](const char *name, auto loop) {
    module.def(
        name,
        [loop](const Board &board, std::size_t slot, const Transfer &transfer, Buffers &buffers) {
          Slot &chosen = board.slot(slot);
          const nb::gil_scoped_release unlocked;
          return loop(chosen, transfer, buffers);
        },
        "board"_a, "slot"_a, "transfer"_a, "buffers"_a);
  };
  stream("send_stream", &pathgauge::send_stream);
  stream("receive_stream", &pathgauge::receive_stream);
  stream("send_spliced", &pathgauge::send_spliced);
  stream("send_zerocopy", &pathgauge::send_zerocopy);
  stream("send_batches", &pathgauge::send_batches);
  stream("send_segments", &pathgauge::send_segments);
  stream("receive_spliced", &pathgauge::receive_spliced);
  stream("receive_batches", &pathgauge::receive_batches);
  stream("receive_coalesced", &pathgauge::receive_coalesced);
  stream("receive_mapped", &pathgauge::receive_mapped);
  stream("send_ring", &pathgauge::send_ring);
  stream("send_ring_zerocopy", &pathgauge::send_ring_zerocopy);
  stream("receive_ring", &pathgauge::receive_ring);
  const auto exchange = [&module](const char *name, auto loop) {
    module.def(
        name,
        [loop](const Board &board, std::size_t slot, Transfer transfer, Buffers &questions, Buffers &answers,
               std::optional<std::size_t> peer, std::optional<std::size_t> back) {
          Slot &chosen = board.slot(slot);
          transfer.peer = peer ? &board.slot(*peer) : nullptr;
          transfer.back = &board.slot(back.value_or(slot));
          const nb::gil_scoped_release unlocked;
          return loop(chosen, transfer, questions, answers);
        },
        "board"_a, "slot"_a, "transfer"_a, "questions"_a, "answers"_a, nb::kw_only(), "peer"_a = nb::none(),
        "back"_a = nb::none());
  };
  exchange("request", &pathgauge::request);
  exchange("respond", &pathgauge::respond);
  const auto many = [&module](const char *name, auto loop) {
    module.def(
        name,
        [loop](const Board &board, std::size_t slot, const Transfer &transfer, Flows &flows, Buffers &buffers) {
          Slot &chosen = board.slot(slot);
          const nb::gil_scoped_release unlocked;
          return loop(chosen, transfer, flows, buffers);
        },
        "board"_a, "slot"_a, "transfer"_a, "flows"_a, "buffers"_a);
  };
  many("send_flows", &pathgauge::send_flows);
  many("receive_flows", &pathgauge::receive_flows);
  const auto many_exchange = [&module](const char *name, auto loop) {
    module.def(
        name,
        [loop](const Board &board, std::size_t slot, const Transfer &transfer, Flows &flows, Buffers &questions,
               Buffers &answers) {
          Slot &chosen = board.slot(slot);
          const nb::gil_scoped_release unlocked;
          return loop(chosen, transfer, flows, questions, answers);
        },
        "board"_a, "slot"_a, "transfer"_a, "flows"_a, "questions"_a, "answers"_a);
  };
  many_exchange("request_flows", &pathgauge::request_flows);
  many_exchange("respond_flows", &pathgauge::respond_flows);
}

void bind_cost(nb::module_ &module) {
  nb::class_<OwnCost>(module, "OwnCost")
      .def_ro("clock_ns", &OwnCost::clock_ns)
      .def_ro("record_ns", &OwnCost::record_ns)
      .def_ro("message_ns", &OwnCost::message_ns)
      .def_ro("call_ns", &OwnCost::call_ns)
      .def_ro("copy_rate", &OwnCost::copy_rate);
  module.def("own_cost", &pathgauge::own_cost, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

// NOLINTNEXTLINE(readability-function-cognitive-complexity,modernize-use-trailing-return-type)
NB_MODULE(_native, module) {
  module.doc() = "The loops that move bytes, and the shared memory through which they are ordered and read.";
  module.attr("HISTOGRAM_SIZE") = pathgauge::histogram_size;
  module.attr("MOST_AT_ONCE") = pathgauge::most_at_once;
  module.def("histogram_index", &pathgauge::histogram_index, "nanoseconds"_a);
  module.def("hear_nudges", &pathgauge::hear_nudges);
  module.def("keep_descriptors", &pathgauge::keep_descriptors, "kept"_a);
  module.def("why_no_ring", &pathgauge::why_no_ring, "locked"_a);
  bind_board(module);
  bind_what_moves(module);
  bind_loops(module);
  bind_connecting_loops(module);
  bind_cost(module);
  module.def(
      "relay",
      [](int one, int other, std::uint64_t delay_ns, std::uint64_t jitter_ns) {
        if (delay_ns > longest_delay_ns || jitter_ns > delay_ns) {
          throw std::out_of_range("a delay is at most 10^11 ns, a jitter no more than the delay");
        }
        const nb::gil_scoped_release released;
        pathgauge::relay(one, other, {.delay_ns = delay_ns, .jitter_ns = jitter_ns});
      },
      "one"_a, "other"_a, "delay_ns"_a = 0, "jitter_ns"_a = 0);
}
