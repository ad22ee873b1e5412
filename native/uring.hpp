// The loops of a stream that hand their sends and receives to the kernel through a ring of io_uring (ring.hpp).
//
// They take orders, end, count and publish as the plain loops do (loops.hpp). Messages of a stream are sent in order,
// and counted when all of each has gone. The buffers sent from are never written while a loop runs.
#pragma once

#include "board.hpp"
#include "buffers.hpp"
#include "loops.hpp"

namespace pathgauge {

// Some messages are handed over at once, one where they keep to a schedule.
int send_ring(Slot &slot, const Transfer &transfer, Buffers &buffers);

// The same from locked memory that the kernel need not copy. Counts the notices, and those that say that it did.
int send_ring_zerocopy(Slot &slot, const Transfer &transfer, Buffers &buffers);

// One request that goes on; the kernel takes one of the buffers for whatever comes.
int receive_ring(Slot &slot, const Transfer &transfer, Buffers &buffers);

}  // namespace pathgauge
