#include "loops.hpp"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

#include "calls.hpp"
#include "exchange.hpp"
#include "meter.hpp"
#include "streaming.hpp"
#include "ways.hpp"

namespace pathgauge {
namespace {

ssize_t send_one(const Transfer &transfer, Buffers &buffers) {
  if (transfer.file < 0) {
    return sys_send(transfer.fd, buffers.current(), buffers.size(), MSG_NOSIGNAL);
  }
  auto place = static_cast<off_t>(buffers.index() * buffers.size());
  return sendfile(transfer.fd, transfer.file, &place, buffers.size());
}

// The requests under way, oldest first: when each was sent.
class UnderWay {
 public:
  explicit UnderWay(std::size_t most) : starts_(most) {}
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool full() const { return count_ == starts_.size(); }
  void add(std::uint64_t start) {
    starts_[(first_ + count_) % starts_.size()] = start;
    ++count_;
  }
  std::uint64_t take() {
    const std::uint64_t start = starts_[first_];
    first_ = (first_ + 1) % starts_.size();
    --count_;
    return start;
  }
  void drop_newest() { --count_; }
  void clear() { count_ = 0; }

 private:
  std::vector<std::uint64_t> starts_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

// Answers that come after their requests were given up would be taken for those of the next ones.
void drop_late(const Transfer &transfer, Buffers &answers) {
  while (sys_receive(transfer.fd, answers.current(), answers.size(), MSG_DONTWAIT) >= 0) {
  }
}

class Requester {
 public:
  Requester(Meter &meter, const Transfer &transfer, Buffers &questions, Buffers &answers)
      : meter_(meter),
        transfer_(transfer),
        questions_(questions),
        answers_(answers),
        under_way_(std::size_t{transfer.ahead} + 1) {}

  // Numbers have no meaning where several are in flight: then a late answer is as good as another.
  [[nodiscard]] bool numbered() const { return transfer_.datagrams && transfer_.numbered && transfer_.ahead == 0; }
  [[nodiscard]] bool idle() const { return under_way_.count() == 0; }
  void forget_time() { last_ = 0; }

  // Sends until as many are under way as may be.
  Outcome fill() {
    while (!under_way_.full() && meter_.may_ask(under_way_.count())) {
      meter_.keep_pace();
      if (!meter_.await_turn()) {
        return Outcome::done;
      }
      const std::uint64_t start = start_of_next();
      under_way_.add(start);
      if (numbered()) {
        questions_.current()[0] = static_cast<std::byte>(++number_);
      }
      if (transfer_.peer != nullptr) {
        stamp(start);
      }
      const Outcome outcome = send_whole(meter_, transfer_, questions_, questions_.current());
      if (outcome != Outcome::done) {
        under_way_.drop_newest();
        return outcome;
      }
      questions_.advance();
    }
    return Outcome::done;
  }

  // Receives one response.
  Outcome take() {
    Outcome outcome = receive_whole(meter_, transfer_, answers_, answers_.current());
    // An answer that comes late is another request's: taken for this one's, it would keep the two out of step.
    while (outcome == Outcome::done && numbered() && answers_.current()[0] != static_cast<std::byte>(number_)) {
      if (meter_.quitting() || meter_.expired()) {
        return Outcome::closed;
      }
      meter_.look();
      outcome = receive_whole(meter_, transfer_, answers_, answers_.current());
    }
    if (outcome == Outcome::again) {
      meter_.lost(under_way_.count());
      last_ = under_way_.take();  // the one that takes its place began then: a loss is a long transaction, not a gap
      under_way_.clear();
      repeats_ = true;
      if (!numbered()) {
        drop_late(transfer_, answers_);
      }
    }
    if (outcome == Outcome::done) {
      last_ = read_clock(CLOCK_MONOTONIC);
      meter_.transacted();
      meter_.took(last_ - under_way_.take());
      if (transfer_.peer != nullptr) {
        if (const auto way = since_stamp(Meter::stamp_of(*transfer_.peer), last_, number_)) {
          meter_.took_back(*way);
        }
      }
      answers_.advance();
    }
    return outcome;
  }

