# SPDX-License-Identifier: GPL-2.0-only
# Print the objects that kbuild makes from sources in the folder $(obj) of the tree $(srctree), without those in
# subfolders. Run in a build folder that is configured and prepared, with ARCH, SRCARCH and CC; see debian_objects.py.
src := $(obj)
include include/config/auto.conf
include $(srctree)/scripts/Kbuild.include
include $(srctree)/scripts/Makefile.compiler
include $(or $(wildcard $(srctree)/$(src)/Kbuild),$(srctree)/$(src)/Makefile)
include $(srctree)/scripts/Makefile.lib

.PHONY: list
list:
	@: $(info $(real-obj-y) $(real-obj-m))
