#include "board.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <csignal>
#include <ctime>
#include <new>
#include <stdexcept>
#include <system_error>

namespace pathgauge {
namespace {

constexpr double nanoseconds_in_second = 1e9;
constexpr int nudge_signal = SIGUSR1;
constexpr double glance_seconds = 0.05;  // how often who waits for an edge looks whether the loop has ended

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / nanoseconds_in_second;
}

void futex_wait(std::atomic<std::uint32_t> &word, std::uint32_t seen, double seconds) {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(seconds);
  limit.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * nanoseconds_in_second);
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t> &word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

// Waits until the word has the value, or an end of the loop makes waiting vain.
bool wait_for(Slot &slot, std::atomic<std::uint32_t> &word, std::uint32_t wanted, double seconds) {
  const double end = now() + seconds;
  while (true) {
    // The state first: what a loop published before it ended is then seen, too.
    const bool ended = slot.state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(State::ended);
    const std::uint32_t seen = word.load(std::memory_order_acquire);
    if (seen == wanted) {
      return true;
    }
    const double left = end - now();
    if (left <= 0 || ended) {
      return false;
    }
    futex_wait(word, seen, std::min(left, glance_seconds));  // an end since then has changed another word than this
  }
}

}  // namespace

Board::Board(int fd, std::size_t slots, std::size_t flows) : count_(slots), flows_(flows) {
  struct stat status{};
  if (fstat(fd, &status) != 0) {
    throw std::system_error(errno, std::generic_category(), "board");
  }
  if (slots == 0 || slots > static_cast<std::size_t>(status.st_size) / bytes(1, flows)) {
    throw std::out_of_range("the board's memory is smaller than its slots");
  }
  void *memory = mmap(nullptr, bytes(slots, flows), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "board");
  }
  slots_ = static_cast<Slot *>(memory);
}

Board::~Board() { munmap(slots_, bytes(count_, flows_)); }

Slot &Board::slot(std::size_t index) const {
  if (index >= count_) {
    throw std::out_of_range("no such slot on the board");
  }
  return slots_[index];
}

std::span<std::uint64_t> Board::flows(std::size_t index) const {
  if (index >= count_) {
    throw std::out_of_range("no such slot on the board");
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): they lie in one memory, behind the slots
  auto *const first = reinterpret_cast<std::uint64_t *>(slots_ + count_);
  return {first + index * edges_of(flows_), edges_of(flows_)};
}

void give_order(Slot &slot, Order order) {
  slot.order.store(static_cast<std::uint32_t>(order), std::memory_order_release);
  futex_wake(slot.order);
}

std::uint32_t ask_edge(Slot &slot) { return slot.edge_asked.fetch_add(1, std::memory_order_release) + 1; }

bool wait_edge(Slot &slot, std::uint32_t edge, double seconds) { return wait_for(slot, slot.edge_done, edge, seconds); }

bool wait_state(Slot &slot, State state, double seconds) {
  return wait_for(slot, slot.state, static_cast<std::uint32_t>(state), seconds);
}

void reset(Slot &slot) {
  slot.~Slot();
  new (&slot) Slot{};
}

void nudge(const Slot &slot) {
  const std::int32_t process = slot.process.load(std::memory_order_acquire);
  const std::int32_t thread = slot.thread.load(std::memory_order_acquire);
  if (process > 0 && thread > 0) {
    syscall(SYS_tgkill, process, thread, nudge_signal);
  }
}

void hear_nudges() {
  struct sigaction action{};
  action.sa_handler = [](int) {};  // without SA_RESTART: all that is wanted is that the sleeping call returns
  sigaction(nudge_signal, &action, nullptr);
}

void begin_work(Slot &slot) {
  slot.process.store(getpid(), std::memory_order_release);
  slot.thread.store(static_cast<std::int32_t>(syscall(SYS_gettid)), std::memory_order_release);
}

void wait_order(Slot &slot, Order unwanted, double seconds) {
  const auto seen = static_cast<std::uint32_t>(unwanted);
  if (slot.order.load(std::memory_order_acquire) == seen) {
    futex_wait(slot.order, seen, seconds);
  }
}

void publish_state(Slot &slot, State state) {
  if (state == State::ended) {
    slot.thread.store(0, std::memory_order_release);  // before the state: an ended slot may be another loop's at once
  }
  slot.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
  futex_wake(slot.state);
  if (state == State::ended) {
    futex_wake(slot.edge_done);  // who waits for an edge must not wait for a loop that is gone
  }
}

void publish_edge(Slot &slot, std::uint32_t edge) {
  slot.edge_done.store(edge, std::memory_order_release);
  futex_wake(slot.edge_done);
}

}  // namespace pathgauge
