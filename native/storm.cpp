#include "storm.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

#include "meter.hpp"

namespace pathgauge {
namespace {

// Until the peer has closed: one call.
Outcome look_for_close(int fd) {
  char byte = 0;
  const ssize_t part = recv(fd, &byte, 1, MSG_DONTWAIT);
  if (part < 0) {
    return is_timeout(errno) ? Outcome::again : Outcome::failed;
  }
  return part == 0 ? Outcome::done : Outcome::again;
}

class Callers {
 public:
  Callers(Meter &meter, const ConnectPlan &plan, Places &places, Buffers *questions, Buffers *answers)
      : meter_(meter), connector_(plan, false), places_(places), questions_(questions), answers_(answers) {}

  // Whether another connection should be under way.
  [[nodiscard]] bool wanting() const {
    return !places_.full() && meter_.order() == Order::run && meter_.may_ask(places_.under_way());
  }

  // No more at a time than are served at a time, so that the first are not kept waiting for the last.
  Outcome call_some() {
    for (std::size_t turn = 0; turn < Watch::most_events && wanting(); ++turn) {
      if (begin() == Outcome::failed) {
        return Outcome::failed;
      }
      meter_.look();
    }
    return Outcome::done;
  }

  // What a connection that is ready is ready for, and another in its place when it is over.
  Outcome step(Place &place) {
    const Outcome outcome = advance(place);
    if (outcome == Outcome::again || outcome == Outcome::failed) {
      return outcome;
    }
    const std::uint64_t start = place.flow.start;
    places_.leave(place);
    if (outcome == Outcome::done) {  // the peer did not close before it had answered
      meter_.transacted();
      meter_.took(read_clock(CLOCK_MONOTONIC) - start);
      places_.count(place);
    }
    return wanting() ? begin() : Outcome::done;
  }

 private:
  Outcome begin() {
    const std::uint64_t start = read_clock(CLOCK_MONOTONIC);
    const int fd = connector_.open();
    if (fd < 0) {
      return Outcome::failed;
    }
    Place &place = places_.take(fd);
    place.flow.start = start;
    place.flow.sends = questions_ != nullptr;
    place.heard = questions_ == nullptr;
    return place.flow.sends ? ask(place) : places_.await(place, EPOLLIN);
  }

  // `done` with the peer's close behind its answer, `closed` with one before.
  Outcome advance(Place &place) {
    if (place.flow.sends) {
      return ask(place);
    }
    if (!place.heard) {
      const Outcome outcome = receive_part(meter_, place.flow, *answers_);
      if (outcome != Outcome::done) {
        return outcome;
      }
      place.heard = true;
    }
    return look_for_close(place.flow.fd);
  }

  // Over a connection that is not made yet there is no room, either.
  Outcome ask(Place &place) {
    const Outcome outcome = send_part(meter_, place.flow, *questions_);
    if (outcome == Outcome::failed) {
      return outcome;
    }
    place.flow.sends = outcome == Outcome::again;
    return places_.await(place, place.flow.sends ? EPOLLOUT : EPOLLIN);
  }

  Meter &meter_;
  Connector connector_;
  Places &places_;
  Buffers *questions_;
  Buffers *answers_;
};

class Taker {
 public:
  Taker(Meter &meter, int listener, Places &places, Buffers *questions, Buffers *answers)
      : meter_(meter), listener_(listener), places_(places), questions_(questions), answers_(answers) {}

  // False with errno.
  [[nodiscard]] bool begin() { return places_.watch().add(listener_, EPOLLIN, of_listener); }

  // Accepts, or does what a connection that is ready is ready for.
  Outcome step(std::uint32_t number) {
    const Outcome outcome = number == of_listener ? accept_some() : answer(places_[number]);
    return outcome != Outcome::failed && !listen() ? Outcome::failed : outcome;
  }

 private:
  static constexpr std::uint32_t of_listener = UINT32_MAX;

  // Lets those that want in wait while there is no room for them. False with errno.
  [[nodiscard]] bool listen() {
    const bool wanted = !places_.full();
    if (wanted == listens_) {
      return true;
    }
    listens_ = wanted;
    return places_.watch().change(listener_, wanted ? std::uint32_t{EPOLLIN} : 0, of_listener);
  }

