// The descriptors of one thread.
#pragma once

#include <vector>

namespace pathgauge {

// Gives this thread a table of descriptors of its own, with no others open than these and the standard ones. Where a
// table has one user, the kernel neither counts nor locks an open file for each call that uses it. Whatever another
// thread closes then is closed: nothing is held here that was not asked for. False, and all as before, where the kernel
// has no such call (Linux 5.9).
bool keep_descriptors(std::vector<int> kept);

}  // namespace pathgauge
