// The memory that messages are sent from and received into: a ring of buffers of one size.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace pathgauge {

struct BufferPlan {
  std::size_t size = 1;
  std::size_t width = 1;      // how many buffers are taken in turn
  std::size_t alignment = 8;  // of each, a power of two; the first lies on a page, where the kernel copies fastest
  std::size_t offset = 0;     // of each behind that alignment
};

class Buffers {
 public:
  // Fills every buffer with `fill` over and over, or without one so that no two pages are alike.
  // Throws std::out_of_range for a plan that makes no sense, std::bad_alloc where there is no room.
  explicit Buffers(const BufferPlan &plan, std::span<const std::byte> fill = {});

  [[nodiscard]] std::size_t size() const { return plan_.size; }
  [[nodiscard]] std::size_t index() const { return next_; }
  [[nodiscard]] std::size_t width() const { return plan_.width; }
  [[nodiscard]] std::byte *at(std::size_t index) { return first_ + index * stride_; }
  [[nodiscard]] std::byte *current() { return at(next_); }
  [[nodiscard]] std::span<std::byte> whole() { return {first_, stride_ * plan_.width}; }
  void advance() { next_ = next_ + 1 == plan_.width ? 0 : next_ + 1; }

 private:
  // Pages of its own, given back whole: the kernel may still be sending from them.
  struct Unmap {
    std::size_t length = 0;
    void operator()(std::byte *memory) const;
  };

  BufferPlan plan_;
  std::size_t stride_ = 0;
  std::size_t next_ = 0;
  std::unique_ptr<std::byte, Unmap> memory_{nullptr, Unmap{}};
  std::byte *first_ = nullptr;
};

}  // namespace pathgauge
