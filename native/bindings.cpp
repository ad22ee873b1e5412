// What Python sees of the native core. Sizes and descriptors arrive checked; here they are only bounded again.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <tuple>

#include "board.hpp"
#include "loops.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

using pathgauge::Board;
using pathgauge::Edge;
using pathgauge::Order;
using pathgauge::Slot;
using pathgauge::State;
using pathgauge::Transfer;

constexpr std::size_t largest_message = std::size_t{1} << 30U;
constexpr double longest_wait = 3600;

std::size_t checked_size(std::size_t size) {
  if (size > largest_message) {
    throw std::out_of_range("a message is at most 1 GiB");
  }
  return size;
}

double checked_wait(double seconds) {
  if (!(seconds >= 0 && seconds <= longest_wait)) {
    throw std::out_of_range("a wait is 0 to 3600 s");
  }
  return seconds;
}

Transfer make_transfer(int fd, bool datagrams, std::uint64_t deadline_ns) {
  return Transfer{.fd = fd, .datagrams = datagrams, .deadline_ns = deadline_ns};
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
      .def(nb::init<int, std::size_t>(), "fd"_a, "slots"_a)
      .def_static("bytes", &Board::bytes, "slots"_a)
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
          "edge",
          [](const Board &board, std::size_t slot, std::uint32_t edge) { return read_edge(board.slot(slot), edge); },
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

}  // namespace

// NOLINTNEXTLINE(readability-function-cognitive-complexity,modernize-use-trailing-return-type)
NB_MODULE(_native, module) {
  module.doc() = "The loops that move bytes, and the shared memory through which they are ordered and read.";
  module.attr("HISTOGRAM_SIZE") = pathgauge::histogram_size;
  bind_board(module);
  module.def("hear_nudges", &pathgauge::hear_nudges);
  module.def("histogram_index", &pathgauge::histogram_index, "nanoseconds"_a);
  module.def(
      "send_stream",
      [](const Board &board, std::size_t slot, int fd, bool datagrams, std::uint64_t deadline_ns, std::size_t size,
         std::size_t ring) {
        const Transfer transfer = make_transfer(fd, datagrams, deadline_ns);
        if (checked_size(size) == 0 || ring == 0 || ring > largest_message / size) {
          throw std::out_of_range("a ring holds 1 byte to 1 GiB");
        }
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::send_stream(chosen, transfer, size, ring);
      },
      "board"_a, "slot"_a, "fd"_a, "datagrams"_a, "deadline_ns"_a, "size"_a, "ring"_a);
  module.def(
      "receive_stream",
      [](const Board &board, std::size_t slot, int fd, bool datagrams, std::uint64_t deadline_ns, std::size_t size) {
        const Transfer transfer = make_transfer(fd, datagrams, deadline_ns);
        if (checked_size(size) == 0) {
          throw std::out_of_range("a message has at least 1 byte");
        }
        Slot &chosen = board.slot(slot);
        const nb::gil_scoped_release unlocked;
        return pathgauge::receive_stream(chosen, transfer, size);
      },
      "board"_a, "slot"_a, "fd"_a, "datagrams"_a, "deadline_ns"_a, "size"_a);
  const auto exchange = [&module](const char *name, auto loop) {
    module.def(
        name,
        [loop](const Board &board, std::size_t slot, int fd, bool datagrams, std::uint64_t deadline_ns,
               std::size_t request_size, std::size_t response_size) {
          const Transfer transfer = make_transfer(fd, datagrams, deadline_ns);
          if (checked_size(request_size) == 0 || checked_size(response_size) == 0) {
            throw std::out_of_range("a message has at least 1 byte");
          }
          Slot &chosen = board.slot(slot);
          const nb::gil_scoped_release unlocked;
          return loop(chosen, transfer, request_size, response_size);
        },
        "board"_a, "slot"_a, "fd"_a, "datagrams"_a, "deadline_ns"_a, "request_size"_a, "response_size"_a);
  };
  exchange("request", &pathgauge::request);
  exchange("respond", &pathgauge::respond);
}
