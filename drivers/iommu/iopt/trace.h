/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the engine. Each event fires at the end of an operation,
 * whether or not it failed, and shows the arguments and results of the
 * operation.
 *
 * A space is identified by its number, as in debugfs. Several spaces may share
 * pages, so events about pages show the address of the iopt_pages instead. If
 * rc is a negative errno, results in the same event, such as a chosen IOVA, are
 * undefined.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iopt

#if !defined(__IOPT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define __IOPT_TRACE_H

#include <linux/iopt.h>
#include <linux/tracepoint.h>

struct iopt_pages;

#define show_prot(prot) __print_flags(prot, "|",			\
				      { IOMMU_READ, "READ" },		\
				      { IOMMU_WRITE, "WRITE" },		\
				      { IOMMU_CACHE, "CACHE" },		\
				      { IOMMU_NOEXEC, "NOEXEC" },	\
				      { IOMMU_MMIO, "MMIO" })

#define show_access(flags) __print_flags(flags, "|",			\
					 { IOPT_ACCESS_READ, "READ" },	\
					 { IOPT_ACCESS_WRITE, "WRITE" },\
					 { IOPT_ACCESS_UNALIGNED, "UNALIGNED" })

TRACE_DEFINE_ENUM(IOPT_ACCOUNT_NONE);
TRACE_DEFINE_ENUM(IOPT_ACCOUNT_USER);
TRACE_DEFINE_ENUM(IOPT_ACCOUNT_MM);
TRACE_DEFINE_ENUM(IOPT_ACCOUNT_MM_UNLIMITED);
TRACE_DEFINE_ENUM(IOPT_ACCOUNT_MM_PINNED);

#define show_account(account) __print_symbolic(account,			\
				{ IOPT_ACCOUNT_NONE, "none" },		\
				{ IOPT_ACCOUNT_USER, "user" },		\
				{ IOPT_ACCOUNT_MM, "mm" },		\
				{ IOPT_ACCOUNT_MM_UNLIMITED, "unlimited" },\
				{ IOPT_ACCOUNT_MM_PINNED, "pinned" })

TRACE_EVENT(iopt_map,
	    TP_PROTO(const struct io_pagetable *iopt, unsigned long iova,
		     const void __user *uptr, unsigned long length, int prot,
		     enum iopt_account account, unsigned int flags, int rc),
	    TP_ARGS(iopt, iova, uptr, length, prot, account, flags, rc),
	    TP_STRUCT__entry(__field(unsigned long, space)
			     __field(unsigned long, iova)
			     __field(unsigned long, uaddr)
			     __field(unsigned long, length)
			     __field(int, prot)
			     __field(unsigned int, account)
			     __field(unsigned int, flags)
			     __field(int, rc)),
	    TP_fast_assign(__entry->space = iopt->id;
			   __entry->iova = iova;
			   __entry->uaddr = (unsigned long)uptr;
			   __entry->length = length;
			   __entry->prot = prot;
			   __entry->account = account;
			   __entry->flags = flags;
			   __entry->rc = rc;),
	    TP_printk("space=%lu iova=0x%lx uaddr=0x%lx length=0x%lx prot=%s account=%s fixed=%d rc=%d",
		      __entry->space, __entry->iova, __entry->uaddr,
		      __entry->length, show_prot(__entry->prot),
		      show_account(__entry->account),
		      !!(__entry->flags & IOPT_MAP_FIXED), __entry->rc));

TRACE_EVENT(iopt_copy,
	    TP_PROTO(const struct io_pagetable *dst, unsigned long dst_iova,
		     const struct io_pagetable *src, unsigned long src_iova,
		     unsigned long length, int prot, unsigned int flags,
		     int rc),
	    TP_ARGS(dst, dst_iova, src, src_iova, length, prot, flags, rc),
	    TP_STRUCT__entry(__field(unsigned long, space)
			     __field(unsigned long, iova)
			     __field(unsigned long, src_space)
			     __field(unsigned long, src_iova)
			     __field(unsigned long, length)
			     __field(int, prot)
			     __field(unsigned int, flags)
			     __field(int, rc)),
	    TP_fast_assign(__entry->space = dst->id;
			   __entry->iova = dst_iova;
			   __entry->src_space = src->id;
			   __entry->src_iova = src_iova;
			   __entry->length = length;
			   __entry->prot = prot;
			   __entry->flags = flags;
			   __entry->rc = rc;),
	    TP_printk("space=%lu iova=0x%lx src_space=%lu src_iova=0x%lx length=0x%lx prot=%s fixed=%d rc=%d",
		      __entry->space, __entry->iova, __entry->src_space,
		      __entry->src_iova, __entry->length,
		      show_prot(__entry->prot),
		      !!(__entry->flags & IOPT_MAP_FIXED), __entry->rc));

TRACE_EVENT(iopt_unmap,
	    TP_PROTO(const struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, unsigned long unmapped, int rc),
	    TP_ARGS(iopt, start, last, unmapped, rc),
	    TP_STRUCT__entry(__field(unsigned long, space)
			     __field(unsigned long, start)
			     __field(unsigned long, last)
			     __field(unsigned long, unmapped)
			     __field(int, rc)),
	    TP_fast_assign(__entry->space = iopt->id;
			   __entry->start = start;
			   __entry->last = last;
			   __entry->unmapped = unmapped;
			   __entry->rc = rc;),
	    TP_printk("space=%lu start=0x%lx last=0x%lx unmapped=0x%lx rc=%d",
		      __entry->space, __entry->start, __entry->last,
		      __entry->unmapped, __entry->rc));

