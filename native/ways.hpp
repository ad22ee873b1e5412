// Each way of a transaction timed apart, where both ends read the same clock (loops.hpp: Transfer::peer).
//
// Who sends a message first publishes in its own slot when the message starts, as a stamp; who has received it takes
// the difference. One request is in flight, so that over a stream the stamp is that of the message received. Of
// datagrams, which are lost, doubled and late, a stamp carries the number, too, and one whose message is in doubt
// counts for nothing: a value is missing rather than wrong, as long as none comes 128 transactions late.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

#include "loops.hpp"
#include "meter.hpp"

namespace pathgauge {

constexpr unsigned stamp_number_bits = 8;
constexpr std::uint64_t no_stamp = 0;

// The time's highest bits make room for the number: what lasts less than 2^56 ns (two years) is told all the same.
[[nodiscard]] constexpr std::uint64_t make_stamp(std::uint64_t time_ns, std::uint8_t number) {
  return time_ns << stamp_number_bits | number;
}

// How long ago a message was stamped; nothing where the stamp is another message's, or none.
[[nodiscard]] constexpr std::optional<std::uint64_t> since_stamp(std::uint64_t stamp, std::uint64_t time_ns,
                                                                 std::uint8_t number) {
  if (stamp == no_stamp || static_cast<std::uint8_t>(stamp) != number) {
    return std::nullopt;
  }
  return (make_stamp(time_ns, number) - stamp) >> stamp_number_bits;
}

// The responder's side.
class WayThere {
 public:
  WayThere(Meter &meter, const Transfer &transfer) : meter_(meter), transfer_(transfer) {}

  // A request has come, and its response is sent next. What is recorded by then is seen by whoever knows the response.
  void take(std::byte first) {
    const std::uint8_t number = transfer_.datagrams ? std::to_integer<std::uint8_t>(first) : 0;
    if (transfer_.datagrams && !is_new(number)) {
      meter_.stamp(no_stamp);  // of two responses to one request nobody can say which came
      return;
    }
    newest_ = number;
    const std::uint64_t now = read_clock(CLOCK_MONOTONIC);
    meter_.stamp(make_stamp(now, number));
    if (const auto way = since_stamp(Meter::stamp_of(*transfer_.peer), now, number)) {
      meter_.took_there(*way);
    }
  }

 private:
  [[nodiscard]] bool is_new(std::uint8_t number) const {
    return static_cast<std::int8_t>(static_cast<std::uint8_t>(number - newest_)) > 0;
  }

  Meter &meter_;
  const Transfer &transfer_;
  std::uint8_t newest_ = 0;  // the requester begins with 1
};

}  // namespace pathgauge
