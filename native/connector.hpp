// New connections, one after the other, as a plan says.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

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

class Connector {
 public:
  Connector(const ConnectPlan &plan, bool blocks);

  // A connected socket, or one that does not block and is about to be; -1 with errno.
  [[nodiscard]] int open();

 private:
  std::uint16_t take_port();
  [[nodiscard]] int open_from(std::uint16_t port);

  const ConnectPlan &plan_;
  bool blocks_;
  sockaddr_storage local_;
  std::uint32_t next_ = 0;
};

}  // namespace pathgauge
