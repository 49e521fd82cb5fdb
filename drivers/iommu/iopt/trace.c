// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bodies of the tracepoints, once.
 */
#include <linux/iommu.h>

#include "io_pagetable.h"
#include "pages.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
