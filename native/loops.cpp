#include "loops.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <new>
#include <vector>

namespace pathgauge {
namespace {

constexpr std::size_t page_size = 4096;
constexpr double idle_seconds = 0.1;  // how often a paused loop looks at its deadline

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

// On page boundaries, where the kernel copies fastest.
template <typename T>
struct PageAllocator {
  using value_type = T;
  static T *allocate(std::size_t count) {
    return static_cast<T *>(::operator new(count * sizeof(T), std::align_val_t{page_size}));
  }
  static void deallocate(T *memory, std::size_t count) noexcept {
    ::operator delete(memory, count * sizeof(T), std::align_val_t{page_size});
  }
  bool operator==(const PageAllocator &) const = default;
};

using Buffer = std::vector<std::byte, PageAllocator<std::byte>>;

Buffer make_buffer(std::size_t size) {
  Buffer buffer(std::max<std::size_t>(size, 1));
  std::uint32_t word = 0x9e3779b9U;
  for (auto &byte : buffer) {  // touched and not all alike, so that no page is the shared zero page
    word = word * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(word >> 24U);
  }
  return buffer;
}

// A loop's view of its slot: counters kept locally and stored, never read back.
class Meter {
 public:
  Meter(Slot &slot, const Transfer &transfer) : slot_(slot), transfer_(transfer) { begin_work(slot); }

  [[nodiscard]] Order order() const { return static_cast<Order>(slot_.order.load(std::memory_order_acquire)); }
  [[nodiscard]] bool quitting() const { return order() == Order::quit; }

  [[nodiscard]] bool expired() const { return read_clock(CLOCK_MONOTONIC_COARSE) >= transfer_.deadline_ns; }

  void sent(std::size_t bytes) {
    add(slot_.bytes_sent, bytes_sent_, bytes);
    add(slot_.messages_sent, messages_sent_, 1);
  }
  void received(std::size_t bytes) {
    add(slot_.bytes_received, bytes_received_, bytes);
    add(slot_.messages_received, messages_received_, 1);
  }
  void transacted() { add(slot_.transactions, transactions_, 1); }
  void took(std::uint64_t nanoseconds) {
    if ((edge_ & 1U) != 0) {  // between an odd and an even edge lies a slice
      ++slot_.histogram[histogram_index(nanoseconds)];
    }
  }
  void lost() { add(slot_.lost, lost_, 1); }

  // Takes the edge that was asked for, if one was, and says whether.
  bool look() {
    const std::uint32_t asked = slot_.edge_asked.load(std::memory_order_acquire);
    if (asked == edge_) [[likely]] {
      return false;
    }
    take_edge(asked);
    return true;
  }

  // Blocks while the order is `pause`; false when there is nothing more to do.
  [[nodiscard]] bool await_run() {
    if (order() == Order::run) {
      return true;
    }
    publish_state(slot_, State::paused);
    while (order() == Order::pause && !expired()) {
      look();
      wait_order(slot_, Order::pause, idle_seconds);
    }
    publish_state(slot_, State::running);
    return order() == Order::run;
  }

  int end(int error) {
    if (error != 0) {
      slot_.error.store(static_cast<std::uint32_t>(error), std::memory_order_release);
    }
    publish_state(slot_, State::ended);
    return error;
  }

 private:
  static void add(std::atomic<std::uint64_t> &shared, std::uint64_t &mine, std::uint64_t amount) {
    mine += amount;
    shared.store(mine, std::memory_order_relaxed);
  }

  void take_edge(std::uint32_t asked) {
    Edge &edge = slot_.edges[(asked + 1) % 2];
    edge.time_ns = read_clock(CLOCK_MONOTONIC);
    edge.cpu_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    edge.bytes_sent = bytes_sent_;
    edge.bytes_received = bytes_received_;
    edge.messages_sent = messages_sent_;
    edge.messages_received = messages_received_;
    edge.transactions = transactions_;
    auto size = static_cast<socklen_t>(transfer_.datagrams ? 0 : edge.tcp_info.size());
    if (size != 0 && getsockopt(transfer_.fd, IPPROTO_TCP, TCP_INFO, edge.tcp_info.data(), &size) != 0) {
      size = 0;
    }
    edge.tcp_info_size = size;
    edge_ = asked;
    publish_edge(slot_, asked);
  }

