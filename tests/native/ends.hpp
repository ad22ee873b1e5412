// What every case shares: sockets in pairs, a board, loops in threads of their own, and complaints.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <span>
#include <thread>
#include <utility>

#include "board.hpp"
#include "loops.hpp"

namespace trial {

// Throws std::runtime_error with the place, unless it held.
void require(bool held, const char *what, const std::source_location &where = std::source_location::current());

class Descriptor {
 public:
  explicit Descriptor(int fd);  // throws std::system_error for a call that failed
  ~Descriptor() { reset(); }
  Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor &operator=(Descriptor &&) = delete;
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  [[nodiscard]] int get() const { return fd_; }
  void reset();
  void abort();  // closes with a reset, where it is TCP

 private:
  int fd_;
};

enum class Wire : std::uint8_t { tcp, udp, local };  // loopback, loopback, a pair of stream sockets of the kernel's own

struct Pair {
  Descriptor one;
  Descriptor two;
};

[[nodiscard]] Pair connected(Wire wire);
void allow(const Descriptor &socket, int level, int option, int value);
[[nodiscard]] Pair packets(int room);  // they do not block and keep the bounds of packets, as tun devices do

// Listens on the IPv4 or IPv6 loopback.
[[nodiscard]] Descriptor listening(bool ipv6 = false);
[[nodiscard]] std::uint16_t port_of(const Descriptor &socket);

void keep_awake(const Descriptor &socket);  // no call of it blocks

// Lets sends and receives sleep no longer than that.
void limit_wait(const Descriptor &socket, unsigned milliseconds);

[[nodiscard]] Descriptor memory(std::size_t bytes);
[[nodiscard]] std::uint64_t after(double seconds);  // as a loop's deadline
[[nodiscard]] pathgauge::Transfer over(const Descriptor &socket, Wire wire, double seconds = 60);
void nap(unsigned microseconds);

// Until it holds; complains after 20 s.
void await(const std::function<bool()> &holds, const char *what,
           const std::source_location &where = std::source_location::current());

// A board in memory of its own.
class Desk {
 public:
  explicit Desk(std::size_t slots = 2, std::size_t flows = 0);
  [[nodiscard]] pathgauge::Slot &operator[](std::size_t slot) const { return board_.slot(slot); }
  [[nodiscard]] std::span<std::uint64_t> flows(std::size_t slot) const { return board_.flows(slot); }

 private:
  Descriptor memory_;
  pathgauge::Board board_;
};

// A loop at work in a thread of its own, as the product runs them. One that does not end in time ends the program, for
// nothing can be joined then.
class Job {
 public:
  Job(pathgauge::Slot &slot, std::function<int()> loop);
  ~Job();
  Job(const Job &) = delete;
  Job &operator=(const Job &) = delete;
  Job(Job &&) = delete;
  Job &operator=(Job &&) = delete;

  // What the loop returned when it ended by itself.
  int finish(const std::source_location &where = std::source_location::current());
  // The same after the order to quit, with nudges as netperf's server gives them.
  int stop(const std::source_location &where = std::source_location::current());
  // The same with the socket shut down and no nudge, as an end's process does it.
  int shut(const Descriptor &socket, const std::source_location &where = std::source_location::current());

 private:
  int join(bool nudging, const std::source_location &where);

  pathgauge::Slot &slot_;
  std::atomic<bool> over_{false};
  int result_ = -1;
  std::thread thread_;
};

}  // namespace trial
