#spatch --smpl-spacing
// Check for an access first: a bound device has no container.
// files: drivers/vfio/container.c
@@
identifier device, iova, npage, prot, pages;
statement S;
@@
 vfio_pin_pages(struct vfio_device *device, dma_addr_t iova,
		int npage, int prot, struct page **pages)
 {
 	...
+	if (vfio_has_access(device))
+		return vfio_emulated_pin_pages(device, iova, npage, prot, pages);
 	if (<+... vfio_assert_device_open(device) ...+>) S
 	...
 }

@@
identifier device, iova, npage;
statement S;
@@
 vfio_unpin_pages(struct vfio_device *device, dma_addr_t iova, int npage)
 {
 	...
+	if (vfio_has_access(device)) {
+		vfio_emulated_unpin_pages(device, iova, npage);
+		return;
+	}
+
 	if (<+... vfio_assert_device_open(device) ...+>) S
 	...
 }

@@
identifier device, iova, data, len, write;
statement S;
@@
 vfio_dma_rw(struct vfio_device *device, dma_addr_t iova, void *data,
	     size_t len, bool write)
 {
 	...
+	if (vfio_has_access(device))
+		return vfio_emulated_rw(device, iova, data, len, write);
 	if (<+... vfio_assert_device_open(device) ...+>) S
 	...
 }
