#include "methods.hpp"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "exchange.hpp"
#include "meter.hpp"
#include "streaming.hpp"

namespace pathgauge {
namespace {

constexpr int poll_ms = 10;                      // within which a loop that waits for completions looks at its orders
constexpr std::uint64_t completions_every = 16;  // sends after which completions are read: a call costs, room is scarce
constexpr std::size_t room_for_control = 128;

// A pipe that holds `bytes` if the kernel grants it, else what pipes hold by default. Without one: -1, errno in
// `error`.
class Pipe {
 public:
  explicit Pipe(std::size_t bytes) {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      error_ = errno;
      return;
    }
    fcntl(out(), F_SETPIPE_SZ, static_cast<int>(std::min<std::size_t>(bytes, most_)));
  }
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) {
        close(end);
      }
    }
  }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;
  Pipe(Pipe &&) = delete;
  Pipe &operator=(Pipe &&) = delete;
  [[nodiscard]] int in() const { return ends_[1]; }
  [[nodiscard]] int out() const { return ends_[0]; }
  [[nodiscard]] int error() const { return error_; }

 private:
  static constexpr std::size_t most_ = std::size_t{1} << 30U;
  std::array<int, 2> ends_{-1, -1};
  int error_ = 0;
};

// A loop that could not begin.
int unable(Slot &slot, const Transfer &transfer, int error) { return Meter(slot, transfer).end(error); }

// The control data of one received message.
struct Control {
  alignas(cmsghdr) std::array<std::byte, room_for_control> room;
};

// The MSG_ZEROCOPY sends of a socket whose completions have not been read yet. The kernel keeps them in an error queue
// of little room; each notice is of a range of sends.
class Completions {
 public:
  explicit Completions(int fd) : fd_(fd) {}

  [[nodiscard]] bool outstanding() const { return outstanding_ > 0; }

  void sent(Meter &meter) {
    if (++outstanding_ % completions_every == 0) {
      read(meter);
    }
  }

  // Sleeps for a moment, or until there is something to read.
  void await(Meter &meter) {
    pollfd queue{.fd = fd_, .events = 0, .revents = 0};
    poll(&queue, 1, poll_ms);
    read(meter);
  }

 private:
  void read(Meter &meter) {
    Control control{};
    while (true) {
      msghdr header{};
      header.msg_control = control.room.data();
      header.msg_controllen = control.room.size();
      if (recvmsg(fd_, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
        return;
      }
      for (cmsghdr *part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        take(*part, meter);
      }
    }
  }

  void take(cmsghdr &part, Meter &meter) {
    const bool errors = (part.cmsg_level == SOL_IP && part.cmsg_type == IP_RECVERR) ||
                        (part.cmsg_level == SOL_IPV6 && part.cmsg_type == IPV6_RECVERR);
    if (!errors || part.cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) {
      return;
    }
    sock_extended_err said{};
    std::memcpy(&said, CMSG_DATA(&part), sizeof(said));
    if (said.ee_origin == SO_EE_ORIGIN_ZEROCOPY) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): the kernel's union, of two names for one number
      const std::uint32_t sends = said.ee_data - said.ee_info + 1;
      outstanding_ -= std::min<std::uint64_t>(sends, outstanding_);
      meter.completed(sends, (said.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0 ? sends : 0);
    }
  }

  int fd_;
  std::uint64_t outstanding_ = 0;
};

// The size of the datagrams that the kernel put together, 0 where it did not.
std::size_t coalesced_size(msghdr &header) {
  for (cmsghdr *part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(part), sizeof(size));
      return static_cast<std::size_t>(std::max(size, 0));
    }
  }
  return 0;
}

}  // namespace

int send_spliced(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  const std::size_t size = buffers.size();
  const Pipe whole(size);
  const Pipe part(size);
  if (whole.error() != 0 || part.error() != 0) {
    return unable(slot, transfer, std::max(whole.error(), part.error()));
  }
  const iovec page{.iov_base = buffers.current(), .iov_len = size};
  if (vmsplice(whole.in(), &page, 1, SPLICE_F_NONBLOCK) != static_cast<ssize_t>(size)) {
    return unable(slot, transfer, ENOBUFS);  // the pipe is smaller than a message
  }
  std::size_t left = 0;  // of the message at hand
  return send_by(slot, transfer, [&](Meter & /*meter*/) {
    if (left == 0) {
      const ssize_t doubled = tee(whole.out(), part.in(), size, SPLICE_F_NONBLOCK);
      if (doubled < 0) {
        return Moved{.bytes = -1};
      }
      left = static_cast<std::size_t>(doubled);
    }
    const ssize_t gone = splice(part.out(), nullptr, transfer.fd, nullptr, left, SPLICE_F_MOVE);
    if (gone < 0) {
      return Moved{.bytes = -1};
    }
    left -= static_cast<std::size_t>(gone);
    return Moved{.bytes = gone, .messages = left == 0 ? 1U : 0U};
  });
}

