# SPDX-License-Identifier: Apache-2.0
# bench/table.awk - figures of run.sh in, one row for each bar out
# Of several rounds the best counts: what disturbs a measurement makes it worse, never better.

{
	for (i = 3; i <= NF; i++) {
		split($i, kv, "=")
		k = $1 " " $2 " " kv[1]
		v = kv[2] + 0
		if (!(k in low) || v < low[k])
			low[k] = v
		if (!(k in high) || v > high[k])
			high[k] = v
	}
}

function low_of(who, row, field) { return (who " " row " " field) in low ? low[who " " row " " field] : "" }

function idle_of(who) {
	return low_of(who, "idle", "pss_each") == "" ? "" : low[who " idle pss_each"] + low[who " idle kernel_each"] - low["direct idle kernel_each"]
}

function show(v, f) { return v == "" ? "-" : sprintf(f, v) }

# what, format, floor, haproxy, squid, tinyproxy, ours, bar in words, met (0, 1, "" for unknown)
function line(what, f, floor, ha, sq, ti, ours, bar, met) {
	printf "%-44s %9s %9s %9s %9s %9s %7s  %-26s %s\n", what, show(floor, f), show(ha, f), show(sq, f), show(ti, f),
		show(ours, f), (floor == "" || ours == "" || floor + 0 == 0) ? "-" : sprintf("%.2f", ours / floor), bar,
		met == "" ? "?" : met == "part" ? "absolute bar only" : met ? "met" : "NOT MET"
	n_missed += met == "0" || met == "part"
}

# A row whose bar is a multiple of the floor in this run; the same bar in figures, of the machine it was set on, is only
# told apart.
function times_floor(what, f, row, field, times, most, floor_who,    floor, ours) {
	floor = low_of(floor_who, row, field)
	ours = low_of("ours", row, field)
	line(what, f, floor, low_of("haproxy", row, field), low_of("squid", row, field), low_of("tinyproxy", row, field), ours,
		"<= " times " x floor" (most ? " (" most ")" : ""),
		floor <= 0 || ours <= 0 ? "" : ours <= times * floor ? 1 : most && ours <= most ? "part" : 0)
}

function absolute(what, f, value, bar) {
	line(what, f, "", "", "", "", value, sprintf("<= %s", bar), value <= 0 ? "" : value <= bar)
}

END {
	printf "%-44s %9s %9s %9s %9s %9s %7s  %-26s %s\n", "what", "floor", "haproxy", "squid", "tinyproxy", "ours", "/floor", "bar", ""
	times_floor("tunnel with ClientHello: CPU us", "%.1f", "connect", "cpu_us", 1.38, 135, "floor")
	best = high["squid connect rate"] > high["tinyproxy connect rate"] ? high["squid connect rate"] : high["tinyproxy connect rate"]
	line("the same: tunnels a second", "%.0f", high["floor connect rate"], high["haproxy connect rate"], high["squid connect rate"],
		high["tinyproxy connect rate"], high["ours connect rate"], ">= 1.7 x squid, tinyproxy",
		best ? high["ours connect rate"] >= 1.7 * best : "")
	times_floor("8 tunnels down: CPU s/GiB", "%.3f", "down8", "s_per_gib", 1.18, 0.33, "floor")
	times_floor("8 tunnels up: CPU s/GiB", "%.3f", "up8", "s_per_gib", 1.14, 0.33, "floor")
	times_floor("1 tunnel down: CPU s/GiB", "%.3f", "down1", "s_per_gib", 1.36, 0.38, "floor")
	times_floor("1 tunnel up: CPU s/GiB", "%.3f", "up1", "s_per_gib", 1.36, 0.38, "floor")
	times_floor("1 byte there and back: p50 us", "%.1f", "ping", "p50_us", 1.15, 0, "floor")
	line("idle tunnel: user + kernel KiB", "%.1f", idle_of("floor"), idle_of("haproxy"), idle_of("squid"), idle_of("tinyproxy"),
		idle_of("ours"), "<= 8", idle_of("ours") == "" ? "" : idle_of("ours") <= 8)
	v = low_of("ours", "idle", "pss_each")
	line("idle tunnel: PSS KiB", "%.2f", low_of("floor", "idle", "pss_each"), low_of("haproxy", "idle", "pss_each"),
		low_of("squid", "idle", "pss_each"), low_of("tinyproxy", "idle", "pss_each"), v, "<= 3", v == "" ? "" : v <= 3)
	times_floor("plain HTTP request: CPU us (floor: haproxy)", "%.1f", "http", "cpu_us", 2.2, 40, "haproxy")
	times_floor("denied CONNECT: CPU us", "%.1f", "denied", "cpu_us", 1.5, 45, "floor")
	absolute("one million rules: CPU s to load", "%.2f", low_of("ours", "million", "cpu_s"), 0.3)
	absolute("one million rules: PSS MiB", "%.1f", low_of("ours", "million", "pss_mib"), 48)
	ten = low_of("ours", "denied_ten", "cpu_us")
	million = low_of("ours", "denied_million", "cpu_us")
	line("denied CONNECT, 10^6 rules against 10: CPU us", "%.1f", ten, "", "", "", million, "<= 1.05 x ten rules",
		ten == "" || million == "" ? "" : million <= 1.05 * ten)
	absolute("three idle processes: PSS MiB", "%.2f", low_of("ours", "quiet", "pss_mib"), 4)
	bwrap = low_of("bwrap", "start", "median_ms")
	start = low_of("ours", "start", "median_ms")
	line("drydock run -- /bin/true: ms (floor: bwrap)", "%.1f", bwrap, "", "", "", start, "<= 1.3 x bwrap",
		bwrap == "" || start == "" ? "" : start <= 1.3 * bwrap)
	if (n_missed)
		printf "%d bars not met\n", n_missed
}
