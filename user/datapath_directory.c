// SPDX-License-Identifier: BSD-2-Clause
/* The folder of pins: made, mounted and locked. See datapath_kernel.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "datapath_kernel.h"
#include "log.h"

/* The file system of pins must be there before anything can be pinned. */
static int make_directory(const char *directory)
{
	struct statfs where;

	if (statfs("/sys/fs/bpf", &where) == 0 && where.f_type != BPF_FS_MAGIC &&
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) != 0)
		log_warning("cannot mount a bpffs on /sys/fs/bpf: %s", strerror(errno));
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return -errno;
	if (statfs(directory, &where) != 0)
		return -errno;
	return where.f_type == BPF_FS_MAGIC ? 0 : -EMEDIUMTYPE;
}

static int open_locked(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return error;
}

int datapath_directory(const char *directory)
{
	int error = make_directory(directory);

	if (error) {
		log_error("%s: cannot hold pins: %s; it must be a folder of a bpffs "
			  "(mount -t bpf bpf /sys/fs/bpf)",
			  directory, strerror(-error));
		return error;
	}
	error = open_locked(directory);
	if (error == -EBUSY)
		log_error("%s: another larchd is at work there", directory);
	else if (error < 0)
		log_error("%s: cannot be locked: %s", directory, strerror(-error));
	return error;
}
