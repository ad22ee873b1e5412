#include "connector.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

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

bool is_port_taken(int error) { return error == EADDRINUSE || error == EADDRNOTAVAIL; }

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

Connector::Connector(const ConnectPlan &plan, bool blocks) : plan_(plan), blocks_(blocks), local_(plan.local) {
  if (plan.low != 0) {
    std::random_device seed;  // so that one run does not begin with the ports that another left in TIME_WAIT
    next_ = std::uniform_int_distribution<std::uint32_t>(plan.low, plan.high)(seed);
  }
}

int Connector::open() {
  const std::uint32_t most = plan_.low == 0 ? 1U : 1U + plan_.high - plan_.low;
  for (std::uint32_t tried = 0; tried < most; ++tried) {
    const int fd = open_from(take_port());
    if (fd >= 0 || !is_port_taken(errno)) {
      return fd;
    }
  }
  return -1;
}

std::uint16_t Connector::take_port() {
  if (plan_.low == 0) {
    return 0;
  }
  const auto port = static_cast<std::uint16_t>(next_);
  next_ = next_ == plan_.high ? plan_.low : next_ + 1;
  return port;
}

int Connector::open_from(std::uint16_t port) {
  const int fd = socket(plan_.remote.ss_family, SOCK_STREAM | SOCK_CLOEXEC | (blocks_ ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) {
    return fd;
  }
  for (const SocketOption &option : plan_.options) {
    setsockopt(fd, option.level, option.name, &option.value, sizeof(option.value));
  }
  set_port(local_, port);
  if (bind(fd, general(local_), plan_.length) != 0 ||
      (connect(fd, general(plan_.remote), plan_.length) != 0 && (blocks_ || errno != EINPROGRESS))) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

}  // namespace pathgauge
