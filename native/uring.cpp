#include "uring.hpp"

#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "exchange.hpp"
#include "meter.hpp"
#include "ring.hpp"
#include "streaming.hpp"

namespace pathgauge {
namespace {

constexpr unsigned most_in_flight = 64;
constexpr std::size_t most_bytes_at_once = std::size_t{128} << 10U;
constexpr unsigned room_for_answers = 1024;
constexpr unsigned of_one = MSG_NOSIGNAL;
constexpr unsigned of_whole = of_one | static_cast<unsigned>(MSG_WAITALL);  // for all of it, should that take a while

// So many are handed over at once: the more, the fewer calls; but an edge waits for all of them where the wire is slow.
unsigned at_once(const Transfer &transfer, const Buffers &buffers) {
  const std::size_t fitting = std::clamp<std::size_t>(most_bytes_at_once / buffers.size(), 1, most_in_flight);
  return transfer.period_ns > 0 ? 1 : static_cast<unsigned>(fitting);
}

// Sends some messages at once and sees them through. Only those that are not copied come from locked memory: a copy
// looks no pages up that locking could spare it.
class Sender {
 public:
  Sender(const Transfer &transfer, Buffers &buffers, bool zerocopy)
      : transfer_(transfer),
        buffers_(buffers),
        zerocopy_(zerocopy),
        at_once_(at_once(transfer, buffers)),
        ring_(transfer.fd, most_in_flight, room_for_answers),
        error_(ring_.error() != 0 || !zerocopy ? ring_.error() : ring_.lock(buffers.whole())) {}

  [[nodiscard]] int error() const { return error_; }

  // Returns when all have gone or one has failed, or when the loop is to end; edges are taken meanwhile.
  Moved send(Meter &meter) {
    hand_over();
    while (in_flight_ > 0) {
      if (const int error = ring_.enter(in_flight_); error != 0) {
        errno = error;
        return Moved{.bytes = -1};
      }
      take(meter);
      meter.look();
      if (in_flight_ > 0 && (meter.quitting() || meter.expired())) {
        break;
      }
    }
    errno = std::exchange(failed_, 0);
    return Moved{.bytes = errno == 0 ? 0 : -1};
  }

 private:
  using Part = std::span<std::byte>;  // of a buffer

  void hand_over() {
    for (; in_flight_ < at_once_; ++in_flight_) {
      Part &part = parts_[in_flight_];
      part = std::exchange(rest_, Part{});
      if (part.empty()) {
        part = Part{buffers_.current(), buffers_.size()};
        buffers_.advance();
      }
      const io_uring_op operation = zerocopy_ ? IORING_OP_SEND_ZC : IORING_OP_SEND;
      io_uring_sqe &request = ring_.ask(operation, part, transfer_.datagrams ? of_one : of_whole);
      request.user_data = in_flight_;
      request.ioprio = zerocopy_ ? IORING_RECVSEND_FIXED_BUF | IORING_SEND_ZC_REPORT_USAGE : 0;
      // In order, and none after one that did not go whole.
      request.flags |= !transfer_.datagrams && in_flight_ + 1 < at_once_ ? IOSQE_IO_LINK : 0;
    }
  }

