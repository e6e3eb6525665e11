// SPDX-License-Identifier: MIT
//
// Which programs of an image are to be attached where: the section's target, or what was asked for.
#pragma once

#include "loader/image.h"
#include "loader/plan.h"

#include <string>
#include <vector>

namespace bpfaot::loader {

// Each --attach, and the section's target for programs that none names. Programs without any target
// are listed in `unattached`, but for those that a program array of the image runs. [attach-spec] [attach-kind] [program-unknown]
Result<std::vector<ProbeWish>> make_wishes(const Image& image, const std::vector<std::string>& attach_options,
                                           std::vector<std::string>& unattached);

std::vector<std::string> program_names(const Image& image);

} // namespace bpfaot::loader
