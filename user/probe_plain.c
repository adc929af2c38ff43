// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checks by a socket alone: that a connection comes to stand (tcp), that a datagram is answered
 * (udp), that a DNS server answers (dns).
 */
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_run.h"

#define MOST_ANSWER 4096

/* A question that any DNS server has an answer to, if nothing is to be asked for: the root's. */
static int make_question(struct probe *probe, uint8_t *out, size_t size)
{
	const char *query = probe->order.health.query;
	int length = res_mkquery(ns_o_query, *query ? query : ".", ns_c_in,
				 *query ? ns_t_a : ns_t_ns, NULL, 0, NULL, out, (int)size);

	if (length < NS_HFIXEDSZ)
		return -1;
	if (getrandom(&probe->dns_id, sizeof(probe->dns_id), 0) != sizeof(probe->dns_id))
		return -1;
	memcpy(out, &probe->dns_id, sizeof(probe->dns_id));
	return length;
}

static void send_datagram(struct probe *probe)
{
	const struct config_health *health = &probe->order.health;
	uint8_t question[NS_PACKETSZ];
	const void *bytes = health->send.byte;
	int length = health->send.length;

	if (health->type == CONFIG_HEALTH_DNS) {
		length = make_question(probe, question, sizeof(question));
		bytes = question;
	}
	if (length < 0)
		probe_end(probe, HEALTH_UNKNOWN, "'%.60s' cannot be asked for", health->query);
	else if (send(probe->fd, bytes, (size_t)length, MSG_NOSIGNAL) < 0)
		probe_fail(probe, errno);
}

void probe_plain_begin(struct probe *probe)
{
	bool stream = probe->order.health.type == CONFIG_HEALTH_TCP;
	int error;

	if (connect(probe->fd, &probe->order.to.any, probe_address_size(&probe->order.to)) != 0 &&
	    errno != EINPROGRESS) {
		probe_fail(probe, errno);
		return;
	}
	error = probe_watch(probe, probe->fd, stream);
	if (error)
		probe_fail(probe, -error);
	else if (!stream)
		send_datagram(probe);
}

static void end_connect(struct probe *probe)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		probe_fail(probe, error);
	else
		probe_end(probe, HEALTH_UP, "connected");
}

static void end_datagram(struct probe *probe, const uint8_t *answer, size_t length)
{
	const struct config_health_bytes *expect = &probe->order.health.expect;

	if (!expect->length || memmem(answer, length, expect->byte, expect->length))
		probe_end(probe, HEALTH_UP, "answered");
	else
		probe_end(probe, HEALTH_DOWN, "the answer has not what is expected");
}

/* The names of RCODEs (RFC 1035). */
static const char *rcode_text(unsigned rcode)
{
	static const char *const names[] = {"NOERROR",	"FORMERR", "SERVFAIL",
					    "NXDOMAIN", "NOTIMP",  "REFUSED"};

	return rcode < sizeof(names) / sizeof(names[0]) ? names[rcode] : "an error";
}

static void end_question(struct probe *probe, const uint8_t *answer, size_t length)
{
	const char *query = probe->order.health.query;
	unsigned rcode;
	ns_msg message;

	/* What does not belong to the question says nothing. */
	if (length < NS_HFIXEDSZ || memcmp(answer, &probe->dns_id, sizeof(probe->dns_id)) != 0)
		return;
	if (ns_initparse(answer, (int)length, &message) != 0 || !ns_msg_getflag(message, ns_f_qr)) {
		probe_end(probe, HEALTH_DOWN, "the answer is no DNS message");
		return;
	}
	rcode = (unsigned)ns_msg_getflag(message, ns_f_rcode);
	if (rcode == ns_r_servfail || (*query && rcode != ns_r_noerror))
		probe_end(probe, HEALTH_DOWN, "answered %s", rcode_text(rcode));
	else
		probe_end(probe, HEALTH_UP, "answered %s", rcode_text(rcode));
}

void probe_plain_ready(struct probe *probe)
{
	uint8_t answer[MOST_ANSWER];
	ssize_t length;

	if (probe->order.health.type == CONFIG_HEALTH_TCP) {
		end_connect(probe);
		return;
	}
	length = recv(probe->fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length < 0)
		probe_fail(probe, errno);
	else if (probe->order.health.type == CONFIG_HEALTH_DNS)
		end_question(probe, answer, (size_t)length);
	else
		end_datagram(probe, answer, (size_t)length);
}
