#include "exchange.hpp"

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>

namespace pathgauge {

bool is_timeout(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

bool is_datagram_loss(int error) { return error == ENOBUFS || error == ECONNREFUSED || is_timeout(error); }

Outcome send_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers, const std::byte *buffer) {
  const std::size_t size = buffers.size();
  std::size_t gone = 0;
  do {
    const ssize_t part = send(transfer.fd, buffer + gone, size - gone, MSG_NOSIGNAL);
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
    if (gone < size && (meter.quitting() || meter.expired())) {
      return Outcome::closed;
    }
  } while (gone < size);
  return Outcome::done;
}

Outcome receive_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers, std::byte *buffer) {
  const std::size_t size = buffers.size();
  const int flags = transfer.spin ? MSG_DONTWAIT : 0;
  const std::uint64_t start = transfer.patience_ns != 0 ? read_clock(CLOCK_MONOTONIC_COARSE) : 0;
  const auto patient = [&] {
    return transfer.spin &&
           (transfer.patience_ns == 0 || read_clock(CLOCK_MONOTONIC_COARSE) < start + transfer.patience_ns);
  };
  std::size_t come = 0;
  do {
    const ssize_t part = recv(transfer.fd, buffer + come, size - come, flags);
    if (part > 0 || (part == 0 && transfer.datagrams && !transfer.marked && !meter.quitting())) {
      meter.received(static_cast<std::size_t>(part));
      come += static_cast<std::size_t>(part);
      if (transfer.datagrams) {
        return Outcome::done;
      }
      if (come < size) {  // however slowly the rest drips in
        meter.look();
        if (meter.quitting() || meter.expired()) {
          return Outcome::closed;
        }
      }
    } else if (part == 0) {
      return Outcome::closed;
    } else if (!is_timeout(errno) && !(transfer.datagrams && errno == ECONNREFUSED)) {
      return Outcome::failed;
    } else if (meter.quitting() || meter.expired()) {
      return Outcome::closed;
    } else if (transfer.datagrams && !patient()) {
      return Outcome::again;
    } else {
      meter.look();
    }
  } while (come < size);
  return Outcome::done;
}

int ending(Meter &meter, Outcome outcome) {
  return meter.end(outcome == Outcome::failed && !meter.quitting() ? errno : 0);
}

}  // namespace pathgauge
