/*-------------------------------------------------------------------------
 *
 * gone.h
 *	  What goes with contacts that are erased.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_GONE_H
#define CI_GONE_H

#include "utils/hsearch.h"

#include "pipeline.h"

/* Whether what rejected requests give is an erased contact's alone. */
typedef struct CiShared
{
	bool		asked;			/* whether a live contact has it */
	bool		shared;			/* it has, or several people were said to */
	const char *about;			/* the first of those */
} CiShared;

/* A value that an erased contact had, or that was given about it. */
typedef struct CiHad
{
	char	   *id;				/* type, name and value: key of the table */
	bool		is_attribute;
	char	   *name;			/* a kind, or an attribute's name */
	char	   *value;			/* an attribute's as canonical JSON */
	const CiKind *kind;			/* NULL: an attribute, or a kind that was
								 * removed */
	bool		held;			/* an identifier that somebody holds */
	bool		stays;			/* an identifier that is another's */
	int64		own_of;			/* an attribute that this other contact had by
								 * itself */
	CiShared	shared;			/* of an attribute */
	struct CiHad *next;
} CiHad;

/* A text of an attribute, or a number, to be looked for inside of texts. */
typedef struct CiHadText
{
	const char *text;
	const char *json;			/* as it stands in JSON, without quotes */
	CiShared	shared;
	struct CiHadText *next;
} CiHadText;

typedef struct CiGone
{
	const CiConfig *config;
	Datum		contacts;		/* ids, as an array */
	int64	   *ids;
	int			nids;
	HTAB	   *table;			/* of CiHad */
	CiHad	   *had;
	CiHadText  *texts;
	CiColumn	kinds;			/* identifiers and keys that go */
	CiColumn	values;
	/* What is to be emptied of others: */
	CiColumn	events;			/* with what of each: */
	CiColumn	found;
	CiColumn	old;
	CiColumn	new;
	CiColumn	set_aside;		/* conflicts */
	CiColumn	passed_on;		/* merges that were undone */
} CiGone;

/* gone.c */
extern void ci_read_gone(CiGone *gone, const CiWorld *world);
extern CiHad *ci_find_had(const CiGone *gone, bool is_attribute, const char *name, const char *value);

/* rejected.c */
extern void ci_empty_texts(CiGone *gone);

#endif							/* CI_GONE_H */
