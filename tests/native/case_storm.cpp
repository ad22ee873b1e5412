// connect_many and accept_many.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"
#include "storm.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::ConnectPlan;
using pathgauge::make_connect_plan;
using pathgauge::Order;
using pathgauge::Places;
using pathgauge::State;
using pathgauge::Transfer;

constexpr const char *loopback = "127.0.0.1";

// A listener and what both loops need; without a question nothing is sent.
struct Storm {
  explicit Storm(std::size_t count, std::size_t question = 10, std::size_t answer = 10, const char *where = loopback,
                 std::uint16_t low = 0, std::uint16_t high = 0)
      : desk(2, count),
        listener(listening(std::string(where) == "::1")),
        plan(make_connect_plan(where, where, port_of(listener), low, high, {})),
        calls(count, desk.flows(0)),
        takes(count, desk.flows(1)),
        rings{Buffers({.size = question + 1}), Buffers({.size = answer + 1}), Buffers({.size = question + 1}),
              Buffers({.size = answer + 1})},
        talks(question != 0) {
    keep_awake(listener);
    require(listen(listener.get(), 1000) == 0, "the queue has room for all of them");
  }
  [[nodiscard]] Transfer transfer(double seconds = 60) const { return over(listener, Wire::tcp, seconds); }
  [[nodiscard]] Buffers *ring(std::size_t number) { return talks ? &rings.at(number) : nullptr; }
  int call(const Transfer &transfer) { return connect_many(desk[0], transfer, plan, calls, ring(0), ring(1)); }
  int take(const Transfer &transfer) { return accept_many(desk[1], transfer, takes, ring(2), ring(3)); }

  Desk desk;
  Descriptor listener;
  ConnectPlan plan;
  Places calls;
  Places takes;
  std::array<Buffers, 4> rings;
  bool talks;
};

void transact(std::uint64_t count, std::size_t question = 10, std::size_t answer = 10, const char *where = loopback,
              std::uint16_t low = 0, std::uint16_t high = 0) {
  Storm storm(count, question, answer, where, low, high);
  Transfer limited = storm.transfer();
  limited.fd = -1;
  limited.limit = 5 * count;
  limited.record = true;
  give_order(storm.desk[0], Order::run);
  Job takes(storm.desk[1], [&] { return storm.take(storm.transfer()); });
  Job calls(storm.desk[0], [&] { return storm.call(limited); });
  require(calls.finish() == 0, "it ends at its limit");
  require(storm.desk[0].transactions.load() == limited.limit, "so many connections");
  const auto &places = storm.desk[0].histogram;
  require(std::accumulate(places.begin(), places.end(), std::uint64_t{0}) == limited.limit, "each is timed");
  require(storm.calls.under_way() == 0, "none is left");
  require(takes.stop() == 0 && storm.desk[1].transactions.load() == limited.limit, "as many at the server");
  if (storm.talks) {
    require(storm.desk[0].messages_received.load() == limited.limit, "whole answers");
    require(storm.desk[1].messages_received.load() == limited.limit, "to whole questions");
  }
}

void storms_of_every_kind() {
  transact(1);
  transact(300);
  transact(300, 0);
  transact(20, 100'000, 300'000);
  transact(5, 3'000'000, 3'000'000);
  transact(9, 3, 3, loopback, 23000, 23200);
  transact(9, 3, 3, loopback, 65500, 65535);
  transact(9, 3, 3, "::1");
  transact(9, 0, 0, "::1", 24000, 24200);
}

