	/*
	 * The device has removed the endpoint from the old domain, and the
	 * mappings of that domain if it was the last endpoint. They are
	 * replayed when an endpoint is attached again. vdev->vdomain is
	 * protected by group->mutex.
	 */
	if (vdev->vdomain) {
		vdev->vdomain->nr_endpoints--;
		vdev->vdomain = NULL;
	}
