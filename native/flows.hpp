// Many connections in one thread: the loops over sockets that are ready or not, and what each of them has done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "board.hpp"
#include "buffers.hpp"
#include "exchange.hpp"
#include "loops.hpp"
#include "many.hpp"

namespace pathgauge {

// One connection: how much of the message at hand is done, and when its request was due to start.
struct Flow {
  int fd = -1;
  std::uint32_t place = 0;
  std::size_t done = 0;
  std::uint64_t start = 0;
  bool sends = false;       // a message of its own is at hand, not the peer's
  bool wants_room = false;  // and the kernel had no room for all of it
};

// Connected TCP sockets that do not block, and stay the caller's. With each edge the count of every flow, and the sum
// of their retransmitted segments, are written to the board: `edges` holds two of them.
class Flows final : public Many {
 public:
  // Throws std::system_error, std::out_of_range for none of them or too little room.
  Flows(const std::vector<int> &sockets, std::span<std::uint64_t> edges);
  ~Flows() = default;
  Flows(const Flows &) = delete;
  Flows &operator=(const Flows &) = delete;
  Flows(Flows &&) = delete;
  Flows &operator=(Flows &&) = delete;

  [[nodiscard]] std::span<Flow> all() { return flows_; }
  void count(const Flow &flow, std::uint64_t amount) { shares_.add(flow.place, amount); }
  void look_for_room(Flow &flow, bool wanted) const;
  void count_retransmits() { sending_ = true; }

  // Sleeps until some flows are ready, or does not where it spins and is to run, and lets `act` do one step with each,
  // until one of them fails or is closed.
  template <typename Act>
  Outcome serve(Meter &meter, const Transfer &transfer, Act act) {
    return watch_.serve(meter, transfer.spin && meter.order() == Order::run,
                        [&](std::uint32_t place) { return act(flows_[place]); });
  }

  void publish(std::uint32_t edge) const override;

 private:
  Shares shares_;
  std::vector<Flow> flows_;
  Watch watch_;
  bool sending_ = false;
};

// One call that sends, or receives, of the message at hand: `again` where some of it is left.
[[nodiscard]] Outcome send_part(Meter &meter, Flow &flow, Buffers &buffers);
[[nodiscard]] Outcome receive_part(Meter &meter, Flow &flow, Buffers &buffers);

// As the loops of one connection (loops.hpp); a sender sends one message at a time on each flow that has room, a
// requester has one request under way on each. A flow that is closed ends the loop.
int send_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &buffers);
int receive_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &buffers);
int request_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &questions, Buffers &answers);
int respond_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &questions, Buffers &answers);

}  // namespace pathgauge
