// A loop's view of its slot: it counts here, and publishes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "board.hpp"
#include "loops.hpp"

namespace pathgauge {

[[nodiscard]] std::uint64_t read_clock(clockid_t clock);

// The place of a value in the histogram; values beyond its range go to the last place.
[[nodiscard]] std::size_t histogram_index(std::uint64_t nanoseconds);

// What a loop over many connections publishes with each edge, beyond the sums in its slot.
class Many {
 public:
  Many(const Many &) = delete;
  Many &operator=(const Many &) = delete;
  Many(Many &&) = delete;
  Many &operator=(Many &&) = delete;

  virtual void publish(std::uint32_t edge) const = 0;

 protected:
  Many() = default;
  ~Many() = default;
};

// Counters are kept locally and stored, never read back.
class Meter {
 public:
  Meter(Slot &slot, const Transfer &transfer, const Many *many = nullptr);

  [[nodiscard]] Order order() const { return static_cast<Order>(slot_.order.load(std::memory_order_acquire)); }
  [[nodiscard]] bool quitting() const { return order() == Order::quit; }
  [[nodiscard]] bool expired() const { return read_clock(CLOCK_MONOTONIC_COARSE) >= transfer_.deadline_ns; }
  // The same, but where calls are not paced the clock is read at each 16th asking only: for loops whose calls are
  // quick.
  [[nodiscard]] bool expired_at_times() { return (transfer_.pace_count != 0 || (++askings_ % 16) == 0) && expired(); }

  void sent(std::size_t bytes, std::uint64_t messages = 1) {
    add(slot_.bytes_sent, bytes_sent_, bytes);
    add(slot_.messages_sent, messages_sent_, messages);
  }
  void received(std::size_t bytes, std::uint64_t messages = 1) {
    add(slot_.bytes_received, bytes_received_, bytes);
    add(slot_.messages_received, messages_received_, messages);
  }
  void transacted() { add(slot_.transactions, transactions_, 1); }
  void lost(std::uint64_t messages = 1) { add(slot_.lost, lost_, messages); }
  // Sends that the kernel is done with, and how many of them it copied where it was asked not to.
  void completed(std::uint64_t sends, std::uint64_t copied) {
    add(slot_.completed, completed_, sends);
    add(slot_.copied, copied_, copied);
  }
  // Of the bytes received: those of pages that were mapped, not copied.
  void mapped(std::uint64_t bytes) { add(slot_.mapped, mapped_, bytes); }
  // Between an odd and an even edge lies a slice.
  [[nodiscard]] bool in_slice() const { return (edge_ & 1U) != 0 || transfer_.record; }
  void took(std::uint64_t nanoseconds) {
    if (in_slice()) {
      record(slot_, nanoseconds);
    }
  }
  // The same of one way alone (ways.hpp). The slice is that of the requester, who stamps no request outside of it.
  void took_there(std::uint64_t nanoseconds) { record(slot_, nanoseconds); }
  void took_back(std::uint64_t nanoseconds) const {
    if (in_slice()) {
      record(*transfer_.back, nanoseconds);
    }
  }

  // What each end tells the other of its messages' start (ways.hpp).
  void stamp(std::uint64_t value) { slot_.stamp.store(value, std::memory_order_release); }
  [[nodiscard]] static std::uint64_t stamp_of(const Slot &peer) { return peer.stamp.load(std::memory_order_acquire); }

  // Whether the limit on bytes, or on transactions, is reached.
  [[nodiscard]] bool sent_all() const { return transfer_.limit != 0 && bytes_sent_ >= transfer_.limit; }
  [[nodiscard]] bool received_all() const { return transfer_.limit != 0 && bytes_received_ >= transfer_.limit; }
  [[nodiscard]] bool transacted_all() const { return transfer_.limit != 0 && transactions_ >= transfer_.limit; }
  // How many requests may still be sent, so many being under way.
  [[nodiscard]] bool may_ask(std::uint64_t under_way) const {
    return transfer_.limit == 0 || transactions_ + under_way < transfer_.limit;
  }

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
  [[nodiscard]] bool await_run();

  // Waits for the next interval where operations are paced and this one's are done; to be called before each.
  void keep_pace();

  // Waits until the next operation of a schedule should start; one that is late starts at once. False where the order
  // is no longer `run`. The schedule begins anywhere within a period, and stands still during a pause: were it to begin
  // with each run, each slice would hold the same part of it, and so one message too many or too few at low rates.
  [[nodiscard]] bool await_turn() { return transfer_.period_ns <= 0 || await_due(); }
  // When the operation at hand should have started; 0 where there is no schedule.
  [[nodiscard]] std::uint64_t due() const { return due_; }

  int end(int error);

 private:
  static void add(std::atomic<std::uint64_t> &shared, std::uint64_t &mine, std::uint64_t amount) {
    mine += amount;
    shared.store(mine, std::memory_order_relaxed);
  }
  static void record(Slot &slot, std::uint64_t nanoseconds) { ++slot.histogram[histogram_index(nanoseconds)]; }
  void take_edge(std::uint32_t asked);
  bool await_due();
  [[nodiscard]] std::uint64_t next_due() const {
    return begun_ + static_cast<std::uint64_t>(static_cast<double>(turns_) * transfer_.period_ns);
  }
  // What a clock shows then, or soon after the deadline if that comes first.
  [[nodiscard]] timespec wake_time(std::uint64_t wanted) const;
  void spin_until(std::uint64_t time);

  Slot &slot_;
  const Transfer &transfer_;
  const Many *many_;
  std::uint32_t edge_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_received_ = 0;
  std::uint64_t transactions_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t copied_ = 0;
  std::uint64_t mapped_ = 0;
  std::uint64_t next_interval_ = 0;
  std::uint32_t in_interval_ = 0;
  std::uint64_t begun_ = 0;  // when the schedule began, or went on after a pause
  std::uint64_t left_;       // until its first operation; from the last pause until the next
  std::uint64_t turns_ = 0;  // since then
  std::uint64_t due_ = 0;
  std::uint32_t askings_ = 0;
};

}  // namespace pathgauge
