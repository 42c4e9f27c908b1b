/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the programs that are fed with bytes have in common.
 *
 * Each has the one function that libFuzzer calls; replay.c is a main() that
 * needs no libFuzzer and plays the files that are named.  What is promised
 * and not kept ends the program, as a crash does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_FUZZ_H
#define CI_FUZZ_H

#include "postgres_fe.h"

#include "memory.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

#define promise(kept, what) \
	do { \
		if (!(kept)) \
		{ \
			fprintf(stderr, "broken: %s\n", what); \
			abort(); \
		} \
	} while (0)

#endif							/* CI_FUZZ_H */
