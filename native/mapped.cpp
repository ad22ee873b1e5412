#include "mapped.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "meter.hpp"
#include "streaming.hpp"

namespace pathgauge {
namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t most_mapped = std::size_t{1} << 30U;

// Addresses at which the pages of a socket are seen.
class Window {
 public:
  Window(int fd, std::size_t bytes) : bytes_(std::clamp(bytes / page_size * page_size, page_size, most_mapped)) {
    void *const start = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd, 0);
    start_ = start == MAP_FAILED ? nullptr : start;
    error_ = start == MAP_FAILED ? errno : 0;
  }
  ~Window() {
    if (start_ != nullptr) {
      munmap(start_, bytes_);
    }
  }
  Window(const Window &) = delete;
  Window &operator=(const Window &) = delete;
  Window(Window &&) = delete;
  Window &operator=(Window &&) = delete;
  [[nodiscard]] int error() const { return error_; }

  // Maps what can be; `.recv_skip_hint` then is how many bytes behind that cannot. Where the call fails there is
  // nothing to map: who receives learns why.
  [[nodiscard]] tcp_zerocopy_receive map(int fd) const {
    tcp_zerocopy_receive asked{};
    asked.address = std::bit_cast<std::uintptr_t>(start_);
    asked.length = static_cast<std::uint32_t>(bytes_);
    socklen_t size = sizeof(asked);
    return getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &asked, &size) == 0 ? asked : tcp_zerocopy_receive{};
  }

 private:
  std::size_t bytes_;
  void *start_ = nullptr;
  int error_ = 0;
};

}  // namespace

int receive_mapped(Slot &slot, const Transfer &transfer, Buffers &buffers) {
  const Window window(transfer.fd, buffers.size());
  if (window.error() != 0) {
    return Meter(slot, transfer).end(window.error());
  }
  Transfer waiting = transfer;
  waiting.poll = !transfer.spin;  // the call that maps does not sleep
  return receive_by(slot, waiting, [&] {
    const tcp_zerocopy_receive seen = window.map(transfer.fd);
    Moved moved{.bytes = seen.length, .messages = seen.length > 0 ? 1U : 0U, .mapped = seen.length};
    if (seen.length > 0 && seen.recv_skip_hint == 0) {
      return moved;
    }
    const std::size_t most = seen.recv_skip_hint == 0 ? buffers.size() : seen.recv_skip_hint;
    const ssize_t copied = recv(transfer.fd, buffers.current(), std::min(buffers.size(), most), MSG_DONTWAIT);
    if (seen.length == 0) {
      return Moved{.bytes = copied, .messages = copied > 0 ? 1U : 0U};
    }
    moved.bytes += std::max<ssize_t>(copied, 0);
    return moved;
  });
}

}  // namespace pathgauge
