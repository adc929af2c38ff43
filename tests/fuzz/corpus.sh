# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The corpora of the fuzzers: files in tests/fuzz/corpus/NAME, or lines of hexadecimal digits, one
# input each, in tests/fuzz/corpus/NAME.hex.

# Options of libFuzzer that a fuzzer needs.
corpus_options() {
	case $1 in
	packet) echo -max_len=4096 ;;
	esac
}

# corpus_unpack NAME DIRECTORY
corpus_unpack() {
	local hex=tests/fuzz/corpus/$1.hex line number=0
	[ "$1" != config ] || cp tools/examples/larch.yaml "$2"
	[ ! -d "tests/fuzz/corpus/$1" ] || cp "tests/fuzz/corpus/$1"/* "$2"
	[ -e "$hex" ] || return 0
	while read -r line; do
		# shellcheck disable=SC2059 # the line is the format: \xHH...
		printf "$line" >"$2/seed-$((number += 1))"
	done < <(grep -v '^#' "$hex" | sed 's/../\\x&/g')
}

# corpus_pack NAME DIRECTORY: the shortest first
corpus_pack() {
	local file
	echo "# Inputs of tests/fuzz/fuzz_$1.c, one a line; tests/fuzz/keep wrote them."
	for file in "$2"/*; do
		od -An -v -tx1 "$file" | tr -d ' \n'
		echo
	done | awk '{ print length($0) " " $0 }' | sort -n -k 1,1 -k 2 | cut -d ' ' -f 2
}
