// connect_transact and accept_transact.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "buffers.hpp"
#include "cases.hpp"
#include "connections.hpp"
#include "ends.hpp"

namespace trial {
namespace {

using pathgauge::Buffers;
using pathgauge::make_connect_plan;
using pathgauge::Order;
using pathgauge::SocketOption;
using pathgauge::Transfer;

void transact(const char *address, std::size_t question, std::size_t answer, std::uint16_t low, std::uint16_t high) {
  const Desk desk;
  const Descriptor listener = listening(std::string(address) == "::1");
  const bool talks = question != 0;
  Buffers asked({.size = question + 1});
  Buffers heard({.size = question + 1});
  Buffers said({.size = answer + 1});
  Buffers got({.size = answer + 1});
  const auto plan = make_connect_plan(address, address, port_of(listener), low, high,
                                      {SocketOption{.level = IPPROTO_TCP, .name = TCP_NODELAY, .value = 1},
                                       SocketOption{.level = -1, .name = 1 << 30, .value = -1}});
  Transfer asking = over(listener, Wire::tcp);
  asking.fd = -1;
  asking.record = true;
  asking.limit = 30;
  give_order(desk[0], Order::run);
  Job server(desk[1], [&] {
    return accept_transact(desk[1], over(listener, Wire::tcp), talks ? &heard : nullptr, talks ? &said : nullptr);
  });
  Job client(desk[0],
             [&] { return connect_transact(desk[0], asking, plan, talks ? &asked : nullptr, talks ? &got : nullptr); });
  const std::uint32_t edge = ask_edge(desk[0]);
  std::ignore = wait_edge(desk[0], edge, 1);  // it may have ended before
  require(client.finish() == 0 && desk[0].transactions.load() == 30, "thirty connections");
  require(server.stop() == 0 && desk[1].transactions.load() == 30, "as many at the server");
}

void connections_of_every_kind() {
  transact("127.0.0.1", 0, 0, 0, 0);
  transact("127.0.0.1", 1, 1, 0, 0);
  transact("127.0.0.1", 100000, 300000, 0, 0);
  transact("127.0.0.1", 3, 3, 21000, 21200);
  transact("127.0.0.1", 3, 3, 65500, 65535);
  transact("::1", 3, 3, 0, 0);
  transact("::1", 0, 0, 22000, 22200);
}

void no_port_left_is_an_error() {
  const Desk desk(1);
  const Descriptor taken = listening();
  const std::uint16_t port = port_of(taken);
  const auto plan = make_connect_plan("127.0.0.1", "127.0.0.1", port, port, port, {});
  give_order(desk[0], Order::run);
  Transfer asking = over(taken, Wire::tcp);
  Job job(desk[0], [&] { return connect_transact(desk[0], asking, plan, nullptr, nullptr); });
  require(job.finish() == EADDRINUSE, "the range is tried through once");
}

void who_is_refused_ends() {
  const Desk desk(1);
  std::uint16_t port = 0;
  {
    const Descriptor closed = listening();
    port = port_of(closed);
  }
  const auto plan = make_connect_plan("127.0.0.1", "127.0.0.1", port, 0, 0, {});
  give_order(desk[0], Order::run);
  Transfer asking;
  asking.deadline_ns = after(10);
  Job job(desk[0], [&] { return connect_transact(desk[0], asking, plan, nullptr, nullptr); });
  require(job.finish() == ECONNREFUSED, "it is said");
}

void plans_that_make_no_sense() {
  const std::string four = "127.0.0.1";
  const std::string ports(100, '9');
  int refused = 0;
  const auto refuse = [&](const std::string &local, const std::string &remote, std::uint16_t low, std::uint16_t high) {
    try {
      std::ignore = make_connect_plan(local, remote, 1, low, high, {});
    } catch (const std::invalid_argument &) {
      ++refused;
    }
  };
  refuse(four, "::1", 0, 0);
  refuse("", four, 0, 0);
  refuse(four, "localhost", 0, 0);
  refuse(four, std::string(100000, 'a'), 0, 0);
  refuse(ports, ports, 0, 0);
  refuse(four, four, 5, 4);
  refuse(four, four, 0, 4);
  require(refused == 7, "each is refused");
}

// What a server has to stand: silence, halves, resets, and many of them.
void clients_that_do_not_play_along() {
  const Desk desk;
  const Descriptor listener = listening();
  Buffers heard({.size = 100});
  Buffers said({.size = 1000});
  Job server(desk[0], [&] { return accept_transact(desk[0], over(listener, Wire::tcp), &heard, &said); });
  const auto connect_to = [&] {
    Descriptor made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port_of(listener));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto *general = reinterpret_cast<const sockaddr *>(&where);  // NOLINT(*-reinterpret-cast)
    require(connect(made.get(), general, sizeof(where)) == 0, "connected");
    return made;
  };
  for (int turn = 0; turn < 40; ++turn) {
    Descriptor client = connect_to();
    const std::string half(static_cast<std::size_t>(turn) * 4, 'x');  // up to more than a question
    std::ignore = send(client.get(), half.data(), half.size(), MSG_NOSIGNAL);
    if (turn % 2 == 0) {
      client.abort();
    }
  }
  const Descriptor silent = connect_to();
  nap(5000);
  require(server.stop() == 0, "a nudge ends it, whoever is silent");
}

// The peer of connect_transact listens, but never accepts, or never closes.
void servers_that_do_not_play_along() {
  const Desk desk(1);
  const Descriptor listener = listening();
  Buffers asked({.size = 10});
  Buffers got({.size = 10});
  const auto plan = make_connect_plan("127.0.0.1", "127.0.0.1", port_of(listener), 0, 0, {});
  give_order(desk[0], Order::run);
  Job talker(desk[0], [&] { return connect_transact(desk[0], over(listener, Wire::tcp), plan, &asked, &got); });
  nap(5000);
  require(talker.stop() == 0, "it waits for an answer until it is told to quit");
  reset(desk[0]);
  give_order(desk[0], Order::run);
  Job silent(desk[0], [&] { return connect_transact(desk[0], over(listener, Wire::tcp), plan, nullptr, nullptr); });
  nap(5000);
  require(silent.stop() == 0, "it waits for the close until it is told to quit");
}

}  // namespace

std::vector<Case> connection_cases() {
  return {
      {"connections: every kind", connections_of_every_kind},
      {"connections: no port left", no_port_left_is_an_error},
      {"connections: refused", who_is_refused_ends},
      {"connections: plans that make no sense", plans_that_make_no_sense},
      {"connections: clients that do not play along", clients_that_do_not_play_along},
      {"connections: servers that do not play along", servers_that_do_not_play_along},
  };
}

}  // namespace trial
