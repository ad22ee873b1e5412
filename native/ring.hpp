// A ring of io_uring: requests go to the kernel many at a time, and so do its answers come back.
//
// Made over the system calls themselves, and for one thread: the one that made it. It takes Linux 6.1: what its loops
// ask for (sends without a copy, receives that go on) came with the kernels just before, the way to wait with that one.
#pragma once

#include <linux/io_uring.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "buffers.hpp"

namespace pathgauge {

// Pages that this process shares with the kernel.
class Shared {
 public:
  Shared() = default;
  Shared(std::size_t bytes, int fd, std::uint64_t place);  // without a descriptor: memory of its own
  ~Shared();
  Shared(const Shared &) = delete;
  Shared &operator=(const Shared &) = delete;
  Shared(Shared &&other) noexcept;
  Shared &operator=(Shared &&other) noexcept;
  [[nodiscard]] bool there() const { return start_ != nullptr; }
  [[nodiscard]] void *start() const { return start_; }
  template <typename Kind>
  [[nodiscard]] Kind *at(std::size_t offset) const {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what lies there is the kernel's to say
    return reinterpret_cast<Kind *>(static_cast<std::byte *>(start_) + offset);
  }

 private:
  void *start_ = nullptr;
  std::size_t bytes_ = 0;
};

class Ring {
 public:
  // Over a socket, which the kernel looks up once, not for each request (-1: none). Room for so many requests at a
  // time, and for so many answers that have not been taken yet (the kernel keeps more).
  Ring(int socket, unsigned requests, unsigned answers);
  ~Ring();  // whatever is in flight is cancelled first: the kernel must not write to memory that is given back
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;
  Ring(Ring &&) = delete;
  Ring &operator=(Ring &&) = delete;

  // Why there is none: an errno, or 0.
  [[nodiscard]] int error() const { return error_; }

  // Makes the next request: an operation on the socket and memory, with flags as of send(2). What else it takes is to
  // be added. No more than there is room for may be made before they are handed over.
  io_uring_sqe &ask(io_uring_op operation, std::span<std::byte> memory, unsigned flags);

  // Hands over what was made and waits until so many answers are there, a signal comes, or a while has passed. 0 or an
  // errno.
  [[nodiscard]] int enter(unsigned wanted);

  // The oldest answer; false where there is none.
  [[nodiscard]] bool take(io_uring_cqe &answer);

  // Lets requests send from this memory without having its pages looked up each time: they are locked. 0 or an errno.
  [[nodiscard]] int lock(std::span<std::byte> memory) const;

  // io_uring_register(2). 0 or an errno.
  int call(unsigned what, void *argument, unsigned count) const;

 private:
  int map(const io_uring_params &given);

  int fd_ = -1;
  int error_ = 0;
  Shared rings_;
  Shared requests_;
  io_uring_sqe *sqes_ = nullptr;
  std::uint32_t *request_tail_ = nullptr;
  std::uint32_t request_mask_ = 0;
  std::uint32_t made_ = 0;    // all requests so far
  std::uint32_t handed_ = 0;  // of these, to the kernel
  io_uring_cqe *cqes_ = nullptr;
  std::uint32_t *answer_head_ = nullptr;
  std::uint32_t *answer_tail_ = nullptr;
  std::uint32_t answer_mask_ = 0;
  std::uint32_t taken_ = 0;
};

// The buffers that the kernel chooses from when something is received, by number.
class Lent {
 public:
  // As many of them as the greatest power of two allows.
  Lent(Ring &ring, Buffers &buffers);
  [[nodiscard]] int error() const { return error_; }
  void give(std::uint16_t number);

 private:
  Buffers &buffers_;
  std::uint16_t count_;
  std::uint16_t given_ = 0;
  Shared places_;
  int error_ = 0;
};

// Why this process cannot have a ring that sends from so many bytes of locked memory; 0 where it can.
[[nodiscard]] int why_no_ring(std::size_t locked);

}  // namespace pathgauge
