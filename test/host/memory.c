/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  The memory of a program of the tests, in place of the server's contexts.
 *
 * What is palloc'd goes with its context; these programs have one, which
 * free_all() ends.  With that, what a sanitizer calls a leak is one: memory of
 * a library, which no context would free.
 *
 * These take the place of all functions of the server's fe_memutils.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "memory.h"

/* What has been given out, at its hash value or behind it; a power of two. */
static void **pieces = NULL;
static size_t size_of_table = 0;
static size_t count = 0;

static size_t
place_of(const void *memory)
{
	return (size_t) (((uint64) (uintptr_t) memory * UINT64CONST(0x9E3779B97F4A7C15)) >> 20) &
		(size_of_table - 1);
}

/* Where it is entered, or would be. */
static void **
find(const void *memory)
{
	size_t		place = place_of(memory);

	while (pieces[place] != NULL && pieces[place] != memory)
		place = (place + 1) & (size_of_table - 1);
	return &pieces[place];
}

static void
grow_table(void)
{
	void	  **old = pieces;
	size_t		old_size = size_of_table;

	size_of_table = Max(1024, 2 * old_size);
	pieces = calloc(size_of_table, sizeof(void *));
	if (pieces == NULL)
		abort();
	for (size_t i = 0; i < old_size; i++)
	{
		if (old[i] != NULL)
			*find(old[i]) = old[i];
	}
	free(old);
}

static void *
enter(void *memory)
{
	if (memory == NULL)
	{
		fprintf(stderr, "out of memory\n");
		exit(EXIT_FAILURE);
	}
	if (2 * count >= size_of_table)
		grow_table();
	*find(memory) = memory;
	count++;
	return memory;
}

/*
 * Forgets what is to be freed.  What is not in the table comes from a function
 * of the server's that in a host program calls malloc() itself.
 */
static void
forget(void *memory)
{
	size_t		mask = size_of_table - 1;
	size_t		hole;

	if (count == 0 || *find(memory) == NULL)
		return;
	hole = find(memory) - pieces;
	for (size_t next = (hole + 1) & mask; pieces[next] != NULL; next = (next + 1) & mask)
	{
		/* Move back what a search would no longer reach. */
		if (((next - place_of(pieces[next])) & mask) >= ((next - hole) & mask))
		{
			pieces[hole] = pieces[next];
			hole = next;
		}
	}
	pieces[hole] = NULL;
	count--;
}

void *
pg_malloc(size_t size)
{
	return enter(malloc(Max(1, size)));
}

void *
pg_malloc0(size_t size)
{
	return enter(calloc(1, Max(1, size)));
}

void *
pg_malloc_extended(size_t size, int flags)
{
	return (flags & MCXT_ALLOC_ZERO) != 0 ? pg_malloc0(size) : pg_malloc(size);
}

void
pg_free(void *memory)
{
	if (memory == NULL)
		return;
	forget(memory);
	free(memory);
}

void *
pg_realloc(void *memory, size_t size)
{
	if (memory != NULL)
		forget(memory);
	return enter(realloc(memory, Max(1, size)));
}

char *
pg_strdup(const char *string)
{
	return strcpy(pg_malloc(strlen(string) + 1), string);
}

void *
palloc(Size size)
{
	return pg_malloc(size);
}

void *
palloc0(Size size)
{
	return pg_malloc0(size);
}

void *
palloc_extended(Size size, int flags)
{
	return pg_malloc_extended(size, flags);
}

void
pfree(void *memory)
{
	pg_free(memory);
}

char *
pstrdup(const char *string)
{
	return pg_strdup(string);
}

char *
pnstrdup(const char *string, Size size)
{
	Size		length = strnlen(string, size);
	char	   *result = pg_malloc(length + 1);

	memcpy(result, string, length);
	result[length] = '\0';
	return result;
}

void *
repalloc(void *memory, Size size)
{
	return pg_realloc(memory, size);
}

/* Frees what has not been freed. */
void
free_all(void)
{
	for (size_t i = 0; i < size_of_table; i++)
		free(pieces[i]);
	free(pieces);
	pieces = NULL;
	size_of_table = count = 0;
}
