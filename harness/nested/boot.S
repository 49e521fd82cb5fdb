# SPDX-License-Identifier: GPL-2.0-only
# The program that the nested machine runs: the boot sector of a disk if DISK is 1, else a network boot program. Both
# are loaded at 0x7c00. In a mailbox at 0x600, the program counts rounds until a command arrives.
#
# In each round, the boot sector reads SECTORS sectors from SOURCE, writes them to TARGET, reads them back from TARGET
# and compares the memory. The network boot program does nothing in a round.
	.code16
	.set	command, 0x600		# byte: 0, 'q' to exit, or 's' to stop until the next command
	.set	stopped, 0x601		# byte: 1 while the program is stopped
	.set	rounds, 0x604		# 32 bits
	.set	exit_port, 0xf4		# isa-debug-exit

	ljmp	$0, $start
start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	cld
	movb	%dl, drive
	movl	$0, command
	movl	$0, rounds
round:
	.if	DISK
	movl	$SOURCE, sector
	movw	$FIRST >> 4, segment
	call	fill
	movb	$0x42, %ah
	call	disk
	movl	$TARGET, sector
	movb	$0x43, %ah
	call	disk
	movw	$SECOND >> 4, segment
	call	fill
	movb	$0x42, %ah
	call	disk
	call	compare
	.endif
	incl	rounds
wait:
	cmpb	$'q', command
	je	quit
	cmpb	$'s', command
	jne	round
	movb	$1, stopped
	jmp	wait
quit:
	movb	$PASSED, %al
	jmp	exit
failed:
	movb	$FAILED, %al
exit:
	outb	%al, $exit_port
	jmp	.			# QEMU exits some time after the write

	.if	DISK
# Fill the buffer at `segment` with a value that differs in each round.
fill:
	movw	segment, %es
	xorw	%di, %di
	movl	rounds, %eax
	notl	%eax
	movw	$SECTORS * 128, %cx
	rep stosl
	ret

# Read (AH = 0x42) or write (AH = 0x43) SECTORS sectors, from `sector` on.
disk:
	movw	$SECTORS, count
	movw	$packet, %si
	movb	$0, %al
	movb	drive, %dl
	int	$0x13
	jc	failed
	ret

# Exit unless the two buffers are equal.
compare:
	movw	$SECOND >> 4, %ax
	movw	%ax, %es
	movw	$FIRST >> 4, %ax
	movw	%ax, %ds
	xorw	%si, %si
	xorw	%di, %di
	movw	$SECTORS * 128, %cx
	repe cmpsl
	movw	$0, %ax
	movw	%ax, %ds
	jne	failed
	ret

packet:					# disk address packet of INT 13h
	.byte	16, 0
count:	.word	0
	.word	0
segment: .word	0
sector:	.quad	0
	.endif
drive:	.byte	0

	.org	510
	.word	0xaa55
