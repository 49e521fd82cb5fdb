// SPDX-License-Identifier: GPL-2.0-only
/* A file with a page that cannot be read. See stuck_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/fuse.h>

#include "testbed.h"
#include "stuck_file.h"
#include "../../kselftest.h"

#define NAME		"pages"
#define FILE_INODE	2
#define FOR_EVER	1000000000	/* seconds */
#define MAX_PAGE	(64 * 1024)	/* largest page of any architecture */
#define BUFFER		(MAX_PAGE + 4096)
#define TICK		20		/* milliseconds */

/**
 * struct stuck_shared - memory shared with the server
 * @pages: number of pages of the file
 * @stuck: index of the page that is stuck
 * @asked: set by the server when it receives the READ of that page
 * @go_on: set by the test to let the server answer that READ
 */
struct stuck_shared {
	unsigned int pages;
	unsigned int stuck;
	int asked;
	int go_on;
};

/**
 * struct server - the process that serves the filesystem
 * @fuse: file of /dev/fuse
 * @shared: memory shared with the test
 * @late: unique ID of the READ that has not been answered yet, or 0
 * @buffer: the current request
 * @page: data of the reply to a READ
 */
struct server {
	int fuse;
	struct stuck_shared *shared;
	__u64 late;
	union {
		struct fuse_in_header header;
		char bytes[BUFFER];
	} buffer;
	char page[MAX_PAGE];
};

void require_fuse(void)
{
	if (!access("/dev/fuse", F_OK))
		return;
	ksft_exit_skip("needs a kernel with FUSE\n");
}

/*
 * Answer a request. Ignore an error: either the reader was killed, or the
 * filesystem is unmounted and the read() in serve() fails as well.
 */
static void answer(struct server *server, __u64 unique, int error,
		   const void *data, size_t length)
{
	struct fuse_out_header header = {
		.len = sizeof(header) + length,
		.error = error,
		.unique = unique,
	};
	const struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ (void *)data, length },
	};

	if (writev(server->fuse, parts, length ? 2 : 1) < 0)
		return;
}

/*
 * FUSE_ASYNC_READ and a read-ahead of one page make the kernel read each page
 * separately, so that only users of the stuck page wait.
 */
static void answer_init(struct server *server, __u64 unique)
{
	const struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = PAGE,
		.flags = FUSE_ASYNC_READ,
		.max_write = PAGE,
		.time_gran = 1,
	};

	answer(server, unique, 0, &out, sizeof(out));
}

static struct fuse_attr attributes(const struct server *server, __u64 inode)
{
	struct fuse_attr attr = {
		.ino = inode,
		.mode = S_IFDIR | 0755,
		.nlink = 2,
		.blksize = PAGE,
	};

	if (inode == FILE_INODE) {
		attr.mode = S_IFREG | 0600;
		attr.nlink = 1;
		attr.size = server->shared->pages * PAGE;
	}
	return attr;
}

static void answer_lookup(struct server *server, __u64 unique, const char *name)
{
	const struct fuse_entry_out out = {
		.nodeid = FILE_INODE,
		.entry_valid = FOR_EVER,
		.attr_valid = FOR_EVER,
		.attr = attributes(server, FILE_INODE),
	};

	if (strcmp(name, NAME))
		answer(server, unique, -ENOENT, NULL, 0);
	else
		answer(server, unique, 0, &out, sizeof(out));
}

static void answer_getattr(struct server *server, __u64 unique, __u64 inode)
{
	const struct fuse_attr_out out = {
		.attr_valid = FOR_EVER,
		.attr = attributes(server, inode),
	};

	answer(server, unique, 0, &out, sizeof(out));
}

static void answer_open(struct server *server, __u64 unique)
{
	const struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };

	answer(server, unique, 0, &out, sizeof(out));
}

