# SPDX-License-Identifier: GPL-2.0-only
# Sources that tests share with samples/iommufd, and the common test setup that
# is built on them. Include this file after lib.mk.

SAMPLE_DIR := $(top_srcdir)/samples/iommufd
RIG_DIR := $(selfdir)/vfio/lib

RIG_SOURCES += $(SAMPLE_DIR)/pci.c
RIG_SOURCES += $(SAMPLE_DIR)/vfio.c
RIG_SOURCES += $(SAMPLE_DIR)/ioas.c
RIG_SOURCES += $(SAMPLE_DIR)/edu.c
RIG_SOURCES += $(SAMPLE_DIR)/counters.c
RIG_SOURCES += $(SAMPLE_DIR)/mediated.c
RIG_SOURCES += $(RIG_DIR)/rig.c
RIG_SOURCES += $(RIG_DIR)/record.c
RIG_SOURCES += $(RIG_DIR)/user.c

RIG_HEADERS += $(wildcard $(SAMPLE_DIR)/*.h $(RIG_DIR)/*.h)

$(TEST_GEN_PROGS): $(RIG_HEADERS)
LOCAL_HDRS += $(RIG_HEADERS)

# record.c wraps ioctl() to record errnos.
LDFLAGS += -Wl,--wrap=ioctl
