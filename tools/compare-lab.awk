# SPDX-License-Identifier: BSD-2-Clause
# The table of tools/compare-lab. In: "scenario balancer repeat requests failed mean p50 p95 p99 late"
# a row; late_most. Out: medians over the repeats, and Larch's over each other's.

{
	runs = ++count[$1, $2]
	for (i = 4; i <= 10; i++)
		value[$1, $2, i, runs] = $i
	failed[$1, $2] += $5
	if (!(($1) in known)) {
		known[$1]
		scenario[++scenarios] = $1
	}
	if (!(($1, $2) in balancers)) {
		balancers[$1, $2]
		balancer[$1, ++width[$1]] = $2
	}
	key = $1 " " $3
	if ($10 > late_most && !(key in disturbed)) {
		disturbed[key]
		disturbances++
	}
	late = $10 > late ? $10 : late
}

function median(s, b, field,   n, i, j, swap, sorted) {
	n = count[s, b]
	for (i = 1; i <= n; i++) {
		sorted[i] = value[s, b, field, i]
		for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
			swap = sorted[j]
			sorted[j] = sorted[j - 1]
			sorted[j - 1] = swap
		}
	}
	return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function ratio(s, mine, theirs, field,   below) {
	below = median(s, theirs, field)
	return below ? median(s, mine, field) / below : 0
}

function show_row(s, b,   digits) {
	digits = s == "idle" ? 2 : 0
	printf "  %-8s %-14s %8.*f %8.*f %8.*f %8.*f %7d", s, b, digits, median(s, b, 7), digits,
		median(s, b, 8), digits, median(s, b, 9), digits ? digits : 1, median(s, b, 6), failed[s, b]
	if (s != "idle" && b !~ /^larch(_learned)?$/)
		printf "    %4.2f  %4.2f    %4.2f  %4.2f", ratio(s, "larch", b, 9), ratio(s, "larch", b, 6),
			ratio(s, "larch_learned", b, 9), ratio(s, "larch_learned", b, 6)
	print ""
}

function show_bar(s, b, bar,   got) {
	got = ratio(s, "larch_learned", b, 9)
	printf "  p99 of learned flows over %-10s %-8s %4.2f  bar %.1f: %s\n", b ",", s, got, bar,
		got <= bar ? "met" : "NOT MET"
}

END {
	print ""
	print "                                                                      larch over  learned over"
	print "  scenario balancer            p50      p95      p99     mean  failed     p99  mean     p99  mean"
	for (i = 1; i <= scenarios; i++)
		for (j = 1; j <= width[scenario[i]]; j++)
			show_row(scenario[i], balancer[scenario[i], j])
	print ""
	for (i = 1; i <= scenarios; i++) {
		s = scenario[i]
		if (s == "slow")
			show_bar(s, "larch_off", 0.5)
		if (s != "idle") {
			show_bar(s, "haproxy", 0.9)
			show_bar(s, "nginx", 0.9)
		}
	}
	printf "  generators were late by %.1f ms at most (p99); %d runs were disturbed (more than %g ms)\n", late,
		disturbances, late_most
}