// Paused, the client has nothing under way; run again, it goes on. What each place did makes up the whole.
void pauses() {
  Storm storm(50);
  Job takes(storm.desk[1], [&] { return storm.take(storm.transfer()); });
  Job calls(storm.desk[0], [&] { return storm.call(storm.transfer()); });
  for (int round = 0; round < 20; ++round) {
    require(wait_state(storm.desk[0], State::paused, 10), "it pauses");
    const std::uint64_t before = storm.desk[0].transactions.load();
    await([&] { return storm.desk[1].transactions.load() == before; }, "with nothing under way");
    give_order(storm.desk[0], Order::run);
    await([&] { return storm.desk[0].transactions.load() > before + 200; }, "it runs");
    give_order(storm.desk[0], Order::pause);
  }
  require(wait_state(storm.desk[0], State::paused, 10), "it pauses");
  const std::uint32_t edge = ask_edge(storm.desk[0]);
  require(wait_edge(storm.desk[0], edge, 10), "it takes edges");
  const auto both = storm.desk.flows(0);
  const auto counts = both.subspan((edge + 1) % 2 * (both.size() / 2) + 1, 50);
  require(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == storm.desk[0].transactions.load(),
          "the counts of all places make up the sum");
  require(std::ranges::min(counts) > 0, "each had its share");
  require(calls.stop() == 0 && takes.stop() == 0, "both are ended");
}

void who_is_refused_ends() {
  for (const std::size_t question : {0U, 10U}) {
    Storm storm(30, question);
    storm.listener.reset();
    give_order(storm.desk[0], Order::run);
    Transfer asking;
    asking.deadline_ns = after(10);
    Job calls(storm.desk[0], [&] { return storm.call(asking); });
    require(calls.finish() == ECONNREFUSED, "it is said");
    require(storm.calls.under_way() == 0, "and none is left");
  }
}

void no_port_left_is_an_error() {
  Storm storm(30, 10, 10, loopback, 25000, 25009);
  give_order(storm.desk[0], Order::run);
  Job calls(storm.desk[0], [&] { return storm.call(storm.transfer()); });
  require(calls.finish() == EADDRINUSE, "ten ports are no thirty");
  require(storm.calls.under_way() == 0, "and none is left");
}

// While it lives, at most so many descriptors more can be opened.
class Few {
 public:
  explicit Few(const Descriptor &last, rlim_t more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(last.get()) + 1 + more;
    require(setrlimit(RLIMIT_NOFILE, &now) == 0, "the limit is set");
  }
  ~Few() { setrlimit(RLIMIT_NOFILE, &before_); }
  Few(const Few &) = delete;
  Few &operator=(const Few &) = delete;
  Few(Few &&) = delete;
  Few &operator=(Few &&) = delete;

 private:
  rlimit before_{};
};

Descriptor connection_to(const Descriptor &listener) {
  Descriptor made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port_of(listener));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto *general = reinterpret_cast<const sockaddr *>(&where);  // NOLINT(*-reinterpret-cast)
  require(connect(made.get(), general, sizeof(where)) == 0, "connected");
  return made;
}

std::vector<Descriptor> connections_to(const Descriptor &listener, std::size_t count) {
  std::vector<Descriptor> made;
  made.reserve(count);
  for (std::size_t number = 0; number < count; ++number) {
    made.push_back(connection_to(listener));
  }
  return made;
}

void too_few_descriptors_are_an_error() {
  Storm storm(30);
  give_order(storm.desk[0], Order::run);
  {
    const Descriptor last = memory(1);
    const Few few(last, 10);
    Job calls(storm.desk[0], [&] { return storm.call(storm.transfer()); });
    require(calls.finish() == EMFILE, "the client says so");
  }
  const auto clients = connections_to(storm.listener, 20);
  const Descriptor last = memory(1);
  const Few few(last, 10);
  Job takes(storm.desk[1], [&] { return storm.take(storm.transfer()); });
  require(takes.finish() == EMFILE, "and the server");
  require(storm.calls.under_way() == 0 && storm.takes.under_way() == 0, "and none is left");
}

// What a server has to stand: silence, halves, resets.
void clients_that_do_not_play_along() {
  Storm storm(100, 99, 1000);
  Job takes(storm.desk[1], [&] { return storm.take(storm.transfer()); });
  for (int turn = 0; turn < 40; ++turn) {
    Descriptor client = connection_to(storm.listener);
    const std::string half(static_cast<std::size_t>(turn) * 4, 'x');  // up to more than a question
    std::ignore = send(client.get(), half.data(), half.size(), MSG_NOSIGNAL);
    if (turn % 2 == 0) {
      client.abort();
    }
  }
  const Descriptor silent = connection_to(storm.listener);
  nap(5000);
  require(takes.stop() == 0, "a nudge ends it, whoever is silent");
  require(storm.takes.under_way() == 0, "and none is left");
}

