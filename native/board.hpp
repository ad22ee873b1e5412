// The shared memory through which the controller gives orders and the loops publish what they did.
//
// One slot belongs to one end of one connection. The controller writes `order` and `edge_asked`, the loop all the rest;
// nobody else writes. The loop at the other end reads `stamp`, and no more. Every field that both sides touch while a
// loop runs is atomic; the edges and the histogram are plain and are published by the release of `edge_done` and
// `state`.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pathgauge {

// An HDR histogram of nanoseconds with 3 significant digits: 2048 sub-buckets, values up to 2^37 ns (137 s).
constexpr unsigned sub_bucket_magnitude = 11;
constexpr std::size_t half_sub_buckets = std::size_t{1} << (sub_bucket_magnitude - 1);
constexpr std::size_t histogram_size = 27 * half_sub_buckets + half_sub_buckets;
constexpr std::size_t tcp_info_capacity = 512;

enum class Order : std::uint32_t { pause = 0, run = 1, quit = 2 };
enum class State : std::uint32_t { starting = 0, paused = 1, running = 2, ended = 3 };

// All counters of an end at one moment, taken by the loop itself between two messages.
struct Edge {
  std::uint64_t time_ns;
  std::uint64_t cpu_ns;
  std::uint64_t bytes_sent;
  std::uint64_t bytes_received;
  std::uint64_t messages_sent;
  std::uint64_t messages_received;
  std::uint64_t transactions;
  std::uint64_t tcp_info_size;
  std::array<std::byte, tcp_info_capacity> tcp_info;
};

// It parts the lines that different threads write, and is made with all of it 0.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding,cppcoreguidelines-pro-type-member-init)
struct alignas(64) Slot {
  std::atomic<std::uint32_t> order;
  std::atomic<std::uint32_t> edge_asked;
  std::atomic<std::int32_t> process;  // the loop's, written once: the thread to nudge, 0 while none is at work
  std::atomic<std::int32_t> thread;

  alignas(64) std::atomic<std::uint32_t> state;
  std::atomic<std::uint32_t> edge_done;
  std::atomic<std::uint32_t> error;
  std::atomic<std::uint64_t> bytes_sent;
  std::atomic<std::uint64_t> bytes_received;
  std::atomic<std::uint64_t> messages_sent;
  std::atomic<std::uint64_t> messages_received;
  std::atomic<std::uint64_t> transactions;
  std::atomic<std::uint64_t> lost;
  std::atomic<std::uint64_t> completed;
  std::atomic<std::uint64_t> copied;
  std::atomic<std::uint64_t> mapped;

  alignas(64) std::atomic<std::uint64_t> stamp;  // of the message sent last, for the other end's loop (ways.hpp)

  alignas(64) std::array<Edge, 2> edges;
  std::array<std::uint32_t, histogram_size> histogram;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared memory needs lock-free counters");

// The mapping of a board's memory file into this process.
class Board {
 public:
  // Throws std::system_error where the file cannot be mapped, std::out_of_range where it is too small.
  Board(int fd, std::size_t slots, std::size_t flows = 0);
  ~Board();
  Board(const Board &) = delete;
  Board &operator=(const Board &) = delete;
  Board(Board &&) = delete;
  Board &operator=(Board &&) = delete;

  // Throws std::out_of_range.
  [[nodiscard]] Slot &slot(std::size_t index) const;
  // What a slot's loop over at most `flows` connections published with its last two edges.
  [[nodiscard]] std::span<std::uint64_t> flows(std::size_t index) const;
  [[nodiscard]] static constexpr std::size_t bytes(std::size_t slots, std::size_t flows = 0) {
    return slots * (sizeof(Slot) + edges_of(flows) * sizeof(std::uint64_t));
  }

 private:
  // Of two edges: a number of each connection, and one of all of them.
  [[nodiscard]] static constexpr std::size_t edges_of(std::size_t flows) { return flows == 0 ? 0 : 2 * (flows + 1); }

  Slot *slots_ = nullptr;
  std::size_t count_;
  std::size_t flows_;
};

// Controller's side. A negative time-out is an error of the caller; both return false when it ran out.
void give_order(Slot &slot, Order order);
std::uint32_t ask_edge(Slot &slot);
[[nodiscard]] bool wait_edge(Slot &slot, std::uint32_t edge, double seconds);
[[nodiscard]] bool wait_state(Slot &slot, State state, double seconds);
void reset(Slot &slot);

// Interrupts the call in which the slot's loop sleeps, if it does, so that it looks at its orders. One that comes just
// before the call is lost: repeat it until the answer is there.
void nudge(const Slot &slot);

// Loop's side. `hear_nudges` is for the process, once.
void hear_nudges();
void begin_work(Slot &slot);
void wait_order(Slot &slot, Order unwanted, double seconds);
void publish_state(Slot &slot, State state);
void publish_edge(Slot &slot, std::uint32_t edge);

}  // namespace pathgauge
