// SPDX-License-Identifier: BSD-2-Clause
/* What a service manager hears. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

static int manager;

static void notify_begin(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "larch-notify-%d",
			      (int)getpid());
	char name[128];

	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)),
		     0);
	snprintf(name, sizeof(name), "@%s", address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
}

TestSuite(notify, .init = notify_begin, .timeout = 30);

/* The next message; "": there is none. */
static const char *heard(void)
{
	static char text[512];
	ssize_t length = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

Test(notify, a_life)
{
	notify_ready();
	cr_expect_str_eq(heard(), "READY=1");
	notify_reloading();
	cr_expect_eq(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_alive();
	cr_expect_str_eq(heard(), "WATCHDOG=1");
	notify_stopping();
	cr_expect_str_eq(heard(), "STOPPING=1");
}

Test(notify, a_status_is_said_once)
{
	notify_status("2 services");
	notify_status("2 services");
	cr_expect_str_eq(heard(), "STATUS=2 services");
	cr_expect_str_eq(heard(), "");
	notify_status("3 services");
	cr_expect_str_eq(heard(), "STATUS=3 services");
}

Test(notify, signs_of_life_are_three_times_as_frequent_as_they_must_be)
{
	char pid[16];

	unsetenv("WATCHDOG_USEC");
	cr_expect_eq(notify_alive_ns(), 0u);
	setenv("WATCHDOG_USEC", "3000000", 1);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect_eq(notify_alive_ns(), 1000000000u);
	setenv("WATCHDOG_PID", "1", 1);
	cr_expect_eq(notify_alive_ns(), 0u, "somebody else is meant");
}

Test(notify, without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	notify_status("2 services");
	cr_expect_str_eq(heard(), "");
}
