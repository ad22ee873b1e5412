#include "ring.hpp"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace pathgauge {
namespace {

constexpr std::int64_t longest_wait_ns = 100'000'000;  // within which who waits looks at its deadline
constexpr std::size_t most_lent = 1U << 15U;

int with_errno(long result) { return result < 0 ? errno : 0; }

template <typename Number>
Number load(Number *shared) {
  return std::atomic_ref<Number>(*shared).load(std::memory_order_acquire);
}

template <typename Number>
void publish(Number *shared, Number value) {
  std::atomic_ref<Number>(*shared).store(value, std::memory_order_release);
}

std::uint64_t address_of(const void *memory) {
  return std::bit_cast<std::uintptr_t>(memory);  // as the kernel's structures hold it
}

}  // namespace

Shared::Shared(std::size_t bytes, int fd, std::uint64_t place) : bytes_(bytes) {
  const int kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void *const start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kind, fd, static_cast<off_t>(place));
  start_ = start == MAP_FAILED ? nullptr : start;
}

Shared::~Shared() {
  if (start_ != nullptr) {
    munmap(start_, bytes_);
  }
}

Shared::Shared(Shared &&other) noexcept
    : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Shared &Shared::operator=(Shared &&other) noexcept {
  std::swap(start_, other.start_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Ring::Ring(int socket, unsigned requests, unsigned answers) {
  io_uring_params given{};
  given.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  given.cq_entries = answers;
  fd_ = static_cast<int>(syscall(SYS_io_uring_setup, requests, &given));
  error_ = fd_ < 0 ? errno : map(given);
  if (error_ == 0) {
    error_ = call(IORING_REGISTER_FILES, &socket, 1);
  }
}

int Ring::map(const io_uring_params &given) {
  const std::size_t of_requests = given.sq_off.array + given.sq_entries * sizeof(std::uint32_t);
  const std::size_t of_answers = given.cq_off.cqes + given.cq_entries * sizeof(io_uring_cqe);
  rings_ = Shared(std::max(of_requests, of_answers), fd_, IORING_OFF_SQ_RING);
  requests_ = Shared(given.sq_entries * sizeof(io_uring_sqe), fd_, IORING_OFF_SQES);
  if (!rings_.there() || !requests_.there()) {
    return ENOMEM;
  }
  sqes_ = requests_.at<io_uring_sqe>(0);
  request_tail_ = rings_.at<std::uint32_t>(given.sq_off.tail);
  request_mask_ = *rings_.at<std::uint32_t>(given.sq_off.ring_mask);
  auto *const order = rings_.at<std::uint32_t>(given.sq_off.array);
  for (std::uint32_t place = 0; place < given.sq_entries; ++place) {
    order[place] = place;  // requests are always handed over in the order of their places
  }
  cqes_ = rings_.at<io_uring_cqe>(given.cq_off.cqes);
  answer_head_ = rings_.at<std::uint32_t>(given.cq_off.head);
  answer_tail_ = rings_.at<std::uint32_t>(given.cq_off.tail);
  answer_mask_ = *rings_.at<std::uint32_t>(given.cq_off.ring_mask);
  return 0;
}

Ring::~Ring() {
  if (fd_ >= 0) {
    io_uring_sync_cancel_reg all{};
    all.fd = -1;
    all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    all.timeout.tv_nsec = longest_wait_ns;
    while (call(IORING_REGISTER_SYNC_CANCEL, &all, 1) == EINTR) {
    }
    // At once: closing does so later, and there is a limit of memory, and somebody who waits for the socket to close.
    call(IORING_UNREGISTER_BUFFERS, nullptr, 0);
    call(IORING_UNREGISTER_FILES, nullptr, 0);
    close(fd_);
  }
}

io_uring_sqe &Ring::ask(io_uring_op operation, std::span<std::byte> memory, unsigned flags) {
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  io_uring_sqe &made = sqes_[made_++ & request_mask_];
  made = io_uring_sqe{};
  made.opcode = operation;
  made.flags = IOSQE_FIXED_FILE;  // the first and only one, 0
  made.len = static_cast<std::uint32_t>(std::min(memory.size(), most));
  // NOLINTBEGIN(cppcoreguidelines-pro-type-union-access): the kernel's unions, of what each operation takes
  made.addr = address_of(memory.data());
  made.msg_flags = flags;
  // NOLINTEND(cppcoreguidelines-pro-type-union-access)
  return made;
}

int Ring::enter(unsigned wanted) {
  const __kernel_timespec longest{.tv_sec = 0, .tv_nsec = longest_wait_ns};
  io_uring_getevents_arg how{};
  how.ts = address_of(&longest);
  publish(request_tail_, made_);
  const long done = syscall(SYS_io_uring_enter, fd_, made_ - handed_, wanted,
                            IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &how, sizeof(how));
  if (done >= 0) {
    handed_ += static_cast<std::uint32_t>(done);
    return 0;
  }
  return errno == EINTR || errno == ETIME || errno == EAGAIN || errno == EBUSY ? 0 : errno;
}

bool Ring::take(io_uring_cqe &answer) {
  if (load(answer_tail_) == taken_) {
    return false;
  }
  answer = cqes_[taken_ & answer_mask_];
  publish(answer_head_, ++taken_);
  return true;
}

int Ring::lock(std::span<std::byte> memory) const {
  iovec whole{.iov_base = memory.data(), .iov_len = memory.size()};
  return call(IORING_REGISTER_BUFFERS, &whole, 1);
}

int Ring::call(unsigned what, void *argument, unsigned count) const {
  return with_errno(syscall(SYS_io_uring_register, fd_, what, argument, count));
}

Lent::Lent(Ring &ring, Buffers &buffers)
    : buffers_(buffers),
      count_(static_cast<std::uint16_t>(std::bit_floor(std::min(buffers.width(), most_lent)))),
      places_(count_ * sizeof(io_uring_buf), -1, 0) {
  io_uring_buf_reg given{};
  given.ring_addr = address_of(places_.start());
  given.ring_entries = count_;
  error_ = places_.there() ? ring.call(IORING_REGISTER_PBUF_RING, &given, 1) : ENOMEM;
  for (std::uint16_t number = 0; number < count_ && error_ == 0; ++number) {
    give(number);
  }
}

void Lent::give(std::uint16_t number) {
  const std::size_t all = std::numeric_limits<std::uint32_t>::max();
  auto *const first = places_.at<io_uring_buf>(0);
  io_uring_buf &place = first[given_++ & (count_ - 1U)];
  place.addr = address_of(buffers_.at(number));
  place.len = static_cast<std::uint32_t>(std::min(buffers_.size(), all));
  place.bid = number;
  publish(&first->resv, given_);  // which the kernel reads as how many were given
}

int why_no_ring(std::size_t locked) {
  const Ring ring(-1, 1, 1);
  if (ring.error() != 0 || locked == 0) {
    return ring.error();
  }
  Buffers memory({.size = locked});
  return ring.lock(memory.whole());
}

}  // namespace pathgauge
