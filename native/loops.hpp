// The loops that move bytes over a connected socket, and nothing else.
//
// Each runs until it is told to quit, its peer closes, an error, its limit, or the deadline (CLOCK_MONOTONIC, ns);
// nothing is allocated inside. A loop that sleeps in a call of its socket hears orders only after it: who gives one
// shuts the socket down or nudges the slot (board.hpp). A time-out of the socket would do as well, but costs a timer in
// every call that sleeps, 2 % of a transaction; only a datagram's requester needs one, to ask again. All return 0 or an
// errno, which also stands in the slot.
#pragma once

#include <cstddef>
#include <cstdint>

#include "board.hpp"
#include "buffers.hpp"

namespace pathgauge {

struct Transfer {
  int fd = -1;
  bool datagrams = false;
  std::uint64_t deadline_ns = 0;
  std::uint64_t limit = 0;       // bytes of a stream, or transactions, after which the loop ends; 0: none
  std::uint32_t ahead = 0;       // requests in flight besides the one whose answer is awaited
  std::uint32_t pace_count = 0;  // operations in each interval of pace_ns; 0: as fast as they go
  std::uint64_t pace_ns = 0;
  int file = -1;         // send from this file with sendfile, which must hold the whole ring
  bool record = false;   // every operation's time goes into the histogram, those outside of a slice, too
  bool numbered = true;  // a datagram's first byte says which request it is or answers
  bool marked = false;   // an empty datagram ends the loop
  bool discard = false;  // received bytes are dropped in the kernel, not copied
  bool spin = false;     // who receives asks again and again instead of sleeping, while its order is `run`
  bool poll = false;     // who receives sleeps in poll(2), not in the call that receives
  std::uint64_t patience_ns =
      0;                      // after which who spins gives a datagram up, as a time-out of the socket does; 0: never
  double period_ns = 0;       // between the starts of two operations, which keep to a schedule; 0: there is none
  std::uint32_t segment = 0;  // what one buffer's bytes are cut into on a socket with UDP_SEGMENT; 0: nothing
  // The other end's slot, where each way of a transaction is timed apart (ways.hpp): one request is then in flight, its
  // datagrams are numbered. The responder's histogram takes the requests' times, that of `back` the responses'.
  const Slot *peer = nullptr;
  Slot *back = nullptr;  // the requester's
};

// Sends the buffers in turn while the order is `run`. Datagrams that the kernel refuses for want of room are counted as
// lost.
int send_stream(Slot &slot, const Transfer &transfer, Buffers &buffers);

// Receives into the buffers until the peer closes or the order is `quit`.
int receive_stream(Slot &slot, const Transfer &transfer, Buffers &buffers);

// Sends requests, awaits responses, records the time between, while the order is `run`. A datagram that brings no
// response before the socket's time-out is counted as lost and sent again.
int request(Slot &slot, const Transfer &transfer, Buffers &questions, Buffers &answers);

// Answers requests until the peer closes or the order is `quit`.
int respond(Slot &slot, const Transfer &transfer, Buffers &questions, Buffers &answers);

}  // namespace pathgauge