  void take(Meter &meter) {
    io_uring_cqe answer{};
    while (ring_.take(answer)) {
      if ((answer.flags & IORING_CQE_F_NOTIF) != 0) {
        const bool copied = (static_cast<std::uint32_t>(answer.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
        meter.completed(1, copied ? 1 : 0);
        continue;
      }
      --in_flight_;
      if (answer.res >= 0) {
        gone(meter, parts_[answer.user_data], static_cast<std::size_t>(answer.res));
      } else if (answer.res != -ECANCELED) {
        failed_ = -answer.res;
        if (transfer_.datagrams) {
          meter.lost();
        }
      }
    }
  }

  void gone(Meter &meter, const Part &part, std::size_t bytes) {
    meter.sent(bytes, bytes == part.size() ? 1 : 0);
    rest_ = part.subspan(bytes);
  }

  const Transfer &transfer_;
  Buffers &buffers_;
  bool zerocopy_;
  unsigned at_once_;
  unsigned in_flight_ = 0;
  int failed_ = 0;
  Part rest_;  // of a message that went in part
  std::array<Part, most_in_flight> parts_;
  Ring ring_;
  int error_;
};

int send_some(Slot &slot, const Transfer &transfer, Buffers &buffers, bool zerocopy) {
  Sender sender(transfer, buffers, zerocopy);
  if (sender.error() != 0) {
    return Meter(slot, transfer).end(sender.error());
  }
  return send_by(slot, transfer, [&](Meter &meter) { return sender.send(meter); });
}

// One request to receive that goes on until the buffers, the stream or its luck run out; then another.
class Receiver {
 public:
  Receiver(const Transfer &transfer, Buffers &buffers)
      : transfer_(transfer),
        buffers_(buffers),
        ring_(transfer.fd, 1, room_for_answers),
        lent_(ring_, buffers),
        wanted_(transfer.spin || transfer.poll ? 0 : 1) {}

  [[nodiscard]] int error() const { return ring_.error() != 0 ? ring_.error() : lent_.error(); }

  Moved receive() {
    if (!asked_) {
      ask();
    }
    if (const int error = ring_.enter(wanted_); error != 0) {
      errno = error;
      return Moved{.bytes = -1};
    }
    const Moved moved = take();
    if (moved.messages > 0 || ended_) {
      return moved;
    }
    if (failed_ != 0 || transfer_.spin || transfer_.datagrams) {
      errno = failed_ != 0 ? std::exchange(failed_, 0) : EAGAIN;
      return Moved{.bytes = -1};
    }
    // Nudged, or time has passed: what lies below the mark of low water is fetched by hand.
    const ssize_t come = recv(transfer_.fd, buffers_.current(), buffers_.size(), MSG_DONTWAIT);
    return Moved{.bytes = come, .messages = come > 0 ? 1U : 0U};
  }

 private:
  void ask() {
    // A datagram counts whole, however small the buffer.
    io_uring_sqe &request = ring_.ask(IORING_OP_RECV, {}, transfer_.datagrams ? MSG_TRUNC : 0);
    request.flags |= IOSQE_BUFFER_SELECT;
    request.ioprio = IORING_RECV_MULTISHOT;
    asked_ = true;
  }

  Moved take() {
    Moved moved;
    io_uring_cqe answer{};
    while (ring_.take(answer)) {
      if ((answer.flags & IORING_CQE_F_MORE) == 0) {
        asked_ = false;
      }
      if ((answer.flags & IORING_CQE_F_BUFFER) != 0) {
        lent_.give(static_cast<std::uint16_t>(answer.flags >> IORING_CQE_BUFFER_SHIFT));
      }
      if (answer.res < 0) {
        failed_ = answer.res == -ENOBUFS ? failed_ : -answer.res;
      } else if (answer.res == 0 && (!transfer_.datagrams || transfer_.marked)) {
        ended_ = true;
      } else {
        moved.bytes += answer.res;
        ++moved.messages;
      }
    }
    return moved;
  }

  const Transfer &transfer_;
  Buffers &buffers_;
  Ring ring_;
  Lent lent_;
  unsigned wanted_;
  bool asked_ = false;
  bool ended_ = false;
  int failed_ = 0;
};

}  // namespace

int send_ring(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  return send_some(slot, transfer, buffers, false);
}

int send_ring_zerocopy(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  return send_some(slot, transfer, buffers, true);
}

int receive_ring(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  Receiver receiver(transfer, buffers);
  if (receiver.error() != 0) {
    return Meter(slot, transfer).end(receiver.error());
  }
  return receive_by(slot, transfer, [&] { return receiver.receive(); });
}

}  // namespace pathgauge
