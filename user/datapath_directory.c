// SPDX-License-Identifier: BSD-2-Clause
/* The folder of pins: made, mounted and locked. See datapath_kernel.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
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

/*
 * /sys/fs/bpf is anybody's to make folders in: who made this one, or may write to it, could put
 * maps of their own there. What is ours nobody else can replace, since that place is sticky.
 */
static bool is_ours(int fd)
{
	struct stat folder;

	return fstat(fd, &folder) == 0 && folder.st_uid == geteuid() &&
	       !(folder.st_mode & (S_IWGRP | S_IWOTH));
}

/* Through no link: that may be anybody's, too. */
static int open_locked(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EPERM : -errno;
	if (!is_ours(fd)) {
		close(fd);
		return -EPERM;
	}
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
	else if (error == -EPERM)
		log_error("%s: other users could put maps of their own there: it must be a folder, "
			  "not a link, owned by the user of larchd, and no one else's to write to; "
			  "remove it (rm -r %s) or choose another one with -p",
			  directory, directory);
	else if (error < 0)
		log_error("%s: cannot be locked: %s", directory, strerror(-error));
	return error;
}