  Slot &slot_;
  const Transfer &transfer_;
  std::uint32_t edge_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_received_ = 0;
  std::uint64_t transactions_ = 0;
  std::uint64_t lost_ = 0;
};

bool is_timeout(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// What a datagram's sender survives: no room, or word that an earlier datagram found nobody.
bool is_datagram_loss(int error) { return error == ENOBUFS || error == ECONNREFUSED || is_timeout(error); }

enum class Outcome : std::uint8_t { done, again, closed, failed };

// One whole message of a stream: part after part until all has gone. `again` where a datagram was lost or time ran out.
Outcome send_whole(Meter &meter, const Transfer &transfer, const std::byte *buffer, std::size_t size) {
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

Outcome receive_whole(Meter &meter, const Transfer &transfer, std::byte *buffer, std::size_t size) {
  std::size_t come = 0;
  do {
    const ssize_t part = recv(transfer.fd, buffer + come, size - come, 0);
    if (part > 0 || (part == 0 && transfer.datagrams && !meter.quitting())) {
      meter.received(static_cast<std::size_t>(part));
      come += static_cast<std::size_t>(part);
      if (transfer.datagrams) {
        return Outcome::done;
      }
    } else if (part == 0) {
      return Outcome::closed;
    } else if (!is_timeout(errno) && !(transfer.datagrams && errno == ECONNREFUSED)) {
      return Outcome::failed;
    } else if (meter.quitting() || meter.expired()) {
      return Outcome::closed;
    } else if (transfer.datagrams) {
      return Outcome::again;
    } else {
      meter.look();
    }
  } while (come < size);
  return Outcome::done;
}

// A loop that was told to quit has no failure to report: closing its socket under it is how it is woken.
int ending(Meter &meter, Outcome outcome) {
  return meter.end(outcome == Outcome::failed && !meter.quitting() ? errno : 0);
}

}  // namespace

std::size_t histogram_index(std::uint64_t nanoseconds) {
  constexpr std::uint64_t lowest_bucket = (std::uint64_t{1} << sub_bucket_magnitude) - 1;
  const auto width = static_cast<unsigned>(std::bit_width(nanoseconds | lowest_bucket));
  const unsigned bucket = width - sub_bucket_magnitude;
  const std::uint64_t within = nanoseconds >> bucket;
  return std::min<std::size_t>(bucket * half_sub_buckets + within, histogram_size - 1);
}

int send_stream(Slot &slot, const Transfer &transfer, std::size_t size, std::size_t ring) {
  Meter meter(slot, transfer);
  const Buffer buffers = make_buffer(size * ring);
  std::size_t next = 0;
  while (meter.await_run() && !meter.expired()) {
    const ssize_t part = send(transfer.fd, buffers.data() + next * size, size, MSG_NOSIGNAL);
    if (part >= 0) {
      meter.sent(static_cast<std::size_t>(part));
      next = next + 1 == ring ? 0 : next + 1;
    } else if (transfer.datagrams && is_datagram_loss(errno)) {
      meter.lost();
    } else if (!is_timeout(errno)) {
      return ending(meter, Outcome::failed);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

int receive_stream(Slot &slot, const Transfer &transfer, std::size_t size) {
  Meter meter(slot, transfer);
  Buffer buffer = make_buffer(size);
  const int flags = transfer.datagrams ? MSG_TRUNC : 0;  // a datagram counts whole, however small the receive
  publish_state(slot, State::running);
  while (!meter.expired()) {
    const ssize_t part = recv(transfer.fd, buffer.data(), size, flags);
    if (part > 0 || (part == 0 && transfer.datagrams)) {
      meter.received(static_cast<std::size_t>(part));
    } else if (part == 0) {
      break;
    } else if (!is_timeout(errno) && !(transfer.datagrams && errno == ECONNREFUSED)) {
      return ending(meter, Outcome::failed);
    }
    meter.look();
    if (meter.quitting()) {
      break;
    }
  }
  return ending(meter, Outcome::done);
}

int request(Slot &slot, const Transfer &transfer, std::size_t request_size, std::size_t response_size) {
  Meter meter(slot, transfer);
  Buffer question = make_buffer(request_size);
  Buffer answer = make_buffer(response_size);
  std::uint8_t number = 0;
  std::uint64_t start = 0;
  while (!meter.expired()) {
    if (meter.order() != Order::run) {
      if (!meter.await_run()) {
        break;
      }
      start = 0;
    }
    start = start == 0 ? read_clock(CLOCK_MONOTONIC) : start;
    question.front() = static_cast<std::byte>(++number);
    Outcome outcome = send_whole(meter, transfer, question.data(), request_size);
    if (outcome == Outcome::done) {
      do {  // an answer that comes late is another request's: taken for this one's, it would keep the two out of step
        outcome = receive_whole(meter, transfer, answer.data(), response_size);
      } while (outcome == Outcome::done && transfer.datagrams && answer.front() != question.front());
      if (outcome == Outcome::again) {
        meter.lost();
      }
    }
    if (outcome == Outcome::failed || outcome == Outcome::closed) {
      return ending(meter, outcome);
    }
    if (outcome == Outcome::done) {
      const std::uint64_t end = read_clock(CLOCK_MONOTONIC);
      meter.transacted();
      meter.took(end - start);
      start = end;
    }
    if (meter.look()) {
      start = 0;  // what the edge cost is no part of a transaction
    }
  }
  return ending(meter, Outcome::done);
}

int respond(Slot &slot, const Transfer &transfer, std::size_t request_size, std::size_t response_size) {
  Meter meter(slot, transfer);
  Buffer question = make_buffer(request_size);
  Buffer answer = make_buffer(response_size);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting()) {
    Outcome outcome = receive_whole(meter, transfer, question.data(), request_size);
    if (outcome == Outcome::done) {
      answer.front() = question.front();  // says which request it answers
      outcome = send_whole(meter, transfer, answer.data(), response_size);
      meter.transacted();
    }
    if (outcome == Outcome::failed || outcome == Outcome::closed) {
      return ending(meter, outcome);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
