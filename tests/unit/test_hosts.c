// SPDX-License-Identifier: BSD-2-Clause
// What a file like /etc/hosts says of names.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns.h"
#include "endpoint.h"

static struct names_answer ipv4, ipv6;

/* What the file says of the name: "10.0.0.1 10.0.0.2 | 2001:db8::1"; "-": nothing. */
static const char *find(const char *text, const char *host)
{
	char path[] = "/tmp/larch-hosts.XXXXXX", address[INET6_ADDRSTRLEN];
	static char out[8192];
	int fd = mkstemp(path);
	bool found;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	setenv("CARES_HOSTS", path, 1);
	found = dns_find_in_hosts(host, &ipv4, &ipv6);
	unlink(path);
	if (!found)
		return "-";
	*out = '\0';
	for (size_t i = 0; i < ipv4.count; i++)
		sprintf(out + strlen(out), "%s ", endpoint_address_text(&ipv4.address[i], address));
	strcat(out, "|");
	for (size_t i = 0; i < ipv6.count; i++)
		sprintf(out + strlen(out), " %s", endpoint_address_text(&ipv6.address[i], address));
	return out;
}

Test(hosts, a_name_may_have_several_lines_and_aliases)
{
	const char *text = "127.0.0.1\tlocalhost\n"
			   "10.0.0.1 app.example.net app # the first\n"
			   "  10.0.0.2   other\tapp.example.net\r\n"
			   "2001:db8::1 APP.example.net.\n"
			   "# 10.0.0.3 app.example.net";

	cr_expect_str_eq(find(text, "app.example.net"), "10.0.0.1 10.0.0.2 | 2001:db8::1");
	cr_expect_eq(ipv4.outcome, NAMES_FOUND);
	cr_expect_eq(ipv6.outcome, NAMES_FOUND);
	cr_expect_str_eq(find(text, "app"), "10.0.0.1 |");
	cr_expect_eq(ipv6.outcome, NAMES_NONE);
	cr_expect_str_eq(find(text, "other"), "10.0.0.2 |");
}

Test(hosts, what_is_not_the_name_is_not_taken)
{
	const char *text = "10.0.0.1 app.example.net\n"
			   "nonsense app.example\n"
			   "10.0.0.2\n"
			   "10.0.0.300 net\n\n";

	cr_expect_str_eq(find(text, "app.example"), "-");
	cr_expect_str_eq(find(text, "app.example.net.more"), "-");
	cr_expect_str_eq(find(text, "example.net"), "-");
	cr_expect_str_eq(find(text, "net"), "-");
	cr_expect_str_eq(find("", "net"), "-");
	cr_expect_str_eq(find("10.0.0.1 net", "net"), "10.0.0.1 |", "no end of the line");
}

Test(hosts, no_file_says_nothing)
{
	setenv("CARES_HOSTS", "/nonexistent/hosts", 1);
	cr_expect_not(dns_find_in_hosts("app", &ipv4, &ipv6));
}

Test(hosts, of_too_many_the_first_count)
{
	char *text = calloc(300, 32);

	for (int i = 0; i < 300; i++)
		sprintf(text + strlen(text), "10.0.%d.%d app\n", i / 100, i % 100 + 1);
	find(text, "app");
	cr_expect_eq(ipv4.count, NAMES_OF_FAMILY);
	free(text);
}
