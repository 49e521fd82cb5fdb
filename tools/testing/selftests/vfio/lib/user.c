// SPDX-License-Identifier: GPL-2.0-only
/* Unprivileged child processes. See user.h. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#include "user.h"

int user_become(uid_t user, unsigned int pages)
{
	const struct rlimit limit = { pages * PAGE, pages * PAGE };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	if (setresgid(user, user, user) || setresuid(user, user, user))
		return -errno;
	/*
	 * The change of user made the process undumpable, so that root owns the
	 * files in /proc/self. Undo that, because tests read these files.
	 */
	return prctl(PR_SET_DUMPABLE, 1) ? -errno : 0;
}

int user_drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int user_wait(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

int user_run(uid_t user, unsigned int pages, work_fn work, struct testbed *bed)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child)
		_exit(user_become(user, pages) ? 99 : work(bed));
	return user_wait(child);
}
