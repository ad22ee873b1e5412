#include "many.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace pathgauge {
namespace {

constexpr int idle_milliseconds = 100;  // how often a loop with nothing to do looks at its deadline

}  // namespace

Watch::Watch() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
}

Watch::~Watch() { close(epoll_); }

bool Watch::add(int fd, std::uint32_t events, std::uint32_t place) const {
  epoll_event wanted{.events = events, .data = {.u32 = place}};
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &wanted) == 0;
}

bool Watch::change(int fd, std::uint32_t events, std::uint32_t place) const {
  epoll_event wanted{.events = events, .data = {.u32 = place}};
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &wanted) == 0;
}

int Watch::wait(bool spin) {
  const int ready = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), spin ? 0 : idle_milliseconds);
  return ready < 0 && errno == EINTR ? 0 : ready;
}

Shares::Shares(std::size_t places, std::span<std::uint64_t> edges) : counts_(places), edges_(edges) {
  if (places == 0 || edges.size() < 2 * (places + 1)) {
    throw std::out_of_range("the board has no room for so many flows");
  }
}

void Shares::publish(std::uint32_t edge, std::uint64_t of_all) const {
  const std::size_t each = edges_.size() / 2;
  const std::span<std::uint64_t> place = edges_.subspan((edge + 1) % 2 * each, each);
  std::ranges::copy(counts_, place.begin() + 1);
  place.front() = of_all;
}

}  // namespace pathgauge
