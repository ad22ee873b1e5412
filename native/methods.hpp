// The loops of a stream that spare the kernel, or the socket, some of the plain loop's work (loops.hpp).
//
// They take orders, end, count and publish as the plain loops do. One of `splice` counts a message when all of it has
// gone. The buffers sent from are never written while a loop runs, so that pages may be sent in place.
#pragma once

#include <cstddef>

#include "board.hpp"
#include "buffers.hpp"
#include "loops.hpp"

namespace pathgauge {

// The most datagrams of one call; with UDP_SEGMENT older kernels take no more either.
constexpr unsigned most_at_once = 64;

// What a pipe holds at most without privilege, in bytes.
constexpr std::size_t most_in_pipe = std::size_t{1} << 20U;

// TCP. The pages of one buffer are put into a pipe once; for each message they are duplicated and moved to the socket.
int send_spliced(Slot &slot, const Transfer &transfer, Buffers &buffers);

// TCP, over a socket with SO_ZEROCOPY. Counts the completions, and those that say that the kernel copied after all.
int send_zerocopy(Slot &slot, const Transfer &transfer, Buffers &buffers);

// UDP: `most_at_once` datagrams in one sendmmsg.
int send_batches(Slot &slot, const Transfer &transfer, Buffers &buffers);

// UDP, over a socket with UDP_SEGMENT: each buffer is sent whole, as datagrams of `transfer.segment` bytes.
int send_segments(Slot &slot, const Transfer &transfer, Buffers &buffers);

// TCP: from the socket into a pipe, and from there into nothing; at once as many bytes as a buffer has, or a pipe.
int receive_spliced(Slot &slot, const Transfer &transfer, Buffers &buffers);

// UDP: up to `most_at_once` datagrams in one recvmmsg, all into one buffer.
int receive_batches(Slot &slot, const Transfer &transfer, Buffers &buffers);

// UDP, over a socket with UDP_GRO: several datagrams of one size as one.
int receive_coalesced(Slot &slot, const Transfer &transfer, Buffers &buffers);

}  // namespace pathgauge
