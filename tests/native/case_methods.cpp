// The streams of methods.hpp: sent and received by other calls than send and recv.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "mapped.hpp"
#include "methods.hpp"
#include "ring.hpp"
#include "uring.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::Slot;
using pathgauge::Transfer;

using Loop = int (*)(Slot &, const Transfer &, Buffers &);

struct Way {
  Wire wire = Wire::tcp;
  Loop send = &pathgauge::send_stream;
  Loop receive = &pathgauge::receive_stream;
  std::size_t size = 1;       // of a message, which gso cuts
  std::uint32_t segment = 0;  // of gso
  bool spin = false;
  bool poll = false;
};

Pair made_for(const Way &way) {
  Pair pair = connected(way.wire);
  if (way.send == &pathgauge::send_zerocopy) {
    allow(pair.one, SOL_SOCKET, SO_ZEROCOPY, 1);
  }
  if (way.segment != 0) {
    allow(pair.one, SOL_UDP, UDP_SEGMENT, static_cast<int>(way.segment));
  }
  if (way.receive == &pathgauge::receive_coalesced) {
    allow(pair.two, SOL_UDP, UDP_GRO, 1);
  }
  return pair;
}

void move_by(const Way &way) {
  const Desk desk;
  const Pair pair = made_for(way);
  Buffers from({.size = way.size, .width = way.send == &pathgauge::send_spliced ? 1U : 3U});
  Buffers into({.size = std::size_t{1} << 16U, .width = 4});
  Transfer sending = over(pair.one, way.wire);
  Transfer receiving = over(pair.two, way.wire);
  sending.segment = way.segment;
  sending.record = receiving.record = true;
  receiving.spin = way.spin;
  receiving.poll = way.poll;
  Job sender(desk[0], [&] { return way.send(desk[0], sending, from); });
  Job receiver(desk[1], [&] { return way.receive(desk[1], receiving, into); });
  give_order(desk[1], Order::run);
  give_order(desk[0], Order::run);
  await([&] { return desk[1].messages_received.load() > 200; }, "many come");
  give_order(desk[0], Order::pause);
  require(wait_state(desk[0], pathgauge::State::paused, 10), "paused");
  if (way.wire == Wire::udp) {
    require(desk[1].bytes_received.load() <= desk[0].bytes_sent.load(), "no more comes than was sent");
  } else {
    await([&] { return desk[1].bytes_received.load() == desk[0].bytes_sent.load(); }, "every byte comes");
  }
  require(receiver.shut(pair.two) == 0, "the receiver ends");
  require(sender.shut(pair.one) == 0, "the sender ends");
  require(desk[0].copied.load() <= desk[0].completed.load(), "what was copied was completed");
  require(desk[1].mapped.load() <= desk[1].bytes_received.load(), "what was mapped was received");
}

