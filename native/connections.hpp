// The loops whose transactions are connections: TCP_CRR, and TCP_CC where nothing is sent over them.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

#include "loops.hpp"

namespace pathgauge {

struct SocketOption {
  int level;
  int name;
  int value;
};

// Where connections come from and go to.
struct ConnectPlan {
  sockaddr_storage local{};
  sockaddr_storage remote{};
  socklen_t length = 0;
  std::uint16_t low = 0;  // local ports are taken in turn from low to high; 0: the kernel chooses
  std::uint16_t high = 0;
  std::vector<SocketOption> options;
};

// Numeric addresses of one family; throws std::invalid_argument for others and for a range that is none.
[[nodiscard]] ConnectPlan make_connect_plan(const std::string &local, const std::string &remote, std::uint16_t port,
                                            std::uint16_t low, std::uint16_t high, std::vector<SocketOption> options);

// For each transaction a new connection: connects, sends a request, receives the response, awaits the peer's close;
// without questions it only connects and awaits the close. `transfer.fd` is not used.
int connect_transact(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Buffers *questions,
                     Buffers *answers);

// Accepts from the listening `transfer.fd`, answers one request on each connection, or none, and closes first.
int accept_transact(Slot &slot, const Transfer &transfer, Buffers *questions, Buffers *answers);

}  // namespace pathgauge
