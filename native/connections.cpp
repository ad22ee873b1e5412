#include "connections.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include "exchange.hpp"
#include "meter.hpp"

namespace pathgauge {
namespace {

sockaddr_storage parse(const std::string &text, std::uint16_t port, socklen_t &length) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // a link-local address may have a scope: fe80::1%eth0
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  if (getaddrinfo(text.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    throw std::invalid_argument("no numeric address");
  }
  sockaddr_storage storage{};
  length = found->ai_addrlen;
  std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return storage;
}

// An address as the calls take it.
const sockaddr *general(const sockaddr_storage &storage) {
  return reinterpret_cast<const sockaddr *>(&storage);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

// sin_port and sin6_port lie at the same place.
void set_port(sockaddr_storage &storage, std::uint16_t port) {
  sockaddr_in four{};
  std::memcpy(&four, &storage, sizeof(four));
  four.sin_port = htons(port);
  std::memcpy(&storage, &four, sizeof(four));
}

class Closing {
 public:
  explicit Closing(int fd) : fd_(fd) {}
  ~Closing() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Closing(const Closing &) = delete;
  Closing &operator=(const Closing &) = delete;
  Closing(Closing &&) = delete;
  Closing &operator=(Closing &&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class Connector {
 public:
  explicit Connector(const ConnectPlan &plan) : plan_(plan), local_(plan.local) {
    if (plan.low != 0) {
      std::random_device seed;  // so that one run does not begin with the ports that another left in TIME_WAIT
      next_ = std::uniform_int_distribution<std::uint32_t>(plan.low, plan.high)(seed);
    }
  }

  // A connected socket, or -1 with errno.
  [[nodiscard]] int open() {
    const std::uint32_t most = plan_.low == 0 ? 1U : 1U + plan_.high - plan_.low;
    for (std::uint32_t tried = 0; tried < most; ++tried) {
      const int fd = open_from(take_port());
      if (fd >= 0 || !is_port_taken(errno)) {
        return fd;
      }
    }
    return -1;
  }

 private:
  static bool is_port_taken(int error) { return error == EADDRINUSE || error == EADDRNOTAVAIL; }

  std::uint16_t take_port() {
    if (plan_.low == 0) {
      return 0;
    }
    const auto port = static_cast<std::uint16_t>(next_);
    next_ = next_ == plan_.high ? plan_.low : next_ + 1;
    return port;
  }

  [[nodiscard]] int open_from(std::uint16_t port) {
    const int fd = socket(plan_.remote.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      return fd;
    }
    for (const SocketOption &option : plan_.options) {
      setsockopt(fd, option.level, option.name, &option.value, sizeof(option.value));
    }
    set_port(local_, port);
    if (bind(fd, general(local_), plan_.length) != 0 || connect(fd, general(plan_.remote), plan_.length) != 0) {
      const int error = errno;
      close(fd);
      errno = error;
      return -1;
    }
    return fd;
  }

  const ConnectPlan &plan_;
  sockaddr_storage local_;
  std::uint32_t next_ = 0;
};

// Until the peer has closed.
Outcome await_close(Meter &meter, int fd) {
  char byte = 0;
  while (true) {
    const ssize_t part = recv(fd, &byte, 1, 0);
    if (part == 0) {
      return Outcome::done;
    }
    if (part < 0 && !is_timeout(errno)) {
      return Outcome::failed;
    }
    if (meter.quitting() || meter.expired()) {
      return Outcome::closed;
    }
    meter.look();
  }
}

Transfer over(const Transfer &transfer, int fd) {
  Transfer one = transfer;
  one.fd = fd;
  return one;
}

Outcome ask_once(Meter &meter, const Transfer &transfer, Connector &connector, Buffers *questions, Buffers *answers) {
  const Closing connection(connector.open());
  if (connection.fd() < 0) {
    return is_timeout(errno) ? Outcome::again : Outcome::failed;
  }
  const Transfer one = over(transfer, connection.fd());
  if (questions != nullptr && answers != nullptr) {
    Outcome outcome = send_whole(meter, one, *questions, questions->current());
    if (outcome == Outcome::done) {
      outcome = receive_whole(meter, one, *answers, answers->current());
    }
    if (outcome != Outcome::done) {
      return outcome;
    }
  }
  return await_close(meter, connection.fd());
}

Outcome answer_once(Meter &meter, const Transfer &transfer, Buffers *questions, Buffers *answers) {
  const Closing connection(accept4(transfer.fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (connection.fd() < 0) {
    return is_timeout(errno) || errno == ECONNABORTED ? Outcome::again : Outcome::failed;
  }
  if (questions == nullptr || answers == nullptr) {
    return Outcome::done;
  }
  const Transfer one = over(transfer, connection.fd());
  Outcome outcome = receive_whole(meter, one, *questions, questions->current());
  if (outcome == Outcome::done) {
    outcome = send_whole(meter, one, *answers, answers->current());
  }
  // A client that went away in the middle ends its own connection, not the test.
  return outcome == Outcome::done ? Outcome::done : Outcome::again;
}

}  // namespace

ConnectPlan make_connect_plan(const std::string &local, const std::string &remote, std::uint16_t port,
                              std::uint16_t low, std::uint16_t high, std::vector<SocketOption> options) {
  ConnectPlan plan;
  socklen_t length = 0;
  plan.local = parse(local, 0, length);
  plan.remote = parse(remote, port, plan.length);
  if (length != plan.length || low > high || (low == 0 && high != 0)) {
    throw std::invalid_argument("addresses of one family, and ports from low to high");
  }
  plan.low = low;
  plan.high = high;
  plan.options = std::move(options);
  return plan;
}

int connect_transact(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Buffers *questions,
                     Buffers *answers) {
  Meter meter(slot, transfer);
  Connector connector(plan);
  while (meter.await_run() && !meter.expired() && !meter.transacted_all()) {
    meter.keep_pace();
    if (!meter.await_turn()) {
      meter.look();
      continue;
    }
    const std::uint64_t start = meter.due() != 0 ? meter.due() : read_clock(CLOCK_MONOTONIC);
    const Outcome outcome = ask_once(meter, transfer, connector, questions, answers);
    if (outcome == Outcome::failed) {
      return ending(meter, outcome);
    }
    if (outcome == Outcome::done) {
      meter.transacted();
      meter.took(read_clock(CLOCK_MONOTONIC) - start);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

int accept_transact(Slot &slot, const Transfer &transfer, Buffers *questions, Buffers *answers) {
  Meter meter(slot, transfer);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting() && !meter.transacted_all()) {
    const Outcome outcome = answer_once(meter, transfer, questions, answers);
    if (outcome == Outcome::failed) {
      return ending(meter, outcome);
    }
    if (outcome == Outcome::done) {
      meter.transacted();
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
