/*-------------------------------------------------------------------------
 *
 * memory.h
 *	  The memory of a program of the tests, in place of the server's contexts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_TEST_MEMORY_H
#define CI_TEST_MEMORY_H

extern void free_all(void);

#endif							/* CI_TEST_MEMORY_H */
