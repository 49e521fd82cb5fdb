#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c

@@
identifier group;
@@
 vfio_group_alloc(...)
 {
 	...
 	BLOCKING_INIT_NOTIFIER_HEAD(&group->notifier);
+	vfio_kvm_link_init(&group->kvm);
 	...
 }

@@
identifier device, group;
@@
 vfio_device_open(struct vfio_device *device)
 {
 	<...
(
-	device->open_count++;
-	if (device->open_count == 1) {
-		mutex_lock(&device->group->group_lock);
-		device->kvm = device->group->kvm;
+	device->open_count++;
+	if (device->open_count == 1) {
+		vfio_kvm_take(device, &device->group->kvm);
 		...
 		vfio_device_container_register(device);
-		mutex_unlock(&device->group->group_lock);
 	}
|
-	mutex_lock(&device->group->group_lock);
 	if (device->open_count == 1) { ... }
|
-	mutex_unlock(&device->group->group_lock);
 	device->open_count--;
|
-	if (device->open_count == 0 && device->kvm)
-		device->kvm = NULL;
+	if (device->open_count == 0)
+		vfio_kvm_drop(device);
)
 	...>
 }

@@
identifier device;
@@
 vfio_device_fops_release(...)
 {
 	...
 	vfio_assert_device_open(device);
-	mutex_lock(&device->group->group_lock);
 	...
-	mutex_unlock(&device->group->group_lock);
 	device->open_count--;
 	if (device->open_count == 0)
-		device->kvm = NULL;
+		vfio_kvm_drop(device);
 	...
 }

@@
identifier group, kvm;
@@
 vfio_file_set_kvm(...)
 {
 	...
-	mutex_lock(&group->group_lock);
-	group->kvm = kvm;
-	mutex_unlock(&group->group_lock);
+	vfio_kvm_link_set(&group->kvm, kvm);
 }

@@
identifier group;
@@
 vfio_file_enforced_coherent(...)
 {
 	...
-	mutex_lock(&group->group_lock);
+	if (mutex_lock_killable(&group->group_lock))
+		return true;
 	...
 }