// How many wait to be accepted.
unsigned queued(const Descriptor &listener) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  require(getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
  return info.tcpi_unacked;
}

bool is_answered(const Descriptor &client) {
  std::array<char, 100> space{};
  std::ignore = send(client.get(), space.data(), 11, MSG_NOSIGNAL);
  limit_wait(client, 200);
  return recv(client.get(), space.data(), space.size(), 0) == 11;
}

// With a silent client in each place the next one waits, and costs nothing meanwhile; it is served when one goes.
void no_place_is_free() {
  Storm storm(4);
  Job takes(storm.desk[1], [&] { return storm.take(storm.transfer()); });
  auto silent = connections_to(storm.listener, 4);
  await([&] { return queued(storm.listener) == 0; }, "they have all places");
  const Descriptor next = connection_to(storm.listener);
  const std::uint64_t spent = pathgauge::read_clock(CLOCK_PROCESS_CPUTIME_ID);
  require(!is_answered(next) && queued(storm.listener) == 1, "the next one waits");
  require(pathgauge::read_clock(CLOCK_PROCESS_CPUTIME_ID) - spent < 100'000'000, "asleep");
  silent.pop_back();
  std::array<char, 100> space{};
  limit_wait(next, 10'000);
  require(recv(next.get(), space.data(), space.size(), 0) == 11, "and is served");
  require(takes.stop() == 0, "it is ended");
}

// The peer listens, but never accepts, or closes before it has answered.
void servers_that_do_not_play_along() {
  for (const std::size_t question : {0U, 10U}) {
    Storm storm(30, question);
    give_order(storm.desk[0], Order::run);
    {
      Job calls(storm.desk[0], [&] { return storm.call(storm.transfer()); });
      nap(5000);
      require(calls.stop() == 0, "it waits until it is told to quit");
    }
    reset(storm.desk[0]);
    give_order(storm.desk[0], Order::run);
    Job late(storm.desk[0], [&] { return storm.call(storm.transfer(0.05)); });
    require(late.finish() == 0 && storm.calls.under_way() == 0, "or to its deadline");
  }
  Storm storm(3);
  give_order(storm.desk[0], Order::run);
  Job calls(storm.desk[0], [&] { return storm.call(storm.transfer()); });
  require(fcntl(storm.listener.get(), F_SETFL, 0) == 0, "this one does not accept by epoll");
  for (int turn = 0; turn < 20; ++turn) {
    const Descriptor taken(accept4(storm.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 11> question{};
    require(recv(taken.get(), question.data(), question.size(), MSG_WAITALL) == 11, "it is asked");
    std::ignore = send(taken.get(), question.data(), 5, MSG_NOSIGNAL);
  }
  require(calls.stop() == 0 && storm.desk[0].transactions.load() == 0, "half an answer is none");
}

void no_room() {
  const Desk desk(1, 3);
  for (const std::size_t count : {0U, 4U}) {
    try {
      const Places places(count, desk.flows(0));
      require(false, "no room, no places");
    } catch (const std::out_of_range &) {
      continue;
    }
  }
}

}  // namespace

std::vector<Case> storm_cases() {
  return {{"storm: every kind", storms_of_every_kind},
          {"storm: paused and run again", pauses},
          {"storm: refused", who_is_refused_ends},
          {"storm: no port left", no_port_left_is_an_error},
          {"storm: too few descriptors", too_few_descriptors_are_an_error},
          {"storm: clients that do not play along", clients_that_do_not_play_along},
          {"storm: no place is free", no_place_is_free},
          {"storm: servers that do not play along", servers_that_do_not_play_along},
          {"storm: no room", no_room}};
}

}  // namespace trial
