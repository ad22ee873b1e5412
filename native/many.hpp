// What every loop over many connections has: which of them are ready, and what each has done.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "exchange.hpp"
#include "meter.hpp"

namespace pathgauge {

// Descriptors, each with the number of its place. One that is closed is forgotten.
class Watch {
 public:
  static constexpr std::size_t most_events = 128;

  Watch();  // throws std::system_error
  ~Watch();
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  Watch(Watch &&) = delete;
  Watch &operator=(Watch &&) = delete;

  // Both are false with errno where the kernel refuses.
  [[nodiscard]] bool add(int fd, std::uint32_t events, std::uint32_t place) const;
  [[nodiscard]] bool change(int fd, std::uint32_t events, std::uint32_t place) const;

  // Sleeps until some are ready, unless it spins, and lets `act` do one step with the place of each, until one of them
  // fails or is closed.
  template <typename Act>
  Outcome serve(Meter &meter, bool spin, Act act) {
    const int ready = wait(spin);
    if (ready < 0) {
      meter.look();
      return Outcome::failed;
    }
    for (const epoll_event &event : std::span(events_).first(static_cast<std::size_t>(ready))) {
      const Outcome outcome = act(event.data.u32);
      if (outcome == Outcome::failed || outcome == Outcome::closed) {
        return outcome;
      }
      meter.look();
    }
    meter.look();
    return Outcome::done;
  }

 private:
  int wait(bool spin);

  std::array<epoll_event, most_events> events_{};
  int epoll_ = -1;
};

// The count of each place, written to the board with each edge behind a number of all of them: `edges` holds two.
class Shares {
 public:
  // Throws std::out_of_range for none or too little room.
  Shares(std::size_t places, std::span<std::uint64_t> edges);

  void add(std::uint32_t place, std::uint64_t amount) { counts_[place] += amount; }
  void publish(std::uint32_t edge, std::uint64_t of_all) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::span<std::uint64_t> edges_;
};

}  // namespace pathgauge
