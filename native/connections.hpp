// The loops whose transactions are connections: TCP_CRR, and TCP_CC where nothing is sent over them.
#pragma once

#include "board.hpp"
#include "buffers.hpp"
#include "connector.hpp"
#include "loops.hpp"

namespace pathgauge {

// For each transaction a new connection: connects, sends a request, receives the response, awaits the peer's close;
// without questions it only connects and awaits the close. `transfer.fd` is not used.
int connect_transact(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Buffers *questions,
                     Buffers *answers);

// Accepts from the listening `transfer.fd`, answers one request on each connection, or none, and closes first.
int accept_transact(Slot &slot, const Transfer &transfer, Buffers *questions, Buffers *answers);

}  // namespace pathgauge
