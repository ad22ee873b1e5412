// The loop of a stream that has its pages mapped instead of copied (TCP_ZEROCOPY_RECEIVE).
#pragma once

#include "board.hpp"
#include "buffers.hpp"
#include "loops.hpp"

namespace pathgauge {

// TCP. Maps whole pages of what has come, over those that were mapped before, as many as a buffer holds; what cannot be
// mapped is received into the buffer. Takes orders, ends, counts and publishes as the plain loop does (loops.hpp).
int receive_mapped(Slot &slot, const Transfer &transfer, Buffers &buffers);

}  // namespace pathgauge
