// Whole messages over a socket, and how a loop ends.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "buffers.hpp"
#include "loops.hpp"
#include "meter.hpp"

namespace pathgauge {

enum class Outcome : std::uint8_t { done, again, closed, failed };

[[nodiscard]] bool is_timeout(int error);

// What a datagram's sender survives: no room, or word that an earlier datagram found nobody.
[[nodiscard]] bool is_datagram_loss(int error);

// The flags of a call that receives, which does not sleep where the reader spins or polls.
[[nodiscard]] inline int receiving(const Transfer &transfer, unsigned flags) {
  return static_cast<int>(transfer.spin || transfer.poll ? flags | MSG_DONTWAIT : flags);
}

// Where the reader polls, or one that spins is not ordered to run: sleeps until there is something to receive, for a
// while, or until it is nudged. What lies below the mark of low water then is received all the same.
void await_data(const Meter &meter, const Transfer &transfer);

// One whole message of a stream: part after part until all has gone. `again` where a datagram was lost or time ran out.
[[nodiscard]] Outcome send_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers,
                                 const std::byte *buffer);
[[nodiscard]] Outcome receive_whole(Meter &meter, const Transfer &transfer, const Buffers &buffers, std::byte *buffer);

// A loop that was told to quit has no failure to report: closing its socket under it is how it is woken.
int ending(Meter &meter, Outcome outcome);

}  // namespace pathgauge
