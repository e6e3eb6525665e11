# SPDX-License-Identifier: MIT
# The body of the count-*.test files: $tmp/work calls work() 1,000 times.
traced_ok both --attach "on_entry=uprobe:$tmp/work:work" --attach "on_return=uretprobe:$tmp/work:work" \
  "$tmp/count.so" -- "$tmp/work" 1000
expect "the command's output" "$(cat "$tmp/both.out")" 500500
expect "entries" "$(map_value "$tmp/both.txt" counts 0)" 1000
expect "returns" "$(map_value "$tmp/both.txt" counts 1)" 1000
expect "sum of arguments" "$(map_value "$tmp/both.txt" counts 2)" 499500
expect "sum of returned values" "$(map_value "$tmp/both.txt" counts 3)" 500500

traced_ok entry --attach "on_entry=uprobe:$tmp/work:work" "$tmp/count.so" -- "$tmp/work" 77
expect "entries alone" "$(map_value "$tmp/entry.txt" counts 0)" 77
expect "returns not asked for" "$(map_value "$tmp/entry.txt" counts 1)" 0

traced_ok return --attach "on_return=uretprobe:$tmp/work:work" "$tmp/count.so" -- "$tmp/work" 78
expect "returns alone" "$(map_value "$tmp/return.txt" counts 1)" 78
expect "entries not asked for" "$(map_value "$tmp/return.txt" counts 0)" 0
