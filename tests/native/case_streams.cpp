// send_stream and receive_stream.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "meter.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::State;
using pathgauge::Transfer;

// A controller's run: slices between edges, a histogram cleared and read, a pause.
void take_slices(pathgauge::Slot &slot) {
  for (int slice = 0; slice < 3; ++slice) {
    require(wait_state(slot, State::paused, 10), "paused");
    slot.histogram.fill(0);
    give_order(slot, Order::run);
    const std::uint32_t first = ask_edge(slot);
    require(wait_edge(slot, first, 10), "the first edge");
    nap(2000);
    const std::uint32_t second = ask_edge(slot);
    require(wait_edge(slot, second, 10), "the second edge");
    const auto &begin = slot.edges[(first + 1) % 2];
    const auto &end = slot.edges[(second + 1) % 2];
    require(begin.time_ns < end.time_ns && begin.bytes_sent <= end.bytes_sent, "edges follow each other");
    give_order(slot, Order::pause);
  }
  require(wait_state(slot, State::paused, 10), "paused at the end");
}

void move_a_stream(Wire wire, std::size_t size, std::size_t width, std::size_t room, bool discard) {
  const Desk desk;
  const Pair pair = connected(wire);
  Buffers from({.size = size, .width = width});
  Buffers into({.size = room, .width = width});
  Transfer sending = over(pair.one, wire);
  Transfer receiving = over(pair.two, wire);
  sending.record = true;
  receiving.record = true;
  receiving.discard = discard;
  Job sender(desk[0], [&] { return send_stream(desk[0], sending, from); });
  Job receiver(desk[1], [&] { return receive_stream(desk[1], receiving, into); });
  take_slices(desk[0]);
  require(desk[0].bytes_sent.load() > 0, "something was sent");
  if (wire == Wire::udp) {
    require(receiver.shut(pair.two) == 0, "the receiver ends");
  } else {
    await([&] { return desk[1].bytes_received.load() == desk[0].bytes_sent.load(); }, "every byte comes");
    require(receiver.stop() == 0, "the receiver ends");
  }
  require(sender.shut(pair.one) == 0, "the sender ends");
}

void streams_of_every_size() {
  for (const Wire wire : {Wire::tcp, Wire::udp, Wire::local}) {
    for (const std::size_t size : {1U, 1400U, 65507U}) {
      move_a_stream(wire, size, 3, 3000, wire == Wire::tcp);
      move_a_stream(wire, size, 1, 131072, false);
    }
    move_a_stream(wire, 1, 2, 1, false);
  }
  move_a_stream(Wire::tcp, std::size_t{16} << 20U, 1, std::size_t{1} << 20U, false);
}

void a_datagram_too_great_is_an_error() {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers buffers({.size = 65508});
  give_order(desk[0], Order::run);
  Job job(desk[0], [&] { return send_stream(desk[0], over(pair.one, Wire::udp), buffers); });
  require(job.finish() == EMSGSIZE && desk[0].error.load() == EMSGSIZE, "it is said");
}

void limits_end_streams() {
  const Desk desk;
  const Pair pair = connected(Wire::tcp);
  Buffers from({.size = 100, .width = 2});
  Buffers into({.size = 7});
  Transfer sending = over(pair.one, Wire::tcp);
  Transfer receiving = over(pair.two, Wire::tcp);
  sending.limit = 950;
  receiving.limit = 1000;
  give_order(desk[0], Order::run);
  Job sender(desk[0], [&] { return send_stream(desk[0], sending, from); });
  Job receiver(desk[1], [&] { return receive_stream(desk[1], receiving, into); });
  require(sender.finish() == 0 && desk[0].bytes_sent.load() == 1000, "whole messages up to the limit");
  require(receiver.finish() == 0 && desk[1].bytes_received.load() == 1000, "the receiver's limit");
}

void sendfile_sends_the_ring() {
  const Pair pair = connected(Wire::tcp);
  limit_wait(pair.one, 5);
  Buffers ring({.size = 1000, .width = 2});
  const auto send = [&](int file, std::uint64_t limit, double seconds) {
    const Desk desk(1);
    Transfer sending = over(pair.one, Wire::tcp, seconds);
    sending.file = file;
    sending.limit = limit;
    give_order(desk[0], Order::run);
    Job sender(desk[0], [&] { return send_stream(desk[0], sending, ring); });
    return sender.finish();
  };
  const Descriptor whole = memory(2000);
  require(send(whole.get(), 5000, 60) == 0, "it is sent");
  std::array<char, 8192> got{};
  require(recv(pair.two.get(), got.data(), 5000, MSG_WAITALL) == 5000, "all of it");
  const Descriptor short_one = memory(500);
  require(send(short_one.get(), 0, 0.05) == 0, "a file that is too short holds until the deadline and no longer");
  require(send(1 << 20, 1, 60) == EBADF, "no file is an error");
}

