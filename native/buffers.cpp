#include "buffers.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>

namespace pathgauge {
namespace {

constexpr std::size_t greatest_ring = std::size_t{1} << 30U;
constexpr std::size_t greatest_alignment = std::size_t{1} << 24U;
constexpr std::size_t page_size = 4096;

BufferPlan checked(const BufferPlan &plan) {
  if (plan.size == 0 || plan.width == 0 || plan.size > greatest_ring || plan.width > greatest_ring / plan.size) {
    throw std::out_of_range("a ring holds 1 byte to 1 GiB");
  }
  if (!std::has_single_bit(plan.alignment) || plan.alignment > greatest_alignment || plan.offset > greatest_alignment) {
    throw std::out_of_range("a buffer is aligned to a power of two up to 16 MiB, and no further behind it");
  }
  return plan;
}

std::size_t stride_of(const BufferPlan &plan) {
  return (plan.size + plan.alignment - 1) / plan.alignment * plan.alignment;
}

}  // namespace

void Buffers::Unmap::operator()(std::byte *memory) const { munmap(memory, length); }

Buffers::Buffers(const BufferPlan &plan, std::span<const std::byte> fill)
    : plan_(checked(plan)), stride_(stride_of(plan)) {
  const std::size_t alignment = std::max(plan.alignment, page_size);
  const std::size_t whole = plan.offset + stride_ * plan.width;
  if (whole > 2 * greatest_ring) {
    throw std::out_of_range("a ring holds 1 byte to 1 GiB");
  }
  const std::size_t length = (whole + alignment + page_size - 1) / page_size * page_size;
  void *const pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    throw std::bad_alloc();
  }
  memory_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte *>(pages), Unmap{length});
  void *aligned = pages;
  std::size_t room = length;
  auto *const start = static_cast<std::byte *>(std::align(alignment, whole, aligned, room));
  first_ = start + plan.offset;
  std::uint32_t word = 0x9e3779b9U;
  for (std::size_t place = 0; place < whole; ++place) {  // touched, so that no page is the shared zero page
    word = word * 1664525U + 1013904223U;
    start[place] = static_cast<std::byte>(word >> 24U);
  }
  std::size_t taken = 0;
  for (std::size_t buffer = 0; buffer < plan.width && !fill.empty(); ++buffer) {
    for (std::size_t place = 0; place < plan.size; ++place) {
      first_[buffer * stride_ + place] = fill[taken];
      taken = taken + 1 == fill.size() ? 0 : taken + 1;
    }
  }
}

}  // namespace pathgauge
