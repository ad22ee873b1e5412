#include "flows.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>

#include "meter.hpp"

namespace pathgauge {
namespace {

constexpr int idle_milliseconds = 100;  // how often a loop with nothing to do looks at its deadline

// One call that sends of the message at hand: `again` where some of it is left.
Outcome push(Meter &meter, Flow &flow, Buffers &buffers) {
  const std::size_t left = buffers.size() - flow.done;
  const ssize_t part = send(flow.fd, buffers.current() + flow.done, left, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (part < 0 && !is_timeout(errno)) {
    return Outcome::failed;
  }
  const std::size_t gone = part < 0 ? 0 : static_cast<std::size_t>(part);
  const bool whole = gone == left;
  meter.sent(gone, whole ? 1 : 0);
  flow.done = whole ? 0 : flow.done + gone;
  if (whole) {
    buffers.advance();
  }
  return whole ? Outcome::done : Outcome::again;
}

// One call that receives of the message at hand.
Outcome pull(Meter &meter, Flow &flow, Buffers &buffers) {
  const std::size_t left = buffers.size() - flow.done;
  const ssize_t part = recv(flow.fd, buffers.current() + flow.done, left, MSG_DONTWAIT);
  if (part == 0) {
    return Outcome::closed;
  }
  if (part < 0) {
    return is_timeout(errno) ? Outcome::again : Outcome::failed;
  }
  const auto come = static_cast<std::size_t>(part);
  const bool whole = come == left;
  meter.received(come, whole ? 1 : 0);
  flow.done = whole ? 0 : flow.done + come;
  return whole ? Outcome::done : Outcome::again;
}

class Requesters {
 public:
  Requesters(Meter &meter, Flows &flows, Buffers &questions, Buffers &answers)
      : meter_(meter), flows_(flows), questions_(questions), answers_(answers) {}

  [[nodiscard]] bool idle() const { return under_way_ == 0; }

  // A request on every flow, all of which are idle.
  Outcome ask_all() {
    for (Flow &flow : flows_.all()) {
      const Outcome outcome = ask(flow, read_clock(CLOCK_MONOTONIC));
      if (outcome == Outcome::failed) {
        return outcome;
      }
      meter_.look();
    }
    return Outcome::done;
  }

  // What a flow that is ready is ready for.
  Outcome step(Flow &flow) {
    if (flow.sends) {
      return send_on(flow);
    }
    const Outcome outcome = pull(meter_, flow, answers_);
    if (outcome != Outcome::done) {
      return outcome;
    }
    const std::uint64_t now = read_clock(CLOCK_MONOTONIC);
    meter_.transacted();
    meter_.took(now - flow.start);
    flows_.count(flow, 1);
    --under_way_;
    return meter_.order() == Order::run ? ask(flow, now) : Outcome::done;
  }

 private:
  Outcome ask(Flow &flow, std::uint64_t now) {
    if (!meter_.may_ask(under_way_)) {
      return Outcome::done;
    }
    ++under_way_;
    flow.start = now;
    flow.sends = true;
    return send_on(flow);
  }

  Outcome send_on(Flow &flow) {
    const Outcome outcome = push(meter_, flow, questions_);
    flow.sends = outcome == Outcome::again;
    flows_.look_for_room(flow, flow.sends);
    return outcome;
  }

  Meter &meter_;
  Flows &flows_;
  Buffers &questions_;
  Buffers &answers_;
  std::uint64_t under_way_ = 0;
};

// A request that is whole is answered at once, and the flow reads on when the answer has gone.
Outcome answer(Meter &meter, Flows &flows, Flow &flow, Buffers &questions, Buffers &answers) {
  if (!flow.sends) {
    const Outcome outcome = pull(meter, flow, questions);
    if (outcome != Outcome::done) {
      return outcome;
    }
    flow.sends = true;
  }
  const Outcome outcome = push(meter, flow, answers);
  flow.sends = outcome == Outcome::again;
  flows.look_for_room(flow, flow.sends);
  if (outcome == Outcome::done) {
    meter.transacted();
    flows.count(flow, 1);
  }
  return outcome;
}

}  // namespace

Flows::Flows(const std::vector<int> &sockets, std::span<std::uint64_t> edges)
    : counts_(sockets.size()), edges_(edges), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
  if (sockets.empty() || edges.size() < 2 * (sockets.size() + 1)) {
    close(epoll_);
    throw std::out_of_range("the board has no room for so many flows");
  }
  flows_.reserve(sockets.size());
  for (const int socket : sockets) {
    Flow &flow = flows_.emplace_back(Flow{.fd = socket, .place = static_cast<std::uint32_t>(flows_.size())});
    epoll_event wanted{.events = EPOLLIN, .data = {.u32 = flow.place}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &wanted) != 0) {
      const int error = errno;
      close(epoll_);
      throw std::system_error(error, std::generic_category(), "epoll");
    }
  }
}

