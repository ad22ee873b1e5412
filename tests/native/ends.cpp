#include "ends.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

#include "meter.hpp"

namespace trial {
namespace {

constexpr double patience = 20;  // seconds; a sanitizer is slow, a busy machine slower
constexpr double second_ns = 1e9;

std::string at(const std::source_location &where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": ";
}

void check(int result, const char *call) {
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(), call);
  }
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] sockaddr *general() {
    return reinterpret_cast<sockaddr *>(&storage);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  }
};

Address loopback(bool ipv6) {
  Address made;
  if (ipv6) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    made.length = sizeof(six);
    std::memcpy(&made.storage, &six, sizeof(six));
  } else {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    made.length = sizeof(four);
    std::memcpy(&made.storage, &four, sizeof(four));
  }
  return made;
}

Address name_of(const Descriptor &socket) {
  Address made;
  made.length = sizeof(made.storage);
  check(getsockname(socket.get(), made.general(), &made.length), "getsockname");
  return made;
}

Descriptor bound(int type, bool ipv6) {
  Descriptor made(socket(ipv6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
  Address address = loopback(ipv6);
  check(bind(made.get(), address.general(), address.length), "bind");
  return made;
}

void connect_to(const Descriptor &socket, const Descriptor &peer) {
  Address address = name_of(peer);
  check(connect(socket.get(), address.general(), address.length), "connect");
}

Pair of_the_kernel(int type) {
  std::array<int, 2> both{-1, -1};
  check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, both.data()), "socketpair");
  return Pair{.one = Descriptor(both[0]), .two = Descriptor(both[1])};
}

}  // namespace

void require(bool held, const char *what, const std::source_location &where) {
  if (!held) {
    throw std::runtime_error(at(where) + what);
  }
}

Descriptor::Descriptor(int fd) : fd_(fd) { check(fd, "no descriptor"); }

void Descriptor::reset() {
  if (fd_ >= 0) {
    close(std::exchange(fd_, -1));
  }
}

void Descriptor::abort() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  reset();
}

Pair connected(Wire wire) {
  if (wire == Wire::local) {
    return of_the_kernel(SOCK_STREAM);
  }
  if (wire == Wire::udp) {
    Pair made{.one = bound(SOCK_DGRAM, false), .two = bound(SOCK_DGRAM, false)};
    connect_to(made.one, made.two);
    connect_to(made.two, made.one);
    return made;
  }
  const Descriptor listener = listening();
  Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  connect_to(client, listener);
  return Pair{.one = std::move(client), .two = Descriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))};
}

void allow(const Descriptor &socket, int level, int option, int value) {
  check(setsockopt(socket.get(), level, option, &value, sizeof(value)), "setsockopt");
}

Pair packets(int room) {
  Pair made = of_the_kernel(SOCK_SEQPACKET | SOCK_NONBLOCK);
  for (const Descriptor *each : {&made.one, &made.two}) {
    allow(*each, SOL_SOCKET, SO_SNDBUF, room);
  }
  return made;
}

Descriptor listening(bool ipv6) {
  Descriptor made = bound(SOCK_STREAM, ipv6);
  check(listen(made.get(), 16), "listen");
  return made;
}

std::uint16_t port_of(const Descriptor &socket) {
  const Address address = name_of(socket);
  sockaddr_in four{};  // sin_port and sin6_port lie at the same place
  std::memcpy(&four, &address.storage, sizeof(four));
  return ntohs(four.sin_port);
}

void keep_awake(const Descriptor &socket) { check(fcntl(socket.get(), F_SETFL, O_NONBLOCK), "fcntl"); }

void limit_wait(const Descriptor &socket, unsigned milliseconds) {
  const timeval limit{.tv_sec = milliseconds / 1000, .tv_usec = static_cast<suseconds_t>(milliseconds) % 1000 * 1000};
  check(setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "SO_RCVTIMEO");
  check(setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), "SO_SNDTIMEO");
}

Descriptor memory(std::size_t bytes) {
  Descriptor made(memfd_create("trial", MFD_CLOEXEC));
  check(ftruncate(made.get(), static_cast<off_t>(bytes)), "ftruncate");
  return made;
}

std::uint64_t after(double seconds) {
  return pathgauge::read_clock(CLOCK_MONOTONIC) + static_cast<std::uint64_t>(seconds * second_ns);
}

pathgauge::Transfer over(const Descriptor &socket, Wire wire, double seconds) {
  pathgauge::Transfer made;
  made.fd = socket.get();
  made.datagrams = wire == Wire::udp;
  made.deadline_ns = after(seconds);
  return made;
}

void nap(unsigned microseconds) { std::this_thread::sleep_for(std::chrono::microseconds(microseconds)); }

void await(const std::function<bool()> &holds, const char *what, const std::source_location &where) {
  const std::uint64_t end = after(patience);
  while (!holds()) {
    require(pathgauge::read_clock(CLOCK_MONOTONIC) < end, what, where);
    nap(200);
  }
}

Desk::Desk(std::size_t slots, std::size_t flows)
    : memory_(memory(pathgauge::Board::bytes(slots, flows))), board_(memory_.get(), slots, flows) {}

Job::Job(pathgauge::Slot &slot, std::function<int()> loop)
    : slot_(slot), thread_([this, work = std::move(loop)] {
        result_ = work();
        over_.store(true, std::memory_order_release);
      }) {}

Job::~Job() {
  if (thread_.joinable()) {
    give_order(slot_, pathgauge::Order::quit);
    join(true, std::source_location::current());
  }
}

int Job::finish(const std::source_location &where) { return join(false, where); }

int Job::stop(const std::source_location &where) {
  give_order(slot_, pathgauge::Order::quit);
  return join(true, where);
}

int Job::shut(const Descriptor &socket, const std::source_location &where) {
  give_order(slot_, pathgauge::Order::quit);
  shutdown(socket.get(), SHUT_RDWR);
  return join(false, where);
}

int Job::join(bool nudging, const std::source_location &where) {
  const std::uint64_t end = after(patience);
  while (!over_.load(std::memory_order_acquire)) {
    if (pathgauge::read_clock(CLOCK_MONOTONIC) >= end) {
      std::fprintf(stderr, "FAILED %sa loop does not end\n", at(where).c_str());
      std::_Exit(1);
    }
    if (nudging) {
      nudge(slot_);
    }
    nap(500);
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  return result_;
}

}  // namespace trial
