// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices in user space, for programs that were written for BDUS (abi.h).
 */
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "bdus.h"

static unsigned int max_devices = BDUS_DEVICES_MAX;
module_param(max_devices, uint, 0444);
MODULE_PARM_DESC(max_devices, "Devices that may exist at a time, 1 to 4096 (default 4096)");

bool bdus_offers_rings = true;
module_param_named(rings, bdus_offers_rings, bool, 0644);
MODULE_PARM_DESC(rings, "Whether new devices may have rings (default Y)");

module_param_named(spin_us, bdus_spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us, "With rings: how long a request is waited for where it is queued (default 50, 0: never)");

static int __init bdus_init(void)
{
	int ret;

	if (max_devices < 1 || max_devices > BDUS_DEVICES_MAX) {
		pr_err("bdus: max_devices is from 1 to %d\n", BDUS_DEVICES_MAX);
		return -EINVAL;
	}
	ret = bdus_devices_init(max_devices);
	if (ret)
		return ret;
	ret = misc_register(&bdus_control);
	if (ret)
		bdus_devices_exit();
	return ret;
}

static void __exit bdus_exit(void)
{
	misc_deregister(&bdus_control);
	bdus_devices_exit();
}

module_init(bdus_init);
module_exit(bdus_exit);

MODULE_DESCRIPTION("Block devices in user space");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.2.0");
MODULE_ALIAS("kbdus");
