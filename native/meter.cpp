#include "meter.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <random>

namespace pathgauge {
namespace {

constexpr double idle_seconds = 0.1;  // how often a paused loop looks at its deadline
constexpr std::uint64_t second_ns = 1'000'000'000U;
constexpr std::uint64_t coarse_tick_ns = second_ns / 100;

std::uint64_t anywhere_in(double period_ns) {
  if (period_ns <= 0) {
    return 0;
  }
  std::random_device seed;
  return std::uniform_int_distribution<std::uint64_t>(0, static_cast<std::uint64_t>(period_ns))(seed);
}

}  // namespace

Meter::Meter(Slot &slot, const Transfer &transfer, const Many *many)
    : slot_(slot), transfer_(transfer), many_(many), left_(anywhere_in(transfer.period_ns)) {
  begin_work(slot);
}

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * second_ns + static_cast<std::uint64_t>(time.tv_nsec);
}

std::size_t histogram_index(std::uint64_t nanoseconds) {
  constexpr std::uint64_t lowest_bucket = (std::uint64_t{1} << sub_bucket_magnitude) - 1;
  const auto width = static_cast<unsigned>(std::bit_width(nanoseconds | lowest_bucket));
  const unsigned bucket = width - sub_bucket_magnitude;
  const std::uint64_t within = nanoseconds >> bucket;
  return std::min<std::size_t>(bucket * half_sub_buckets + within, histogram_size - 1);
}

bool Meter::await_run() {
  if (order() == Order::run) {
    return true;
  }
  publish_state(slot_, State::paused);
  if (begun_ != 0) {
    const std::uint64_t now = read_clock(CLOCK_MONOTONIC);
    left_ = next_due() > now ? next_due() - now : 0;
    begun_ = 0;
  }
  Order seen = order();  // read once a round: a run that is over before it was noticed must not be taken for an end
  while (seen == Order::pause && !expired()) {
    look();
    wait_order(slot_, Order::pause, idle_seconds);
    seen = order();
  }
  publish_state(slot_, State::running);
  return seen == Order::run;
}

void Meter::keep_pace() {
  if (transfer_.pace_count == 0) {
    return;
  }
  if (next_interval_ == 0) {
    next_interval_ = read_clock(CLOCK_MONOTONIC) + transfer_.pace_ns;
  }
  if (in_interval_++ < transfer_.pace_count) {
    return;
  }
  in_interval_ = 1;
  const timespec until = wake_time(next_interval_);
  while (!quitting() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    look();
  }
  // What was missed is not made up for by a burst.
  next_interval_ = std::max(next_interval_, read_clock(CLOCK_MONOTONIC) - transfer_.pace_ns) + transfer_.pace_ns;
}

bool Meter::await_due() {
  const std::uint64_t now = read_clock(CLOCK_MONOTONIC);
  if (begun_ == 0) {
    begun_ = now + left_;
    turns_ = 0;
    prctl(PR_SET_TIMERSLACK, 1UL);  // of this thread, in ns; else it oversleeps by 50 us
  }
  due_ = next_due();
  if (due_ > now) {
    if (transfer_.spin) {
      spin_until(due_);
    } else {
      const timespec until = wake_time(due_);
      while (order() == Order::run && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
        look();
      }
    }
  }
  if (order() != Order::run || expired()) {
    return false;
  }
  ++turns_;
  return true;
}

void Meter::spin_until(std::uint64_t time) {
  while (order() == Order::run && !expired() && read_clock(CLOCK_MONOTONIC) < time) {
    look();
  }
}

timespec Meter::wake_time(std::uint64_t wanted) const {
  // The tick is that by which the coarse clock may be late to see the deadline.
  const std::uint64_t wake = wanted > transfer_.deadline_ns ? transfer_.deadline_ns + coarse_tick_ns : wanted;
  timespec time{};
  time.tv_sec = static_cast<time_t>(wake / second_ns);
  time.tv_nsec = static_cast<long>(wake % second_ns);
  return time;
}

int Meter::end(int error) {
  if (error != 0) {
    slot_.error.store(static_cast<std::uint32_t>(error), std::memory_order_release);
  }
  publish_state(slot_, State::ended);
  return error;
}

void Meter::take_edge(std::uint32_t asked) {
  Edge &edge = slot_.edges[(asked + 1) % 2];
  const bool opens = (asked & 1U) != 0;  // a slice, of which what many connections cost to look at is no part
  if (opens && many_ != nullptr) {
    many_->publish(asked);
  }
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
  if (!opens && many_ != nullptr) {
    many_->publish(asked);
  }
  edge_ = asked;
  publish_edge(slot_, asked);
}

}  // namespace pathgauge