int send_zerocopy(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  Completions completions(transfer.fd);
  return send_by(slot, transfer, [&](Meter &meter) {
    const ssize_t part = send(transfer.fd, buffers.current(), buffers.size(), MSG_NOSIGNAL | MSG_ZEROCOPY);
    if (part < 0) {
      if (errno == ENOBUFS && completions.outstanding()) {  // no room for one more that is not completed
        completions.await(meter);
        errno = EAGAIN;
      }
      return Moved{.bytes = -1};
    }
    buffers.advance();
    completions.sent(meter);
    return Moved{.bytes = part, .messages = 1};
  });
}

int send_batches(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  std::array<mmsghdr, most_at_once> batch{};
  std::array<iovec, most_at_once> places{};
  for (std::size_t place = 0; place < batch.size(); ++place) {
    places[place].iov_len = buffers.size();
    batch[place].msg_hdr.msg_iov = &places[place];
    batch[place].msg_hdr.msg_iovlen = 1;
  }
  return send_by(slot, transfer, [&](Meter & /*meter*/) {
    for (iovec &place : places) {
      place.iov_base = buffers.current();
      buffers.advance();
    }
    const int gone = sendmmsg(transfer.fd, batch.data(), most_at_once, MSG_NOSIGNAL);
    if (gone < 0) {
      return Moved{.bytes = -1, .lost = 1};
    }
    const auto messages = static_cast<std::uint64_t>(gone);
    // The call ends at the first that is refused, and does not say why.
    return Moved{
        .bytes = static_cast<ssize_t>(messages * buffers.size()),
        .messages = messages,
        .lost = messages < most_at_once ? 1U : 0U,
    };
  });
}

int send_segments(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  const std::uint64_t segments = transfer.segment == 0 ? 1 : (buffers.size() + transfer.segment - 1) / transfer.segment;
  return send_by(slot, transfer, [&](Meter & /*meter*/) {
    const ssize_t part = send(transfer.fd, buffers.current(), buffers.size(), MSG_NOSIGNAL);
    buffers.advance();
    return part < 0 ? Moved{.bytes = -1, .lost = segments} : Moved{.bytes = part, .messages = segments};
  });
}

int receive_spliced(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  const std::size_t size = std::min(buffers.size(), most_in_pipe);
  const Pipe between(size);
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (between.error() != 0 || nothing < 0) {
    return unable(slot, transfer, nothing < 0 ? errno : between.error());
  }
  if (transfer.spin || transfer.poll) {  // splice has no flag for it that heeds the socket
    fcntl(transfer.fd, F_SETFL, O_NONBLOCK);
  }
  const int error = receive_by(slot, transfer, [&] {
    const ssize_t come = splice(transfer.fd, nullptr, between.in(), nullptr, size, SPLICE_F_MOVE);
    ssize_t left = come;
    while (left > 0) {
      const ssize_t gone = splice(between.out(), nullptr, nothing, nullptr, static_cast<std::size_t>(left), 0);
      if (gone <= 0 && errno != EINTR) {
        return Moved{.bytes = -1};
      }
      left -= std::max<ssize_t>(gone, 0);
    }
    return Moved{.bytes = come, .messages = come > 0 ? 1U : 0U};
  });
  close(nothing);
  return error;
}

int receive_batches(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  std::array<mmsghdr, most_at_once> batch{};
  iovec place{.iov_base = buffers.current(), .iov_len = buffers.size()};  // one for all: nobody reads it
  for (mmsghdr &one : batch) {
    one.msg_hdr.msg_iov = &place;
    one.msg_hdr.msg_iovlen = 1;
  }
  const int flags = receiving(transfer, MSG_TRUNC | MSG_WAITFORONE);
  bool marked = false;
  return receive_by(slot, transfer, [&] {
    if (marked) {
      return Moved{};
    }
    const int come = recvmmsg(transfer.fd, batch.data(), most_at_once, flags, nullptr);
    Moved moved{.bytes = come < 0 ? -1 : 0};
    for (int one = 0; one < come; ++one) {
      const unsigned size = batch[static_cast<std::size_t>(one)].msg_len;
      if (size == 0 && transfer.marked) {
        marked = true;
        break;
      }
      moved.bytes += size;
      ++moved.messages;
    }
    return moved;
  });
}

int receive_coalesced(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  Control control{};
  iovec place{.iov_base = buffers.current(), .iov_len = buffers.size()};
  const int flags = receiving(transfer, MSG_TRUNC);
  return receive_by(slot, transfer, [&] {
    msghdr header{};
    header.msg_iov = &place;
    header.msg_iovlen = 1;
    header.msg_control = control.room.data();
    header.msg_controllen = control.room.size();
    const ssize_t come = recvmsg(transfer.fd, &header, flags);
    if (come <= 0) {
      return Moved{.bytes = come, .messages = come == 0 && !transfer.marked ? 1U : 0U};
    }
    const auto bytes = static_cast<std::size_t>(come);
    const std::size_t size = coalesced_size(header);
    return Moved{.bytes = come, .messages = size == 0 ? 1 : (bytes + size - 1) / size};
  });
}

}  // namespace pathgauge
