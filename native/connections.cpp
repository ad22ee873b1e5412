#include "connections.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "exchange.hpp"
#include "meter.hpp"

namespace pathgauge {
namespace {

class Closing {
 public:
  explicit Closing(int fd) : fd_(fd) {}
  ~Closing() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Closing(const Closing &) = delete;
  Closing &operator=(const Closing &) = delete;
  Closing(Closing &&) = delete;
  Closing &operator=(Closing &&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// Until the peer has closed.
Outcome await_close(Meter &meter, int fd) {
  char byte = 0;
  while (true) {
    const ssize_t part = recv(fd, &byte, 1, 0);
    if (part == 0) {
      return Outcome::done;
    }
    if (part < 0 && !is_timeout(errno)) {
      return Outcome::failed;
    }
    if (meter.quitting() || meter.expired()) {
      return Outcome::closed;
    }
    meter.look();
  }
}

Transfer over(const Transfer &transfer, int fd) {
  Transfer one = transfer;
  one.fd = fd;
  return one;
}

Outcome ask_once(Meter &meter, const Transfer &transfer, Connector &connector, Buffers *questions, Buffers *answers) {
  const Closing connection(connector.open());
  if (connection.fd() < 0) {
    return is_timeout(errno) ? Outcome::again : Outcome::failed;
  }
  const Transfer one = over(transfer, connection.fd());
  if (questions != nullptr && answers != nullptr) {
    Outcome outcome = send_whole(meter, one, *questions, questions->current());
    if (outcome == Outcome::done) {
      outcome = receive_whole(meter, one, *answers, answers->current());
    }
    if (outcome != Outcome::done) {
      return outcome;
    }
  }
  return await_close(meter, connection.fd());
}

Outcome answer_once(Meter &meter, const Transfer &transfer, Buffers *questions, Buffers *answers) {
  const Closing connection(accept4(transfer.fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (connection.fd() < 0) {
    return is_timeout(errno) || errno == ECONNABORTED ? Outcome::again : Outcome::failed;
  }
  if (questions == nullptr || answers == nullptr) {
    return Outcome::done;
  }
  const Transfer one = over(transfer, connection.fd());
  Outcome outcome = receive_whole(meter, one, *questions, questions->current());
  if (outcome == Outcome::done) {
    outcome = send_whole(meter, one, *answers, answers->current());
  }
  // A client that went away in the middle ends its own connection, not the test.
  return outcome == Outcome::done ? Outcome::done : Outcome::again;
}

}  // namespace

int connect_transact(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Buffers *questions,
                     Buffers *answers) {
  Meter meter(slot, transfer);
  Connector connector(plan, true);
  while (meter.await_run() && !meter.expired() && !meter.transacted_all()) {
    meter.keep_pace();
    if (!meter.await_turn()) {
      meter.look();
      continue;
    }
    const std::uint64_t start = meter.due() != 0 ? meter.due() : read_clock(CLOCK_MONOTONIC);
    const Outcome outcome = ask_once(meter, transfer, connector, questions, answers);
    if (outcome == Outcome::failed) {
      return ending(meter, outcome);
    }
    if (outcome == Outcome::done) {
      meter.transacted();
      meter.took(read_clock(CLOCK_MONOTONIC) - start);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

int accept_transact(Slot &slot, const Transfer &transfer, Buffers *questions, Buffers *answers) {
  Meter meter(slot, transfer);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting() && !meter.transacted_all()) {
    const Outcome outcome = answer_once(meter, transfer, questions, answers);
    if (outcome == Outcome::failed) {
      return ending(meter, outcome);
    }
    if (outcome == Outcome::done) {
      meter.transacted();
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
