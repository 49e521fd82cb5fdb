// SPDX-License-Identifier: GPL-2.0-only
/* Instantiate the tracepoints of the engine. */
#include <linux/iommu.h>

#include "io_pagetable.h"
#include "pages.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
