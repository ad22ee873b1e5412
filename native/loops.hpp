// The loops that move bytes over a connected socket, and nothing else.
//
// Each runs until it is told to quit, its peer closes, an error, or the deadline (CLOCK_MONOTONIC, ns); nothing is
// allocated inside. A loop that sleeps in a call of its socket hears orders only after it: who gives one shuts the
// socket down or nudges the slot (board.hpp). A time-out of the socket would do as well, but costs a timer in every
// call that sleeps, 2 % of a transaction; only a datagram's requester needs one, to ask again. All return 0 or an
// errno, which also stands in the slot.
#pragma once

#include <cstddef>
#include <cstdint>

#include "board.hpp"

namespace pathgauge {

struct Transfer {
  int fd = -1;
  bool datagrams = false;
  std::uint64_t deadline_ns = 0;
};

// Sends messages of `size` bytes from a ring of `ring` buffers while the order is `run`. Datagrams that the kernel
// refuses for want of room are counted as lost.
int send_stream(Slot &slot, const Transfer &transfer, std::size_t size, std::size_t ring);

// Receives into one buffer of `size` bytes until the peer closes or the order is `quit`.
int receive_stream(Slot &slot, const Transfer &transfer, std::size_t size);

// Sends a request, awaits the response, records the time between, while the order is `run`. A datagram that brings no
// response before the socket's time-out is counted as lost and sent again; its first byte is a number that the response
// carries, too, so that a late one is not taken for the next.
int request(Slot &slot, const Transfer &transfer, std::size_t request_size, std::size_t response_size);

// Answers requests until the peer closes or the order is `quit`.
int respond(Slot &slot, const Transfer &transfer, std::size_t request_size, std::size_t response_size);

// The place of a value in the histogram; values beyond its range go to the last place.
[[nodiscard]] std::size_t histogram_index(std::uint64_t nanoseconds);

}  // namespace pathgauge
