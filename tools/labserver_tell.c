// SPDX-License-Identifier: BSD-2-Clause
// The client of a control socket: command lines in, answers out, exit status 1 if one is an error.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "labserver.h"

static FILE *tell_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *stream = NULL;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
	} else if (fd >= 0) {
		strcpy(address.sun_path, path);
		if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
			stream = fdopen(fd, "r+");
	}
	if (!stream) {
		fprintf(stderr, "labserver: --tell %s: %s; is the server running?\n", path,
			strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return stream;
}

static int tell_line(FILE *stream, const char *line)
{
	char answer[2048];

	fprintf(stream, "%s\n", line);
	fflush(stream);
	if (!fgets(answer, sizeof(answer), stream)) {
		fprintf(stderr, "labserver: the server closed without an answer to '%s'\n", line);
		return 1;
	}
	fputs(answer, stdout);
	return !strncmp(answer, "error", 5);
}

static int tell_words(FILE *stream, int count, char **words)
{
	char line[1024] = "";
	size_t used = 0;

	for (int i = 0; i < count && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "",
					 words[i]);
	return tell_line(stream, line);
}

static int tell_stdin(FILE *stream)
{
	char line[1024];
	int status = 0;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			status |= tell_line(stream, line);
	}
	return status;
}

int tell(const char *path, int word_count, char **words)
{
	FILE *stream = tell_connect(path);
	int status;

	if (!stream)
		return 1;
	status = word_count ? tell_words(stream, word_count, words) : tell_stdin(stream);
	fclose(stream);
	return status;
}
