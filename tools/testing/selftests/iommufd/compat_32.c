// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test /dev/iommu from a 32-bit program on a 64-bit kernel.
 *
 * The uAPI structs have the same layout for 32-bit and 64-bit programs. IOVAs
 * are 64 bits wide in both, so a 32-bit program can use IOVAs beyond 4 GiB.
 *
 * Few machines have a 32-bit C library, so this program is freestanding. It
 * makes its own system calls and prints its own TAP output.
 */
#include <asm/unistd_32.h>
#include <linux/errno.h>
#include <linux/iommufd.h>

#define O_RDWR		2
#define PROT_RW		3
#define MAP_ANON	0x22	/* MAP_PRIVATE | MAP_ANONYMOUS */
#define PAGE		4096u
#define HIGH_IOVA	0x1234500000ull
#define NR_TESTS	9

static long call3(long number, long a, long b, long c)
{
	long result;

	asm volatile ("int $0x80"
		      : "=a" (result)
		      : "a" (number), "b" (a), "c" (b), "d" (c)
		      : "memory");
	return result;
}

static unsigned int string_length(const char *text)
{
	unsigned int length = 0;

	while (text[length])
		length++;
	return length;
}

static void print(const char *text)
{
	call3(__NR_write, 1, (long)text, (long)string_length(text));
}

static unsigned int tests;
static int any_failed;

static void report(int passed, const char *name)
{
	char number[] = " 0 ";

	number[1] = (char)('0' + ++tests);
	print(passed ? "ok" : "not ok");
	print(number);
	print(name);
	print("\n");
	any_failed |= !passed;
}

static int fd;

/* Call an ioctl of /dev/iommu. Return 0 or -errno. */
static int iommu(unsigned long request, void *argument)
{
	return (int)call3(__NR_ioctl, fd, (long)request, (long)argument);
}

static __u64 address_of(const void *memory)
{
	return (unsigned long)memory;
}

/* The i386 mmap() system call takes its arguments as an array. */
static char *mmap_page(void)
{
	unsigned long arguments[6] = { 0, PAGE, PROT_RW, MAP_ANON, -1ul, 0 };

	return (char *)call3(__NR_mmap, (long)arguments, 0, 0);
}

static void test_alloc(__u32 *ioas, __u32 *other)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_ioasid_alloc ioasid = {
		.size = sizeof(ioasid),
		.addr_width = 39,
	};
	int result = iommu(IOMMU_IOAS_ALLOC, &alloc);

	report(!result && alloc.out_ioas_id == 1, "IOAS_ALLOC");
	*ioas = alloc.out_ioas_id;
	result = iommu(IOMMU_IOASID_ALLOC, &ioasid);
	report(!result && ioasid.out_ioasid == 2, "IOASID_ALLOC");
	*other = ioasid.out_ioasid;
}

static void test_ranges(__u32 ioas)
{
	struct iommu_iova_range range = { 1, 1 };
	struct iommu_ioas_iova_ranges query = {
		.size = sizeof(query),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = address_of(&range),
	};
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = address_of(&range),
	};
	int result = iommu(IOMMU_IOAS_IOVA_RANGES, &query);

	report(!result && query.num_iovas == 1 && !range.start &&
	       range.last == ~0ull && query.out_iova_alignment == 1,
	       "IOAS_IOVA_RANGES returns 64-bit IOVAs");
	range.start = HIGH_IOVA;
	range.last = HIGH_IOVA + PAGE - 1;
	report(!iommu(IOMMU_IOAS_ALLOW_IOVAS, &allow), "IOAS_ALLOW_IOVAS");
}

static void test_mappings(__u32 ioas, __u32 other, char *page)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = address_of(page),
		.length = PAGE,
	};
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = other,
		.src_ioas_id = ioas,
		.length = PAGE,
		.dst_iova = 2 * HIGH_IOVA,
		.src_iova = HIGH_IOVA,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = other,
		.iova = 0,
		.length = ~0ull,
	};
	int result = iommu(IOMMU_IOAS_MAP, &map);

	report(!result && map.iova == HIGH_IOVA,
	       "IOAS_MAP at an IOVA above 4 GiB");
	report(!iommu(IOMMU_IOAS_COPY, &copy), "IOAS_COPY");
	result = iommu(IOMMU_IOAS_UNMAP, &unmap);
	report(!result && unmap.length == PAGE, "IOAS_UNMAP of all IOVAs");
}

static void test_errnos(__u32 ioas, char *page)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_GET,
		.object_id = ioas,
	};
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = 77,
		.pt_id = ioas,
	};
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = 77 };
	struct iommu_destroy *destroy = (void *)page;
	int result = iommu(IOMMU_OPTION, &option);

	report(!result && option.val64 == 1 &&
	       iommu(IOMMU_HWPT_ALLOC, &hwpt) == -ENOENT &&
	       iommu(IOMMU_GET_HW_INFO, &info) == -ENOENT,
	       "OPTION, HWPT_ALLOC, GET_HW_INFO");

	destroy->size = sizeof(*destroy) + 1;
	destroy->id = ioas;
	page[sizeof(*destroy)] = 1;
	result = iommu(IOMMU_DESTROY, destroy) == -E2BIG;
	destroy->size = sizeof(*destroy) - 1;
	result = result && iommu(IOMMU_DESTROY, destroy) == -EINVAL;
	destroy->size = sizeof(*destroy);
	report(result && !iommu(IOMMU_DESTROY, destroy) &&
	       iommu(IOMMU_DESTROY, destroy) == -ENOENT,
	       "DESTROY, also with a wrong struct size");
}

void _start(void);

__attribute__((force_align_arg_pointer))
void _start(void)
{
	__u32 ioas, other;
	char *page;

	print("TAP version 13\n1..9\n");
	fd = (int)call3(__NR_open, (long)"/dev/iommu", O_RDWR, 0);
	page = mmap_page();
	test_alloc(&ioas, &other);
	test_ranges(ioas);
	test_mappings(ioas, other, page);
	test_errnos(ioas, page);
	call3(__NR_exit, any_failed || tests != NR_TESTS, 0, 0);
	__builtin_unreachable();
}
