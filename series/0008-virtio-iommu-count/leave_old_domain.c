	/*
	 * The device has removed the endpoint from the old domain. If it was
	 * the last endpoint, the device has also removed the mappings of that
	 * domain, which are replayed when an endpoint is attached again.
	 * vdev->vdomain is protected by group->mutex.
	 */
	if (vdev->vdomain) {
		vdev->vdomain->nr_endpoints--;
		vdev->vdomain = NULL;
	}