 private:
  // On a schedule when it should have started, else when the response before it came, where it starts then.
  [[nodiscard]] std::uint64_t start_of_next() const {
    if (meter_.due() != 0) {
      return meter_.due();
    }
    const bool fresh = last_ != 0 && transfer_.ahead == 0 && transfer_.pace_count == 0;
    return fresh ? last_ : read_clock(CLOCK_MONOTONIC);
  }

  // What keeps to a schedule, or repeats what was lost, began before it is sent; its way does not.
  void stamp(std::uint64_t start) {
    const std::uint64_t begun = repeats_ || meter_.due() != 0 ? read_clock(CLOCK_MONOTONIC) : start;
    meter_.stamp(meter_.in_slice() ? make_stamp(begun, number_) : no_stamp);
    repeats_ = false;
  }

  Meter &meter_;
  const Transfer &transfer_;
  Buffers &questions_;
  Buffers &answers_;
  UnderWay under_way_;
  std::uint64_t last_ = 0;   // when the last response came: the next request starts then
  std::uint8_t number_ = 0;  // of the datagram under way
  bool repeats_ = false;     // the next request takes the place of one that was lost
};

}  // namespace

int send_stream(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  return send_by(slot, transfer, [&](Meter & /*meter*/) {
    const ssize_t part = send_one(transfer, buffers);
    if (part < 0) {
      return Moved{.bytes = -1, .lost = 1};
    }
    buffers.advance();
    return Moved{.bytes = part, .messages = 1};
  });
}

int receive_stream(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  // A datagram counts whole, however small the receive; a stream's bytes are dropped where that is wanted.
  const int flags = receiving(transfer, transfer.datagrams || transfer.discard ? static_cast<unsigned>(MSG_TRUNC) : 0U);
  return receive_by(slot, transfer, [&] {
    const ssize_t part = sys_receive(transfer.fd, buffers.current(), buffers.size(), flags);
    if (part < 0) {
      return Moved{.bytes = -1};
    }
    buffers.advance();
    return Moved{.bytes = part, .messages = part > 0 || (transfer.datagrams && !transfer.marked) ? 1U : 0U};
  });
}

int request(Slot &slot, const Transfer &transfer, Buffers &questions, Buffers &answers) {
  Meter meter(slot, transfer);
  Requester requester(meter, transfer, questions, answers);
  while (!meter.expired() && !meter.transacted_all()) {
    Outcome outcome = Outcome::done;
    if (meter.order() == Order::run) {
      outcome = requester.fill();
    } else if (requester.idle()) {
      if (!meter.await_run()) {
        break;
      }
      requester.forget_time();
      continue;
    } else if (meter.quitting()) {
      break;
    }
    if (outcome == Outcome::done && !requester.idle()) {
      outcome = requester.take();
    }
    if (outcome == Outcome::failed || outcome == Outcome::closed) {
      return ending(meter, outcome);
    }
    if (meter.look()) {
      requester.forget_time();  // what the edge cost is no part of the next transaction
    }
  }
  return ending(meter, Outcome::done);
}

int respond(Slot &slot, const Transfer &transfer, Buffers &questions, Buffers &answers) {
  Meter meter(slot, transfer);
  WayThere there(meter, transfer);
  publish_state(slot, State::running);
  while (!meter.expired() && !meter.quitting() && !meter.transacted_all()) {
    Outcome outcome = receive_whole(meter, transfer, questions, questions.current());
    if (outcome == Outcome::done) {
      if (transfer.datagrams && transfer.numbered) {
        answers.current()[0] = questions.current()[0];  // says which request it answers
      }
      if (transfer.peer != nullptr) {
        there.take(questions.current()[0]);
      }
      outcome = send_whole(meter, transfer, answers, answers.current());
      meter.transacted();
      questions.advance();
      answers.advance();
    }
    if (outcome == Outcome::failed || outcome == Outcome::closed) {
      return ending(meter, outcome);
    }
    meter.look();
  }
  return ending(meter, Outcome::done);
}

}  // namespace pathgauge
