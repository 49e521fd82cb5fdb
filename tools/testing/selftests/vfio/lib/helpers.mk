# SPDX-License-Identifier: GPL-2.0-only
# Sources that tests share with samples/iommufd, and the common test setup that
# is built on them. Include this file after lib.mk.

SAMPLE_DIR := $(top_srcdir)/samples/iommufd
TESTBED_DIR := $(selfdir)/vfio/lib

TESTBED_SOURCES += $(SAMPLE_DIR)/pci.c
TESTBED_SOURCES += $(SAMPLE_DIR)/vfio.c
TESTBED_SOURCES += $(SAMPLE_DIR)/ioas.c
TESTBED_SOURCES += $(SAMPLE_DIR)/edu.c
TESTBED_SOURCES += $(SAMPLE_DIR)/counters.c
TESTBED_SOURCES += $(SAMPLE_DIR)/mediated.c
TESTBED_SOURCES += $(TESTBED_DIR)/testbed.c
TESTBED_SOURCES += $(TESTBED_DIR)/legacy.c
TESTBED_SOURCES += $(TESTBED_DIR)/record.c
TESTBED_SOURCES += $(TESTBED_DIR)/user.c
TESTBED_SOURCES += $(TESTBED_DIR)/workers.c

TESTBED_HEADERS += $(wildcard $(SAMPLE_DIR)/*.h $(TESTBED_DIR)/*.h)

$(TEST_GEN_PROGS): $(TESTBED_HEADERS)
LOCAL_HDRS += $(TESTBED_HEADERS)

# record.c wraps ioctl() to record errnos.
LDFLAGS += -Wl,--wrap=ioctl
