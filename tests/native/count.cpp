// One loop at work on a fixed number of messages, for callgrind to count its instructions: `count LOOP`. Prints how
// many messages (of a stream), packets (of the relay) or transactions the loop came to.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <vector>

#include "buffers.hpp"
#include "connections.hpp"
#include "ends.hpp"
#include "flows.hpp"
#include "mapped.hpp"
#include "methods.hpp"
#include "relay.hpp"
#include "storm.hpp"
#include "uring.hpp"

namespace {

using pathgauge::Buffers;
using pathgauge::Order;
using pathgauge::Transfer;
using trial::Desk;
using trial::Job;
using trial::Wire;

constexpr std::size_t message = 100;
constexpr std::uint64_t messages = 2000;
constexpr std::uint64_t waiting = 448;  // as many messages as a socket's queue holds with the kernel's usual limits

using Loop = int (*)(pathgauge::Slot &, const Transfer &, Buffers &);
using Streams = int (*)(pathgauge::Slot &, const Transfer &, pathgauge::Flows &, Buffers &);
using Exchanges = int (*)(pathgauge::Slot &, const Transfer &, pathgauge::Flows &, Buffers &, Buffers &);

constexpr bool counted_in_bytes(Streams /*loop*/) { return true; }
constexpr bool counted_in_bytes(Exchanges /*loop*/) { return false; }

int call_with(Streams loop, pathgauge::Slot &slot, const Transfer &transfer, pathgauge::Flows &flows,
              std::array<Buffers, 2> &rings) {
  return loop(slot, transfer, flows, rings[0]);
}

int call_with(Exchanges loop, pathgauge::Slot &slot, const Transfer &transfer, pathgauge::Flows &flows,
              std::array<Buffers, 2> &rings) {
  return loop(slot, transfer, flows, rings[0], rings[1]);
}

struct How {
  Wire wire = Wire::tcp;
  Loop send = &pathgauge::send_stream;
  Loop receive = &pathgauge::receive_stream;
  std::uint32_t ahead = 0;
  bool record = false;
  bool file = false;
  bool discard = false;
  bool exchange = true;
  bool apart = false;
};

std::uint64_t count_stream(const How &how, bool sender) {
  const Desk desk;
  const trial::Pair pair = trial::connected(how.wire);
  const trial::Descriptor ring = trial::memory(message);
  const bool cut = how.send == &pathgauge::send_segments;
  if (how.send == &pathgauge::send_zerocopy) {
    allow(pair.one, SOL_SOCKET, SO_ZEROCOPY, 1);
  } else if (cut) {
    allow(pair.one, SOL_UDP, UDP_SEGMENT, message);
    allow(pair.two, SOL_UDP, UDP_GRO, 1);
  }
  Buffers from({.size = cut ? message * pathgauge::most_at_once : message});
  const std::size_t lent = how.receive == &pathgauge::receive_ring ? pathgauge::most_at_once : 1;
  Buffers into({.size = cut ? message * pathgauge::most_at_once : message, .width = lent});
  Transfer sending = over(pair.one, how.wire);
  Transfer receiving = over(pair.two, how.wire);
  sending.file = how.file ? ring.get() : -1;
  sending.record = receiving.record = how.record;
  sending.segment = cut ? message : 0;
  receiving.discard = how.discard;
  // What is received many at a time lies ready before: how many come at once would be chance otherwise. Who waits in a
  // ring may keep valgrind's one thread at a time from the sender, besides.
  const bool ready = !sender && (how.wire == Wire::udp || how.receive == &pathgauge::receive_ring);
  (sender ? sending : receiving).limit = message * (ready && !cut ? waiting : messages);
  give_order(desk[0], Order::run);
  if (ready) {
    allow(pair.two, SOL_SOCKET, SO_RCVBUF, 1 << 20);
    sending.limit = receiving.limit;
  }
  Job sends(desk[0], [&] { return how.send(desk[0], sending, from); });
  if (ready) {
    trial::require(sends.finish() == 0, "the datagrams are sent");
  }
  Job receives(desk[1], [&] { return how.receive(desk[1], receiving, into); });
  trial::require((sender ? sends : receives).finish() == 0, "the loop comes to its limit");
  return sender ? desk[0].messages_sent.load() : desk[1].messages_received.load();
}

std::uint64_t count_exchange(const How &how, bool asks) {
  const Desk desk(3);
  const trial::Pair pair = trial::connected(how.wire);
  std::array<Buffers, 4> rings{Buffers({.size = message}), Buffers({.size = message}), Buffers({.size = message}),
                               Buffers({.size = message})};
  Transfer asking = over(pair.one, how.wire);
  asking.ahead = how.ahead;
  asking.limit = messages;
  Transfer answering = over(pair.two, how.wire);
  if (how.apart) {
    asking.peer = &desk[1];
    asking.back = &desk[2];
    answering.peer = &desk[0];
    asking.record = answering.record = true;
  }
  give_order(desk[0], Order::run);
  Job requester(desk[0], [&] { return request(desk[0], asking, rings[0], rings[1]); });
  Job responder(desk[1], [&] { return respond(desk[1], answering, rings[2], rings[3]); });
  trial::require(requester.finish() == 0, "the loop comes to its limit");
  responder.shut(pair.two);
  return desk[asks ? 0 : 1].transactions.load();
}

std::uint64_t count_connections(const How &how, bool connects) {
  const Desk desk;
  const trial::Descriptor listener = trial::listening();
  std::array<Buffers, 4> rings{Buffers({.size = message}), Buffers({.size = message}), Buffers({.size = message}),
                               Buffers({.size = message})};
  const auto ring = [&](std::size_t place) { return how.exchange ? &rings.at(place) : nullptr; };
  const auto plan = pathgauge::make_connect_plan("127.0.0.1", "127.0.0.1", port_of(listener), 0, 0, {});
  Transfer all = over(listener, Wire::tcp);
  all.limit = messages / 10;
  give_order(desk[0], Order::run);
  Job accepts(desk[1], [&] { return accept_transact(desk[1], all, ring(0), ring(1)); });
  Job asks(desk[0], [&] { return connect_transact(desk[0], all, plan, ring(2), ring(3)); });
  trial::require(asks.finish() == 0 && accepts.finish() == 0, "both come to their limit");
  return desk[connects ? 0 : 1].transactions.load();
}

// A loop over some connections at one end, and its like at the other.
template <typename Mine, typename Theirs>
std::uint64_t count_flows(std::size_t slot, Mine mine, Theirs theirs) {
  constexpr std::size_t flows = 8;
  const Desk desk(2, flows);
  std::vector<trial::Pair> pairs;
  std::array<std::vector<int>, 2> ends;
  for (std::size_t number = 0; number < flows; ++number) {
    pairs.push_back(trial::connected(Wire::tcp));
    ends[0].push_back(pairs.back().one.get());
    ends[1].push_back(pairs.back().two.get());
  }
  pathgauge::Flows one(ends.at(slot), desk.flows(slot));
  pathgauge::Flows other(ends.at(1 - slot), desk.flows(1 - slot));
  std::array<Buffers, 2> rings{Buffers({.size = message}), Buffers({.size = message})};
  std::array<Buffers, 2> others{Buffers({.size = message}), Buffers({.size = message})};
  Transfer all = over(pairs[0].one, Wire::tcp);
  Transfer counted = all;
  counted.limit = counted_in_bytes(mine) ? message * messages : messages;
  give_order(desk[0], Order::run);
  Job works(desk[slot], [&] { return call_with(mine, desk[slot], counted, one, rings); });
  Job serves(desk[1 - slot], [&] { return call_with(theirs, desk[1 - slot], all, other, others); });
  trial::require(works.finish() == 0, "the loop comes to its limit");
  serves.stop();
  const auto &done = desk[slot];
  return done.transactions.load() + (counted_in_bytes(mine) ? done.messages_sent + done.messages_received : 0);
}

// As count_connections, with eight of them under way at once.
std::uint64_t count_storm(const How &how, bool connects) {
  constexpr std::size_t places = 8;
  const Desk desk(2, places);
  const trial::Descriptor listener = trial::listening();
  std::array<Buffers, 4> rings{Buffers({.size = message}), Buffers({.size = message}), Buffers({.size = message}),
                               Buffers({.size = message})};
  const auto ring = [&](std::size_t place) { return how.exchange ? &rings.at(place) : nullptr; };
  const auto plan = pathgauge::make_connect_plan("127.0.0.1", "127.0.0.1", port_of(listener), 0, 0, {});
  keep_awake(listener);
  pathgauge::Places calls(places, desk.flows(0));
  pathgauge::Places takes(places, desk.flows(1));
  Transfer all = over(listener, Wire::tcp);
  all.limit = messages;
  give_order(desk[0], Order::run);
  Job accepts(desk[1], [&] { return accept_many(desk[1], all, takes, ring(0), ring(1)); });
  Job asks(desk[0], [&] { return connect_many(desk[0], all, plan, calls, ring(2), ring(3)); });
  trial::require(asks.finish() == 0 && accepts.finish() == 0, "both come to their limit");
  return desk[connects ? 0 : 1].transactions.load();
}

std::uint64_t count_relay() {
  trial::Pair left = trial::packets(1 << 20);
  const trial::Pair right = trial::packets(1 << 20);
  const Desk desk(1);
  Job job(desk[0], [&] {
    pathgauge::relay(left.two.get(), right.one.get());
    return 0;
  });
  std::array<std::byte, message> packet{};
  for (std::uint64_t turn = 0; turn < messages; ++turn) {
    std::ignore = send(left.one.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
    trial::await([&] { return recv(right.two.get(), packet.data(), packet.size(), 0) > 0; }, "it comes");
  }
  left.one.reset();
  job.finish();
  return messages;
}

struct Counted {
  std::string_view name;
  std::function<std::uint64_t()> run;
};

std::span<const Counted> all_counted() {
  static const auto all = std::to_array<Counted>({
      {"send_stream-tcp", [] { return count_stream({}, true); }},
      {"send_stream-udp", [] { return count_stream({.wire = Wire::udp}, true); }},
      {"send_stream-record", [] { return count_stream({.record = true}, true); }},
      {"send_stream-sendfile", [] { return count_stream({.file = true}, true); }},
      {"receive_stream-tcp", [] { return count_stream({}, false); }},
      {"receive_stream-udp", [] { return count_stream({.wire = Wire::udp}, false); }},
      {"receive_stream-discard", [] { return count_stream({.discard = true}, false); }},
      {"send_spliced-tcp", [] { return count_stream({.send = &pathgauge::send_spliced}, true); }},
      {"send_zerocopy-tcp", [] { return count_stream({.send = &pathgauge::send_zerocopy}, true); }},
      {"send_batches-udp", [] { return count_stream({.wire = Wire::udp, .send = &pathgauge::send_batches}, true); }},
      {"send_segments-udp", [] { return count_stream({.wire = Wire::udp, .send = &pathgauge::send_segments}, true); }},
      {"receive_spliced-tcp", [] { return count_stream({.receive = &pathgauge::receive_spliced}, false); }},
      {"receive_batches-udp",
       [] {
         return count_stream(
             {.wire = Wire::udp, .send = &pathgauge::send_batches, .receive = &pathgauge::receive_batches}, false);
       }},
      {"receive_coalesced-udp",
       [] {
         return count_stream(
             {.wire = Wire::udp, .send = &pathgauge::send_segments, .receive = &pathgauge::receive_coalesced}, false);
       }},
      {"receive_mapped-tcp", [] { return count_stream({.receive = &pathgauge::receive_mapped}, false); }},
      {"send_ring-tcp", [] { return count_stream({.send = &pathgauge::send_ring}, true); }},
      {"send_ring-udp", [] { return count_stream({.wire = Wire::udp, .send = &pathgauge::send_ring}, true); }},
      {"send_ring_zerocopy-tcp", [] { return count_stream({.send = &pathgauge::send_ring_zerocopy}, true); }},
      {"receive_ring-tcp", [] { return count_stream({.receive = &pathgauge::receive_ring}, false); }},
      {"receive_ring-udp",
       [] {
         return count_stream({.wire = Wire::udp, .send = &pathgauge::send_batches, .receive = &pathgauge::receive_ring},
                             false);
       }},
      {"request-tcp", [] { return count_exchange({}, true); }},
      {"request-udp", [] { return count_exchange({.wire = Wire::udp}, true); }},
      {"request-ahead", [] { return count_exchange({.ahead = 8}, true); }},
      {"respond-tcp", [] { return count_exchange({}, false); }},
      {"respond-udp", [] { return count_exchange({.wire = Wire::udp}, false); }},
      {"request-ways-tcp", [] { return count_exchange({.apart = true}, true); }},
      {"request-ways-udp", [] { return count_exchange({.wire = Wire::udp, .apart = true}, true); }},
      {"respond-ways-tcp", [] { return count_exchange({.apart = true}, false); }},
      {"respond-ways-udp", [] { return count_exchange({.wire = Wire::udp, .apart = true}, false); }},
      {"connect_transact-crr", [] { return count_connections({}, true); }},
      {"connect_transact-cc", [] { return count_connections({.exchange = false}, true); }},
      {"accept_transact-crr", [] { return count_connections({}, false); }},
      {"accept_transact-cc", [] { return count_connections({.exchange = false}, false); }},
      {"send_flows-8", [] { return count_flows(0, &pathgauge::send_flows, &pathgauge::receive_flows); }},
      {"receive_flows-8", [] { return count_flows(1, &pathgauge::receive_flows, &pathgauge::send_flows); }},
      {"request_flows-8", [] { return count_flows(0, &pathgauge::request_flows, &pathgauge::respond_flows); }},
      {"respond_flows-8", [] { return count_flows(1, &pathgauge::respond_flows, &pathgauge::request_flows); }},
      {"connect_many-crr", [] { return count_storm({}, true); }},
      {"connect_many-cc", [] { return count_storm({.exchange = false}, true); }},
      {"accept_many-crr", [] { return count_storm({}, false); }},
      {"accept_many-cc", [] { return count_storm({.exchange = false}, false); }},
      {"relay-packets", [] { return count_relay(); }},
  });
  return all;
}

int run(std::string_view name) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): as in Python
  pathgauge::hear_nudges();
  for (const Counted &each : all_counted()) {
    if (each.name == name) {
      std::printf("%llu\n", static_cast<unsigned long long>(each.run()));
      return 0;
    }
  }
  throw std::invalid_argument("no such loop");
}

}  // namespace

int main(int count, char **words) {
  try {
    return run(count > 1 ? words[1] : "");
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
