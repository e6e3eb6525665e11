// SPDX-License-Identifier: MIT
//
// The file that tells make and Ninja what an output was made from (-MD).
#pragma once

#include <span>
#include <string>

namespace bpfaot::aotc {

// "TARGET…: FILE…" with the characters that are special to make escaped; every file but the first
// also as a rule without commands, so that one that disappears stops no build.
std::string depfile_text(std::span<const std::string> targets, std::span<const std::string> files);

} // namespace bpfaot::aotc
