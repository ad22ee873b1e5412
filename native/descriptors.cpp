#include "descriptors.hpp"

#include <linux/close_range.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace pathgauge {

bool keep_descriptors(std::vector<int> kept) {
  kept.insert(kept.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
  std::ranges::sort(kept);
  // From above, so that the table that is copied holds no more than it must.
  const auto last = static_cast<unsigned>(kept.back());
  if (close_range(last + 1, std::numeric_limits<unsigned>::max(), CLOSE_RANGE_UNSHARE) != 0) {
    return false;
  }
  unsigned next = STDERR_FILENO + 1U;
  for (const int each : kept) {
    const auto place = static_cast<unsigned>(each);
    if (place > next) {
      close_range(next, place - 1, 0);
    }
    next = std::max(next, place + 1);
  }
  return true;
}

}  // namespace pathgauge