void streams_by_every_method() {
  for (const std::size_t size : {std::size_t{1}, std::size_t{10'007}, std::size_t{1} << 18U}) {
    move_by(
        {.wire = Wire::tcp, .send = &pathgauge::send_spliced, .receive = &pathgauge::receive_spliced, .size = size});
    move_by(
        {.wire = Wire::tcp, .send = &pathgauge::send_zerocopy, .receive = &pathgauge::receive_stream, .size = size});
    move_by({.wire = Wire::tcp, .send = &pathgauge::send_ring, .receive = &pathgauge::receive_ring, .size = size});
    move_by({.wire = Wire::tcp,
             .send = &pathgauge::send_ring_zerocopy,
             .receive = &pathgauge::receive_mapped,
             .size = size});
  }
  move_by({.wire = Wire::tcp,
           .send = &pathgauge::send_stream,
           .receive = &pathgauge::receive_spliced,
           .size = 1000,
           .spin = true});
  for (const Loop receive : {&pathgauge::receive_stream, &pathgauge::receive_spliced, &pathgauge::receive_ring}) {
    move_by({.wire = Wire::tcp, .receive = receive, .size = 1000, .poll = true});
  }
  for (const Loop receive : {&pathgauge::receive_ring, &pathgauge::receive_mapped}) {
    move_by({.wire = Wire::tcp, .receive = receive, .size = 1000, .spin = true});
  }
}

void datagrams_by_every_method() {
  for (const std::size_t size : {std::size_t{1}, std::size_t{1400}}) {
    move_by(
        {.wire = Wire::udp, .send = &pathgauge::send_batches, .receive = &pathgauge::receive_batches, .size = size});
    move_by({.wire = Wire::udp, .send = &pathgauge::send_ring, .receive = &pathgauge::receive_ring, .size = size});
  }
  move_by({.wire = Wire::udp,
           .send = &pathgauge::send_segments,
           .receive = &pathgauge::receive_coalesced,
           .size = 6400,
           .segment = 100});
  move_by({.wire = Wire::udp,
           .send = &pathgauge::send_segments,
           .receive = &pathgauge::receive_batches,
           .size = 250,  // the last of each is half as long
           .segment = 100,
           .spin = true});
  move_by({.wire = Wire::udp,
           .send = &pathgauge::send_batches,
           .receive = &pathgauge::receive_batches,
           .size = 100,
           .poll = true});
}

void what_cannot_begin_is_an_error() {
  const Desk desk;
  const Pair pair = connected(Wire::tcp);
  Buffers greater({.size = std::size_t{64} << 20U});  // than any pipe of ours
  give_order(desk[0], Order::run);
  Job splices(desk[0], [&] { return pathgauge::send_spliced(desk[0], over(pair.one, Wire::tcp), greater); });
  const int error = splices.finish();
  require(error != 0 && desk[0].error.load() == static_cast<std::uint32_t>(error), "a message greater than its pipe");
  Buffers small({.size = 10});
  Transfer nowhere = over(pair.one, Wire::tcp);
  nowhere.fd = 1 << 20;
  for (const Loop loop :
       {&pathgauge::receive_spliced, &pathgauge::send_zerocopy, &pathgauge::receive_batches,
        &pathgauge::receive_coalesced, &pathgauge::send_batches, &pathgauge::send_segments, &pathgauge::send_ring,
        &pathgauge::send_ring_zerocopy, &pathgauge::receive_ring, &pathgauge::receive_mapped}) {
    give_order(desk[1], Order::run);
    Job job(desk[1], [&] { return loop(desk[1], nowhere, small); });
    require(job.finish() == EBADF, "no socket is an error");
  }
}

void a_mark_ends_batches() {
  for (const Loop receive : {&pathgauge::receive_batches, &pathgauge::receive_ring}) {
    const Desk desk;
    const Pair pair = connected(Wire::udp);
    Buffers into({.size = 4});
    Transfer receiving = over(pair.two, Wire::udp);
    receiving.marked = true;
    require(send(pair.one.get(), "greater than the buffer", 23, 0) == 23, "sent");
    require(send(pair.one.get(), "", 0, 0) == 0, "the mark");
    Job receiver(desk[1], [&] { return receive(desk[1], receiving, into); });
    require(receiver.finish() == 0 && desk[1].bytes_received.load() == 23, "a datagram counts whole, a mark ends");
  }
}

void a_ring_can_be_had() {
  require(pathgauge::why_no_ring(0) == 0, "this kernel has rings");
  require(pathgauge::why_no_ring(std::size_t{1} << 16U) == 0, "and locks some memory");
  const pathgauge::Ring none(-1, 0, 1);
  require(none.error() == EINVAL, "one without room is none");
}

// Who answers nothing: the reader gives up after its patience and at its deadline, not before.
void has_patience(bool spin) {
  const Desk desk;
  const Pair pair = connected(Wire::udp);
  Buffers question({.size = 1});
  Buffers answer({.size = 1});
  Transfer asking = over(pair.one, Wire::udp, 0.4);
  asking.spin = spin;
  asking.poll = !spin;
  asking.patience_ns = 50'000'000;
  give_order(desk[0], Order::run);
  Job requester(desk[0], [&] { return request(desk[0], asking, question, answer); });
  require(requester.finish() == 0, "the deadline ends it");
  const std::uint64_t lost = desk[0].lost.load();
  require(lost >= 2 && lost <= 9, "one is lost in each patience");
}

void who_spins_has_patience() { has_patience(true); }
void who_polls_has_patience() { has_patience(false); }

}  // namespace

std::vector<Case> method_cases() {
  return {
      {"methods: streams", streams_by_every_method},
      {"methods: datagrams", datagrams_by_every_method},
      {"methods: what cannot begin", what_cannot_begin_is_an_error},
      {"methods: a mark ends batches", a_mark_ends_batches},
      {"methods: a ring can be had", a_ring_can_be_had},
      {"methods: who spins has patience", who_spins_has_patience},
      {"methods: who polls has patience", who_polls_has_patience},
  };
}

}  // namespace trial