DECLARE_EVENT_CLASS(iopt_domain,
		    TP_PROTO(const struct io_pagetable *iopt,
			     const struct iommu_domain *domain, int rc),
		    TP_ARGS(iopt, domain, rc),
		    TP_STRUCT__entry(__field(unsigned long, space)
				     __field(const void *, domain)
				     __field(unsigned int, areas)
				     __field(unsigned long, alignment)
				     __field(int, rc)),
		    TP_fast_assign(__entry->space = iopt->id;
				   __entry->domain = domain;
				   __entry->areas = READ_ONCE(iopt->nr_areas);
				   __entry->alignment = READ_ONCE(iopt->iova_alignment);
				   __entry->rc = rc;),
		    TP_printk("space=%lu domain=%p areas=%u alignment=0x%lx rc=%d",
			      __entry->space, __entry->domain, __entry->areas,
			      __entry->alignment, __entry->rc));

DEFINE_EVENT(iopt_domain, iopt_attach,
	     TP_PROTO(const struct io_pagetable *iopt,
		      const struct iommu_domain *domain, int rc),
	     TP_ARGS(iopt, domain, rc));

DEFINE_EVENT(iopt_domain, iopt_detach,
	     TP_PROTO(const struct io_pagetable *iopt,
		      const struct iommu_domain *domain, int rc),
	     TP_ARGS(iopt, domain, rc));

/*
 * Fires when a batch has been pinned and charged, or when one of the two steps
 * has failed.
 */
TRACE_EVENT(iopt_pin,
	    TP_PROTO(const struct iopt_pages *pages, unsigned long first,
		     unsigned long npages, unsigned long charged, int rc),
	    TP_ARGS(pages, first, npages, charged, rc),
	    TP_STRUCT__entry(__field(const void *, pages)
			     __field(unsigned long, uaddr)
			     __field(unsigned long, first)
			     __field(unsigned long, npages)
			     __field(unsigned long, charged)
			     __field(int, rc)),
	    TP_fast_assign(__entry->pages = pages;
			   __entry->uaddr = pages->uaddr + (first << PAGE_SHIFT);
			   __entry->first = first;
			   __entry->npages = npages;
			   __entry->charged = charged;
			   __entry->rc = rc;),
	    TP_printk("pages=%p uaddr=0x%lx first=%lu npages=%lu charged=%lu rc=%d",
		      __entry->pages, __entry->uaddr, __entry->first,
		      __entry->npages, __entry->charged, __entry->rc));

/*
 * Fires when pages lose their last holder or, if they have no holder, their
 * last pin. Pages that an access still has pinned, and lost pages, stay pinned.
 */
TRACE_EVENT(iopt_unpin,
	    TP_PROTO(const struct iopt_pages *pages, unsigned long first,
		     unsigned long last, unsigned long uncharged,
		     unsigned long lost),
	    TP_ARGS(pages, first, last, uncharged, lost),
	    TP_STRUCT__entry(__field(const void *, pages)
			     __field(unsigned long, first)
			     __field(unsigned long, npages)
			     __field(unsigned long, uncharged)
			     __field(unsigned long, lost)),
	    TP_fast_assign(__entry->pages = pages;
			   __entry->first = first;
			   __entry->npages = last - first + 1;
			   __entry->uncharged = uncharged;
			   __entry->lost = lost;),
	    TP_printk("pages=%p first=%lu npages=%lu uncharged=%lu lost=%lu",
		      __entry->pages, __entry->first, __entry->npages,
		      __entry->uncharged, __entry->lost));

TRACE_EVENT(iopt_access_pin,
	    TP_PROTO(const struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, unsigned int flags, int rc),
	    TP_ARGS(iopt, start, last, flags, rc),
	    TP_STRUCT__entry(__field(unsigned long, space)
			     __field(unsigned long, start)
			     __field(unsigned long, last)
			     __field(unsigned int, flags)
			     __field(int, rc)),
	    TP_fast_assign(__entry->space = iopt->id;
			   __entry->start = start;
			   __entry->last = last;
			   __entry->flags = flags;
			   __entry->rc = rc;),
	    TP_printk("space=%lu start=0x%lx last=0x%lx flags=%s rc=%d",
		      __entry->space, __entry->start, __entry->last,
		      show_access(__entry->flags), __entry->rc));

TRACE_EVENT(iopt_access_unpin,
	    TP_PROTO(const struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, unsigned long unpinned),
	    TP_ARGS(iopt, start, last, unpinned),
	    TP_STRUCT__entry(__field(unsigned long, space)
			     __field(unsigned long, start)
			     __field(unsigned long, last)
			     __field(unsigned long, unpinned)),
	    TP_fast_assign(__entry->space = iopt->id;
			   __entry->start = start;
			   __entry->last = last;
			   __entry->unpinned = unpinned;),
	    TP_printk("space=%lu start=0x%lx last=0x%lx unpinned=%lu",
		      __entry->space, __entry->start, __entry->last,
		      __entry->unpinned));

#endif /* __IOPT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