static void answer_read(struct server *server, __u64 unique,
			const struct fuse_read_in *in)
{
	struct stuck_shared *shared = server->shared;

	if (in->offset / PAGE == shared->stuck &&
	    !__atomic_load_n(&shared->go_on, __ATOMIC_ACQUIRE)) {
		server->late = unique;
		__atomic_store_n(&shared->asked, 1, __ATOMIC_RELEASE);
		return;
	}
	memset(server->page, 0x10 + (int)(in->offset / PAGE), PAGE);
	answer(server, unique, 0, server->page,
	       in->size < PAGE ? in->size : PAGE);
}

static void serve_one(struct server *server)
{
	const struct fuse_in_header *header = &server->buffer.header;
	const void *argument = header + 1;

	switch (header->opcode) {
	case FUSE_INIT:
		answer_init(server, header->unique);
		break;
	case FUSE_LOOKUP:
		answer_lookup(server, header->unique, argument);
		break;
	case FUSE_GETATTR:
		answer_getattr(server, header->unique, header->nodeid);
		break;
	case FUSE_OPEN:
		answer_open(server, header->unique);
		break;
	case FUSE_READ:
		answer_read(server, header->unique, argument);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(server, header->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(server, header->unique, -EOPNOTSUPP, NULL, 0);
	}
}

static void serve(int fuse, struct stuck_shared *shared)
{
	static struct server server;
	struct pollfd poller = { .fd = fuse, .events = POLLIN };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	server.fuse = fuse;
	server.shared = shared;
	for (;;) {
		if (server.late &&
		    __atomic_load_n(&shared->go_on, __ATOMIC_ACQUIRE)) {
			memset(server.page, 0x10 + (int)shared->stuck, PAGE);
			answer(&server, server.late, 0, server.page, PAGE);
			server.late = 0;
		}
		if (poll(&poller, 1, TICK) <= 0)
			continue;
		if (read(fuse, &server.buffer, sizeof(server.buffer)) > 0)
			serve_one(&server);
		else if (errno == ENODEV)
			_exit(0);
	}
}

static int start_server(struct stuck_file *file)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char options[96];
	int err;

	if (fuse < 0)
		return -errno;
	strcpy(file->directory, "/tmp/stuck-XXXXXX");
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%lu", fuse,
		 PAGE);
	if (!mkdtemp(file->directory) ||
	    mount("stuck", file->directory, "fuse", MS_NOSUID | MS_NODEV,
		  options)) {
		err = -errno;
		close(fuse);
		return err;
	}
	file->server = fork();
	if (!file->server)
		serve(fuse, file->shared);
	/*
	 * Leave /dev/fuse open only in the server, so that the exit of the
	 * server aborts all pending requests.
	 */
	close(fuse);
	return file->server < 0 ? -EAGAIN : 0;
}

int stuck_file_open(struct stuck_file *file, unsigned int pages,
		    unsigned int stuck)
{
	char path[64];
	int err;

	*file = (struct stuck_file){ .fd = -1 };
	file->shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (file->shared == MAP_FAILED) {
		file->shared = NULL;
		return -ENOMEM;
	}
	file->shared->pages = pages;
	file->shared->stuck = stuck;
	err = start_server(file);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/" NAME, file->directory);
	file->fd = open(path, O_RDWR | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

void stuck_file_close(struct stuck_file *file)
{
	if (file->server > 0) {
		kill(file->server, SIGKILL);
		waitpid(file->server, NULL, 0);
		file->server = 0;
	}
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	if (file->directory[0]) {
		umount2(file->directory, MNT_DETACH);
		rmdir(file->directory);
	}
	file->directory[0] = 0;
}

char *stuck_file_map(const struct stuck_file *file, bool shared)
{
	void *memory = mmap(NULL, file->shared->pages * PAGE,
			    shared ? PROT_READ : PROT_READ | PROT_WRITE,
			    shared ? MAP_SHARED : MAP_PRIVATE, file->fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int stuck_file_wait(const struct stuck_file *file)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if (__atomic_load_n(&file->shared->asked, __ATOMIC_ACQUIRE))
			return 0;
		usleep(10 * 1000);
	}
	return -ETIMEDOUT;
}

void stuck_file_release(const struct stuck_file *file)
{
	__atomic_store_n(&file->shared->go_on, 1, __ATOMIC_RELEASE);
}