void marks_and_empty_datagrams() {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers into({.size = 4});
  Transfer receiving = over(pair.two, Wire::udp);
  receiving.marked = true;
  Job receiver(desk[0], [&] { return receive_stream(desk[0], receiving, into); });
  require(send(pair.one.get(), "greater than the buffer", 23, 0) == 23, "sent");
  require(send(pair.one.get(), "", 0, 0) == 0, "the mark");
  require(receiver.finish() == 0 && desk[0].bytes_received.load() == 23, "a datagram counts whole, a mark ends");
  Transfer unmarked = over(pair.two, Wire::udp);
  Job another(desk[1], [&] { return receive_stream(desk[1], unmarked, into); });
  require(send(pair.one.get(), "", 0, 0) == 0, "an empty one");
  await([&] { return desk[1].messages_received.load() == 1; }, "is a message like another");
  require(another.stop() == 0, "and ends nothing");
}

void operations_are_paced() {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers buffers({.size = 10});
  Transfer paced = over(pair.one, Wire::udp);
  paced.pace_count = 5;
  paced.pace_ns = 10'000'000;
  paced.limit = 200;
  give_order(desk[0], Order::run);
  const std::uint64_t start = pathgauge::read_clock(CLOCK_MONOTONIC);
  Job job(desk[0], [&] { return send_stream(desk[0], paced, buffers); });
  require(job.finish() == 0 && pathgauge::read_clock(CLOCK_MONOTONIC) - start > 29'000'000, "three intervals pass");
}

// A pace beyond the deadline: the deadline counts. Also one that no clock reaches.
void a_deadline_ends_an_interval() {
  for (const std::uint64_t pace : {std::uint64_t{3'600'000'000'000}, std::uint64_t{1} << 62U}) {
    const Desk desk(1);
    const Pair pair = connected(Wire::udp);
    Buffers buffers({.size = 10});
    Transfer paced = over(pair.one, Wire::udp, 0.1);
    paced.pace_count = 3;
    paced.pace_ns = pace;
    give_order(desk[0], Order::run);
    Job job(desk[0], [&] { return send_stream(desk[0], paced, buffers); });
    require(job.finish() == 0, "it ends");
    require(desk[0].messages_sent.load() <= 4, "and sends no burst because of it");
  }
}

// By a schedule: no faster, no slower, and what a pause took is not made up for.
void a_schedule_is_kept(bool spin) {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers buffers({.size = 10});
  Transfer paced = over(pair.one, Wire::udp);
  paced.period_ns = 1'000'000;
  paced.spin = spin;
  Job job(desk[0], [&] { return send_stream(desk[0], paced, buffers); });
  for (int run = 0; run < 2; ++run) {
    const std::uint64_t before = desk[0].messages_sent.load();
    const std::uint64_t start = pathgauge::read_clock(CLOCK_MONOTONIC);
    give_order(desk[0], Order::run);
    await([&] { return desk[0].messages_sent.load() >= before + 30; }, "it goes on");
    const std::uint64_t took = pathgauge::read_clock(CLOCK_MONOTONIC) - start;
    const std::uint64_t sent = desk[0].messages_sent.load() - before;
    require(sent <= took / 1'000'000 + 2, "no more is sent than is due");
    give_order(desk[0], Order::pause);
    require(wait_state(desk[0], State::paused, 10), "it pauses");
    nap(20'000);
  }
  require(job.stop() == 0, "it ends");
}

void schedules_are_kept() {
  a_schedule_is_kept(false);
  a_schedule_is_kept(true);
}

void a_nudge_ends_an_interval() {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers buffers({.size = 10});
  Transfer paced = over(pair.one, Wire::udp);
  paced.pace_count = 1;
  paced.pace_ns = 3'600'000'000'000;
  give_order(desk[0], Order::run);
  Job job(desk[0], [&] { return send_stream(desk[0], paced, buffers); });
  await([&] { return desk[0].messages_sent.load() == 1; }, "one goes at once");
  require(job.stop() == 0, "it ends");
}

}  // namespace

std::vector<Case> stream_cases() {
  return {
      {"streams: every size", streams_of_every_size},
      {"streams: a datagram too great", a_datagram_too_great_is_an_error},
      {"streams: limits", limits_end_streams},
      {"streams: sendfile", sendfile_sends_the_ring},
      {"streams: marks and empty datagrams", marks_and_empty_datagrams},
      {"streams: paced", operations_are_paced},
      {"streams: a deadline ends an interval", a_deadline_ends_an_interval},
      {"streams: schedules", schedules_are_kept},
      {"streams: a nudge ends an interval", a_nudge_ends_an_interval},
  };
}

}  // namespace trial
