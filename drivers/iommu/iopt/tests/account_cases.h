/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounting modes, for test cases that run once for each mode. */
#ifndef __IOPT_TEST_ACCOUNT_CASES_H
#define __IOPT_TEST_ACCOUNT_CASES_H

#include <kunit/test.h>
#include <linux/iopt.h>
#include <linux/string.h>

/**
 * struct account_case - an accounting mode and the counters that it changes
 * @name: name of the mode
 * @account: the mode
 * @user: the mode changes user_struct.locked_vm
 * @locked: the mode changes VmLck
 * @pinned: the mode changes VmPin
 */
struct account_case {
	const char *name;
	enum iopt_account account;
	bool user;
	bool locked;
	bool pinned;
};

static const struct account_case account_cases[] = {
	{ "none", IOPT_ACCOUNT_NONE, .pinned = true },
	{ "user", IOPT_ACCOUNT_USER, .user = true, .pinned = true },
	{ "mm", IOPT_ACCOUNT_MM, .locked = true },
	{ "mm unlimited", IOPT_ACCOUNT_MM_UNLIMITED, .locked = true },
	{ "mm pinned", IOPT_ACCOUNT_MM_PINNED, .locked = true, .pinned = true },
};

static void account_case_name(const struct account_case *account, char *name)
{
	strscpy(name, account->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(account, account_cases, account_case_name);

#endif /* __IOPT_TEST_ACCOUNT_CASES_H */
