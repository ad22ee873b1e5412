#include "flows.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <tuple>

#include "calls.hpp"
#include "meter.hpp"

namespace pathgauge {

Outcome send_part(Meter &meter, Flow &flow, Buffers &buffers) {
  const std::size_t left = buffers.size() - flow.done;
  const ssize_t part = sys_send(flow.fd, buffers.current() + flow.done, left, MSG_NOSIGNAL | MSG_DONTWAIT);
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

Outcome receive_part(Meter &meter, Flow &flow, Buffers &buffers) {
  const std::size_t left = buffers.size() - flow.done;
  const ssize_t part = sys_receive(flow.fd, buffers.current() + flow.done, left, MSG_DONTWAIT);
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

namespace {

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
    const Outcome outcome = receive_part(meter_, flow, answers_);
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
    const Outcome outcome = send_part(meter_, flow, questions_);
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
    const Outcome outcome = receive_part(meter, flow, questions);
    if (outcome != Outcome::done) {
      return outcome;
    }
    flow.sends = true;
  }
  const Outcome outcome = send_part(meter, flow, answers);
  flow.sends = outcome == Outcome::again;
  flows.look_for_room(flow, flow.sends);
  if (outcome == Outcome::done) {
    meter.transacted();
    flows.count(flow, 1);
  }
  return outcome;
}

}  // namespace

Flows::Flows(const std::vector<int> &sockets, std::span<std::uint64_t> edges) : shares_(sockets.size(), edges) {
  flows_.reserve(sockets.size());
  for (const int socket : sockets) {
    const Flow &flow = flows_.emplace_back(Flow{.fd = socket, .place = static_cast<std::uint32_t>(flows_.size())});
    if (!watch_.add(socket, EPOLLIN, flow.place)) {
      throw std::system_error(errno, std::generic_category(), "epoll");
    }
  }
}

void Flows::look_for_room(Flow &flow, bool wanted) const {
  if (flow.wants_room != wanted) {
    flow.wants_room = wanted;
    std::ignore = watch_.change(flow.fd, wanted ? EPOLLOUT : EPOLLIN, flow.place);
  }
}

void Flows::publish(std::uint32_t edge) const {
  std::uint64_t retransmits = 0;
  for (const Flow &flow : sending_ ? std::span(flows_) : std::span<const Flow>()) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (getsockopt(flow.fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
      retransmits += info.tcpi_total_retrans;
    }
  }
  shares_.publish(edge, retransmits);
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
      const Outcome sent = send_part(meter, flow, buffers);
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
      const ssize_t part = sys_receive(flow.fd, buffers.current(), buffers.size(), MSG_DONTWAIT);
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
