	/*
	 * The virtio device has removed the endpoint from the old domain. If it
	 * was the last endpoint, the mappings of that domain have been removed
	 * as well. They are replayed when an endpoint is attached again.
	 *
	 * Count the endpoint before the replay: if the replay fails, the virtio
	 * device has a part of the mappings, and unmaps send requests only
	 * while an endpoint is counted. vdev->vdomain is protected by
	 * group->mutex.
	 */
	if (vdev->vdomain)
		vdev->vdomain->nr_endpoints--;
	vdev->vdomain = vdomain;
	vdomain->nr_endpoints++;
