// Rings of every shape: each byte that belongs to one is written, and nothing beside it.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "buffers.hpp"
#include "cases.hpp"
#include "ends.hpp"

namespace trial {
namespace {

using pathgauge::BufferPlan;
using pathgauge::Buffers;

constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();

void each_plan_that_makes_no_sense_is_refused() {
  const std::vector<BufferPlan> plans{
      {.size = 0},
      {.size = 1, .width = 0},
      {.size = (std::size_t{1} << 30U) + 1},
      {.size = largest},
      {.size = 1, .width = largest},
      {.size = largest, .width = largest},
      {.size = std::size_t{1} << 15U, .width = (std::size_t{1} << 15U) + 1},
      {.size = 1, .width = 1 << 20, .alignment = 1 << 24},  // 16 TiB with what lies between
      {.size = 1, .alignment = 0},
      {.size = 1, .alignment = 3},
      {.size = 1, .alignment = std::size_t{1} << 25U},
      {.size = 1, .alignment = std::size_t{1} << 63U},
      {.size = 1, .offset = largest},
  };
  for (const BufferPlan &plan : plans) {
    try {
      const Buffers made(plan);
    } catch (const std::out_of_range &) {
      continue;
    }
    require(false, "a plan that makes no sense is refused");
  }
}

void fill_ring(const BufferPlan &plan, const std::string &text) {
  Buffers made(plan, std::as_bytes(std::span(text)));
  std::size_t taken = 0;
  for (std::size_t turn = 0; turn < plan.width; ++turn, made.advance()) {
    const auto place = reinterpret_cast<std::uintptr_t>(made.current());  // NOLINT(*-reinterpret-cast)
    require((place - plan.offset) % plan.alignment == 0, "each is aligned, and lies as far behind as was asked");
    for (std::size_t byte = 0; byte < plan.size; ++byte) {
      require(text.empty() || made.current()[byte] == static_cast<std::byte>(text[taken++ % text.size()]), "filled");
      made.current()[byte] = std::byte{0};
    }
  }
  require(made.index() == 0, "after the last comes the first");
}

void rings_hold_what_was_asked_for() {
  for (const std::size_t size : {1U, 7U, 4095U, 4096U, 4097U}) {
    for (const std::size_t width : {1U, 2U, 5U}) {
      for (const std::size_t alignment : {1U, 8U, 4096U, 8192U}) {
        for (const std::size_t offset : {0U, 1U, 5000U}) {
          fill_ring({.size = size, .width = width, .alignment = alignment, .offset = offset}, size > 4096 ? "" : "abc");
        }
      }
    }
  }
}

}  // namespace

std::vector<Case> buffer_cases() {
  return {
      {"buffers: plans that make no sense", each_plan_that_makes_no_sense_is_refused},
      {"buffers: rings", rings_hold_what_was_asked_for},
  };
}

}  // namespace trial
