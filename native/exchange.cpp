#include "exchange.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include "calls.hpp"

namespace pathgauge {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t longest_poll_ns = second_ns / 10;

bool is_over(const Meter &meter) { return meter.quitting() || meter.expired(); }

// How long a receive that brought nothing is followed by another: of a stream for ever, of a datagram not at all after
// a receive that slept, and for a while where it did not.
class Patience {
 public:
  explicit Patience(const Transfer &transfer)
      : transfer_(transfer), start_(transfer.patience_ns != 0 ? read_clock(CLOCK_MONOTONIC_COARSE) : 0) {}
  [[nodiscard]] bool left() const {
    if (!transfer_.datagrams || (transfer_.spin && transfer_.patience_ns == 0)) {
      return true;
    }
    return transfer_.spin && read_clock(CLOCK_MONOTONIC_COARSE) < start_ + transfer_.patience_ns;
  }

 private:
  const Transfer &transfer_;
  std::uint64_t start_;
};

}  // namespace

bool is_timeout(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

bool is_datagram_loss(int error) { return error == ENOBUFS || error == ECONNREFUSED || is_timeout(error); }

void await_data(const Meter &meter, const Transfer &transfer) {
  if (transfer.poll || (transfer.spin && meter.order() != Order::run)) {
    pollfd wanted{.fd = transfer.fd, .events = POLLIN, .revents = 0};
    const std::uint64_t patience = transfer.patience_ns == 0 ? longest_poll_ns : transfer.patience_ns;
    const timespec time{
        .tv_sec = static_cast<time_t>(patience / second_ns),
        .tv_nsec = static_cast<std::int64_t>(patience % second_ns),
    };
    ppoll(&wanted, 1, &time, nullptr);
  }
}

Outcome send_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers, const std::byte *buffer) {
  const std::size_t size = buffers.size();
  std::size_t gone = 0;
  do {
    const ssize_t part = sys_send(transfer.fd, buffer + gone, size - gone, MSG_NOSIGNAL);
    if (part >= 0) {
      meter.sent(static_cast<std::size_t>(part));
      gone += static_cast<std::size_t>(part);
    } else if (transfer.datagrams && is_datagram_loss(errno)) {
      meter.lost();
      return Outcome::again;
    } else if (!is_timeout(errno)) {
      return Outcome::failed;
    }
    meter.look();
    if (gone < size && is_over(meter)) {
      return Outcome::closed;
    }
  } while (gone < size);
  return Outcome::done;
}

Outcome receive_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers, std::byte *buffer) {
  const std::size_t size = buffers.size();
  const int flags = receiving(transfer, 0);
  const Patience patience(transfer);
  std::size_t come = 0;
  do {
    await_data(meter, transfer);
    const ssize_t part = sys_receive(transfer.fd, buffer + come, size - come, flags);
    if (part > 0 || (part == 0 && transfer.datagrams && !transfer.marked && !meter.quitting())) {
      meter.received(static_cast<std::size_t>(part));
      come += static_cast<std::size_t>(part);
      if (transfer.datagrams) {
        return Outcome::done;
      }
    } else if (part == 0) {
      return Outcome::closed;
    } else if (!is_timeout(errno) && !(transfer.datagrams && errno == ECONNREFUSED)) {
      return Outcome::failed;
    } else if (!patience.left()) {
      return is_over(meter) ? Outcome::closed : Outcome::again;
    }
    if (come < size) {  // however slowly the rest drips in
      meter.look();
      if (is_over(meter)) {
        return Outcome::closed;
      }
    }
  } while (come < size);
  return Outcome::done;
}

int ending(Meter &meter, Outcome outcome) {
  return meter.end(outcome == Outcome::failed && !meter.quitting() ? errno : 0);
}

}  // namespace pathgauge
