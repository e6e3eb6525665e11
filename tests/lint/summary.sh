#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/summary.awk counts right: passed, failed, crashed and skipped tests of all kinds.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cat >"$SCRATCH/ctest.junit" <<'X'
<testsuite name="x">
	<testcase name="gtest_mixed" classname="gtest_mixed" time="0.1" status="fail">
	<testcase name="gtest_crash" classname="gtest_crash" time="0.1" status="fail">
	<testcase name="script_cases" classname="script_cases" time="0.1" status="run">
	<testcase name="script_plain" classname="script_plain" time="0.1" status="run">
	<testcase name="script_skip" classname="script_skip" time="0.1" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
		<system-out>something first
SKIP: no terminal &amp; no luck
</system-out>
	<testcase name="script_skip_at_once" classname="x" time="0.1" status="notrun">
		<system-out>SKIP: no qemu</system-out>
</testsuite>
X
cat >"$SCRATCH/gtest_mixed.xml" <<'X'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" name="AllTests">
  <testsuite name="A" tests="4">
    <testcase name="good" file="a" line="1" status="run" result="completed" time="0" classname="A" />
    <testcase name="bad" file="a" line="1" status="run" result="completed" time="0" classname="A">
      <failure message="one" type=""><![CDATA[x]]></failure>
      <failure message="two" type=""><![CDATA[x]]></failure>
    </testcase>
    <testcase name="absent" file="a" line="1" status="run" result="skipped" time="0" classname="A">
      <skipped message="a/b_test.cpp:12&#x0A;no kernel here"><![CDATA[x]]></skipped>
    </testcase>
    <testcase name="off" file="a" line="1" status="notrun" result="suppressed" time="0" classname="A" />
  </testsuite>
</testsuites>
X
printf 'pass one\nskip two: no qemu\npass three\n' >"$SCRATCH/script_cases.cases"
awk -f "$SOURCE/scripts/summary.awk" -v results="$SCRATCH" "$SCRATCH/ctest.junit" >"$SCRATCH/out"
status=$?
cat >"$SCRATCH/expected" <<'X'
skipped  gtest_mixed: A.absent: no kernel here
skipped  gtest_mixed: A.off: disabled
skipped  script_cases: two: no qemu
skipped  script_skip: no terminal & no luck
skipped  script_skip_at_once: no qemu
FAILED   gtest_mixed: A.bad
FAILED   gtest_crash
4 passed, 2 failed, 5 skipped
X
check the_counts_are_right diff "$SCRATCH/expected" "$SCRATCH/out"
check a_failure_is_an_exit_status test "$status" -eq 1
finish