  // No more at a time than are answered at a time, so that none of either waits for long.
  Outcome accept_some() {
    for (std::size_t turn = 0; turn < Watch::most_events && !places_.full(); ++turn) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0 && errno != ECONNABORTED) {
        return is_timeout(errno) ? Outcome::again : Outcome::failed;
      }
      if (fd >= 0 && take(fd) == Outcome::failed) {
        return Outcome::failed;
      }
      meter_.look();
    }
    return Outcome::done;
  }

  Outcome take(int fd) {
    Place &place = places_.take(fd);
    if (questions_ != nullptr) {
      return answer(place);  // what was asked has often come already
    }
    places_.leave(place);
    meter_.transacted();
    return Outcome::done;
  }

  // A client that went away in the middle ends its own connection, not the test.
  Outcome answer(Place &place) {
    Outcome outcome = Outcome::done;
    if (!place.flow.sends) {
      outcome = receive_part(meter_, place.flow, *questions_);
      if (outcome == Outcome::again) {
        return places_.await(place, EPOLLIN);
      }
      place.flow.sends = outcome == Outcome::done;
    }
    if (place.flow.sends) {
      outcome = send_part(meter_, place.flow, *answers_);
      if (outcome == Outcome::again) {
        return places_.await(place, EPOLLOUT);
      }
    }
    places_.leave(place);
    if (outcome == Outcome::done) {
      meter_.transacted();
    }
    return Outcome::done;
  }

  Meter &meter_;
  int listener_;
  Places &places_;
  Buffers *questions_;
  Buffers *answers_;
  bool listens_ = true;
};

// As `ending` does, with all connections closed.
int ending_many(Meter &meter, Outcome outcome, Places &places) {
  const int error = errno;
  places.clear();
  errno = error;
  return ending(meter, outcome);
}

}  // namespace

Places::Places(std::size_t count, std::span<std::uint64_t> edges) : shares_(count, edges), places_(count) {
  spare_.reserve(count);
  for (std::size_t left = count; left > 0; --left) {
    places_[left - 1].flow.place = static_cast<std::uint32_t>(left - 1);
    spare_.push_back(static_cast<std::uint32_t>(left - 1));
  }
}

Place &Places::take(int fd) {
  Place &place = places_[spare_.back()];
  spare_.pop_back();
  place = Place{.flow = {.fd = fd, .place = place.flow.place}};
  return place;
}

void Places::leave(Place &place) {
  close(place.flow.fd);
  place.flow.fd = -1;
  spare_.push_back(place.flow.place);
}

void Places::clear() {
  for (Place &place : places_) {
    if (place.flow.fd >= 0) {
      leave(place);
    }
  }
}

Outcome Places::await(Place &place, std::uint32_t events) const {
  if (place.awaited == events) {
    return Outcome::again;
  }
  const bool known = place.awaited != 0;
  place.awaited = events;
  const Flow &flow = place.flow;
  const bool watched = known ? watch_.change(flow.fd, events, flow.place) : watch_.add(flow.fd, events, flow.place);
  return watched ? Outcome::again : Outcome::failed;
}

int connect_many(Slot &slot, const Transfer &transfer, const ConnectPlan &plan, Places &places, Buffers *questions,
                 Buffers *answers) {
  Meter meter(slot, transfer, &places);
  Callers callers(meter, plan, places, questions, answers);
  while (!meter.expired() && !meter.transacted_all() && !meter.quitting()) {
    if (places.under_way() == 0 && !meter.await_run()) {
      break;
    }
    Outcome outcome = callers.call_some();
    if (outcome == Outcome::done) {
      outcome = places.watch().serve(meter, callers.wanting(),
                                     [&](std::uint32_t place) { return callers.step(places[place]); });
    }
    if (outcome == Outcome::failed) {
      return ending_many(meter, outcome, places);
    }
  }
  return ending_many(meter, Outcome::done, places);
}

int accept_many(Slot &slot, const Transfer &transfer, Places &places, Buffers *questions, Buffers *answers) {
  Meter meter(slot, transfer, &places);
  Taker taker(meter, transfer.fd, places, questions, answers);
  publish_state(slot, State::running);
  Outcome outcome = taker.begin() ? Outcome::done : Outcome::failed;
  while (outcome != Outcome::failed && !meter.expired() && !meter.quitting() && !meter.transacted_all()) {
    outcome = places.watch().serve(meter, false, [&](std::uint32_t place) { return taker.step(place); });
  }
  return ending_many(meter, outcome, places);
}

}  // namespace pathgauge
