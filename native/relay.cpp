#include "relay.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <random>
#include <span>
#include <vector>

#include "meter.hpp"

namespace pathgauge {
namespace {

constexpr std::size_t largest_packet = 131072;  // an IP packet of 64 KiB, and what tun says of it
constexpr int burst = 64;                       // packets one way before it is the other's turn
constexpr std::size_t room = std::size_t{64} << 20U;
constexpr std::uint64_t second_ns = 1'000'000'000U;

enum class Flow : std::uint8_t { idle, moved, ended };

// One way, with the packets that are under way.
class Way {
 public:
  Way(int from, int to, const Length &length)
      : from_(from), to_(to), length_(length), packet_(largest_packet), random_(std::random_device{}()) {}

  // Takes in what has come.
  Flow take() {
    for (int count = 0; count < burst; ++count) {
      const ssize_t size = read(from_, packet_.data(), packet_.size());
      if (size > 0) {
        pass(std::span(packet_).first(static_cast<std::size_t>(size)));
      } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return count == 0 ? Flow::idle : Flow::moved;
      } else {
        return Flow::ended;
      }
    }
    return Flow::moved;
  }

  // Hands on what has come to its end, and says when the next will; 0 where nothing is under way.
  std::uint64_t give() {
    const std::uint64_t now = waiting_.empty() ? 0 : read_clock(CLOCK_MONOTONIC);
    while (!waiting_.empty() && waiting_.front().due <= now) {
      send(waiting_.front().bytes);
      held_ -= waiting_.front().bytes.size();
      waiting_.pop_front();
    }
    return waiting_.empty() ? 0 : waiting_.front().due;
  }

 private:
  struct Packet {
    std::uint64_t due;
    std::vector<std::byte> bytes;
  };

  void pass(std::span<const std::byte> packet) {
    if (length_.delay_ns == 0) {
      send(packet);
    } else if (held_ + packet.size() <= room) {
      std::uniform_int_distribution<std::uint64_t> drawn(0, 2 * length_.jitter_ns);
      const std::uint64_t due = read_clock(CLOCK_MONOTONIC) + length_.delay_ns - length_.jitter_ns + drawn(random_);
      last_ = std::max(last_, due);
      waiting_.push_back({.due = last_, .bytes = {packet.begin(), packet.end()}});
      held_ += packet.size();
    }
  }

  void send(std::span<const std::byte> packet) const {
    // A device that is down, or has no room, refuses the packet; one that is gone is noticed where it is read.
    [[maybe_unused]] const ssize_t written = write(to_, packet.data(), packet.size());
  }

  int from_;
  int to_;
  Length length_;
  std::vector<std::byte> packet_;
  std::minstd_rand random_;
  std::deque<Packet> waiting_;
  std::size_t held_ = 0;
  std::uint64_t last_ = 0;
};

// Until something comes, or a packet under way is due.
void await(int one, int other, std::uint64_t due) {
  std::array<pollfd, 2> ends{
      pollfd{.fd = one, .events = POLLIN, .revents = 0},
      pollfd{.fd = other, .events = POLLIN, .revents = 0},
  };
  if (due == 0) {
    poll(ends.data(), ends.size(), -1);
    return;
  }
  const std::uint64_t now = read_clock(CLOCK_MONOTONIC);
  const std::uint64_t left = due > now ? due - now : 0;
  timespec time{};
  time.tv_sec = static_cast<time_t>(left / second_ns);
  time.tv_nsec = static_cast<long>(left % second_ns);
  ppoll(ends.data(), ends.size(), &time, nullptr);
}

}  // namespace

void relay(int one, int other, Length length) {
  length.jitter_ns = std::min(length.jitter_ns, length.delay_ns);
  if (length.delay_ns != 0) {
    prctl(PR_SET_TIMERSLACK, 1UL);  // of this thread, in ns; else each packet is up to 50 us late
  }
  Way there(one, other, length);
  Way back(other, one, length);
  for (;;) {
    const Flow forth = there.take();
    const Flow home = back.take();
    const std::uint64_t due = there.give();
    const std::uint64_t other_due = back.give();
    if (forth == Flow::ended || home == Flow::ended) {
      return;
    }
    if (forth == Flow::idle && home == Flow::idle) {
      await(one, other, due != 0 && other_due != 0 ? std::min(due, other_due) : std::max(due, other_due));
    }
  }
}

}  // namespace pathgauge
