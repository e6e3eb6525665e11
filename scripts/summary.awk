# SPDX-License-Identifier: MIT
# Counts test cases. Input: the JUnit file of ctest, one <testcase> for each registered test; for a
# test NAME the cases themselves are in results/NAME.xml (GoogleTest) or results/NAME.cases (scripts:
# "pass|fail|skip NAME REASON"). A test that left neither is one case. A test that failed without a
# failed case (it crashed, or ran out of time) is one failed case.

function attribute(line, name,    start, rest) {
  start = index(line, " " name "=\"")
  if (start == 0) return ""
  rest = substr(line, start + length(name) + 3)
  return substr(rest, 1, index(rest, "\"") - 1)
}

function unescape(text) {
  gsub(/&#x0A;|&#10;/, " ", text)
  gsub(/&quot;/, "\"", text); gsub(/&apos;/, "'", text)
  gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
  return text
}

function note_skip(test, name, reason) {
  ++skipped
  # GoogleTest puts the place in front: "file.cpp:12 reason".
  sub(/^[^ ]*:[0-9]+ */, "", reason)
  skips[skipped] = test (name == "" ? "" : ": " name) (reason == "" ? "" : ": " reason)
}

function note_failure(test, name) { failures[++failed] = test (name == "" ? "" : ": " name) }

# A GoogleTest report. Returns the number of failed cases, or -1 when there is no report.
function read_gtest(test,    file, line, name, state, bad) {
  file = results "/" test ".xml"
  if ((getline line < file) <= 0) { close(file); return -1 }
  name = ""; state = ""; bad = 0
  while ((getline line < file) > 0) {
    if (line ~ /<testcase /) {
      name = attribute(line, "classname") "." attribute(line, "name")
      state = attribute(line, "result")
      if (attribute(line, "status") == "notrun") state = "disabled"
      reason = state == "disabled" ? "disabled" : ""
    } else if (line ~ /<failure /) {
      state = "failed"
    } else if (line ~ /<skipped /) {
      reason = unescape(attribute(line, "message"))
    }
    if (name != "" && (line ~ /<\/testcase>/ || line ~ /<testcase .*\/>/)) {
      if (state == "failed") { ++bad; note_failure(test, name) }
      else if (state == "skipped" || state == "disabled") note_skip(test, name, reason)
      else ++passed
      name = ""
    }
  }
  close(file)
  return bad
}

function read_cases(test,    file, line, words, rest, bad, any) {
  file = results "/" test ".cases"
  bad = 0; any = 0
  while ((getline line < file) > 0) {
    any = 1
    split(line, words, " ")
    rest = substr(line, length(words[1]) + 2)
    if (words[1] == "pass") ++passed
    else if (words[1] == "skip") note_skip(test, rest, "")
    else { ++bad; note_failure(test, rest) }
  }
  close(file)
  return any ? bad : -1
}

function finish_test(    bad) {
  if (test == "") return
  bad = read_gtest(test)
  if (bad < 0) bad = read_cases(test)
  if (status == "fail" && bad <= 0) note_failure(test, bad < 0 ? "" : "failed outside its cases")
  else if (bad < 0 && status == "run") ++passed
  else if (bad < 0) note_skip(test, "", skip_reason)
  test = ""
}

/<testcase / {
  finish_test()
  test = attribute($0, "name")
  status = attribute($0, "status")
  skip_reason = status == "disabled" ? "disabled" : "not run"
}
# A script test that skips says so in its last line of output.
/SKIP: / && !/<testcase / { skip_reason = substr($0, index($0, "SKIP: ") + 6)
  sub(/<\/system-out>.*/, "", skip_reason)
  skip_reason = unescape(skip_reason)
}

END {
  finish_test()
  for (i = 1; i <= skipped; ++i) print "skipped  " skips[i]
  for (i = 1; i <= failed; ++i) print "FAILED   " failures[i]
  printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
  exit failed > 0
}
