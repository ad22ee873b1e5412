// Many connections under way at once in one thread, each of which is a transaction (connections.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "board.hpp"
#include "buffers.hpp"
#include "connector.hpp"
#include "flows.hpp"
#include "loops.hpp"
#include "many.hpp"

namespace pathgauge {

// Room for one connection that is under way.
struct Place {
  Flow flow;                  // no descriptor: it is free
  std::uint32_t awaited = 0;  // the events that are watched for
  bool heard = false;         // there is no answer to come, but for the peer's close
};

// So many of them. With each edge the transactions of every place are written to the board: `edges` holds two of them.
class Places final : public Many {
 public:
  // Throws std::system_error, std::out_of_range for none of them or too little room.
  Places(std::size_t count, std::span<std::uint64_t> edges);
  ~Places() { clear(); }
  Places(const Places &) = delete;
  Places &operator=(const Places &) = delete;
  Places(Places &&) = delete;
  Places &operator=(Places &&) = delete;

  [[nodiscard]] std::size_t under_way() const { return places_.size() - spare_.size(); }
  [[nodiscard]] bool full() const { return spare_.empty(); }
  [[nodiscard]] Place &operator[](std::uint32_t number) { return places_[number]; }
  [[nodiscard]] Watch &watch() { return watch_; }

  // The place that was freed last takes the connection, which is closed when it is left, or with all of them.
  Place &take(int fd);
  void leave(Place &place);
  void clear();

  // `again`, or `failed` with errno.
  [[nodiscard]] Outcome await(Place &place, std::uint32_t events) const;

  void count(const Place &place) { shares_.add(place.flow.place, 1); }
  void publish(std::uint32_t edge) const override { shares_.publish(edge, 0); }

 private:
  Shares shares_;
  std::vector<Place> places_;
  std::vector<std::uint32_t> spare_;
  Watch watch_;
};

// As connect_transact and accept_transact, with a connection under way in each place. The listener must not block;
// those that want in when all places are taken wait in its queue. What is under way when the loop ends is closed.
int connect_many(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Places &places, Buffers *questions,
                 Buffers *answers);
int accept_many(Slot &slot, const Transfer &transfer, Places &places, Buffers *questions, Buffers *answers);

}  // namespace pathgauge