Flows::~Flows() { close(epoll_); }

void Flows::look_for_room(Flow &flow, bool wanted) const {
  if (flow.wants_room != wanted) {
    flow.wants_room = wanted;
    epoll_event event{.events = wanted ? EPOLLOUT : EPOLLIN, .data = {.u32 = flow.place}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, flow.fd, &event);
  }
}

int Flows::wait(bool spin) {
  const int ready = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), spin ? 0 : idle_milliseconds);
  return ready < 0 && errno == EINTR ? 0 : ready;
}

void Flows::publish(std::uint32_t edge) const {
  const std::size_t each = edges_.size() / 2;
  const std::span<std::uint64_t> place = edges_.subspan((edge + 1) % 2 * each, each);
  std::ranges::copy(counts_, place.begin() + 1);
  place.front() = 0;
  for (const Flow &flow : sending_ ? std::span(flows_) : std::span<const Flow>()) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (getsockopt(flow.fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
      place.front() += info.tcpi_total_retrans;
    }
  }
}

int send_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &buffers) {
  Meter meter(slot, transfer, &flows);
  flows.count_retransmits();
  for (Flow &flow : flows.all()) {
    flows.look_for_room(flow, true);
  }
  while (meter.await_run() && !meter.expired() && !meter.sent_all()) {
    const Outcome outcome = flows.serve(meter, transfer, [&](Flow &flow) {
      if (meter.order() != Order::run) {
        return Outcome::again;
      }
      const std::size_t before = flow.done;
      const Outcome sent = push(meter, flow, buffers);
      flows.count(flow, (sent == Outcome::done ? buffers.size() : flow.done) - before);
      return sent;
    });
    if (outcome == Outcome::failed) {
      return ending(meter, outcome);
    }
  }
  return ending(meter, Outcome::done);
}

int receive_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &buffers) {
  Meter meter(slot, transfer, &flows);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting() && !meter.received_all()) {
    const Outcome outcome = flows.serve(meter, transfer, [&](Flow &flow) {
      const ssize_t part = recv(flow.fd, buffers.current(), buffers.size(), MSG_DONTWAIT);
      if (part > 0) {
        meter.received(static_cast<std::size_t>(part));
        flows.count(flow, static_cast<std::uint64_t>(part));
        buffers.advance();
        return Outcome::done;
      }
      if (part == 0) {
        return Outcome::closed;
      }
      return is_timeout(errno) ? Outcome::again : Outcome::failed;
    });
    if (outcome != Outcome::done) {
      return ending(meter, outcome);
    }
  }
  return ending(meter, Outcome::done);
}

int request_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &questions, Buffers &answers) {
  Meter meter(slot, transfer, &flows);
  flows.count_retransmits();
  Requesters requesters(meter, flows, questions, answers);
  while (!meter.expired() && !meter.transacted_all() && !meter.quitting()) {
    Outcome outcome = Outcome::done;
    if (requesters.idle()) {
      if (!meter.await_run()) {
        break;
      }
      outcome = requesters.ask_all();
    }
    if (outcome == Outcome::done) {
      outcome = flows.serve(meter, transfer, [&](Flow &flow) { return requesters.step(flow); });
    }
    if (outcome != Outcome::done) {
      return ending(meter, outcome);
    }
  }
  return ending(meter, Outcome::done);
}

int respond_flows(Slot &slot, const Transfer &transfer, Flows &flows, Buffers &questions, Buffers &answers) {
  Meter meter(slot, transfer, &flows);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting() && !meter.transacted_all()) {
    const Outcome outcome =
        flows.serve(meter, transfer, [&](Flow &flow) { return answer(meter, flows, flow, questions, answers); });
    if (outcome != Outcome::done) {
      return ending(meter, outcome);
    }
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
