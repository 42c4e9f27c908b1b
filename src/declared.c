/*-------------------------------------------------------------------------
 *
 * declared.c
 *	  RULES 4.11: the attributes that an account has declared, and their types.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "resolver.h"

/* A date as in "2026-01-31", in JSON. */
static bool
is_date(const char *json)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year;
	int			month;
	int			day;
	bool		leap;

	if (strlen(json) != 12 || json[5] != '-' || json[8] != '-')
		return false;
	for (int i = 1; i <= 10; i++)
	{
		if (i != 5 && i != 8 && (json[i] < '0' || json[i] > '9'))
			return false;
	}
	year = atoi(json + 1);
	month = atoi(json + 6);
	day = atoi(json + 9);
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
		day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Whether a value, in JSON, is of a declared type. */
static bool
has_type(const CiDeclared *declared, const char *json)
{
	switch (declared->type)
	{
		case CI_ATTRIBUTE_TEXT:
			return json[0] == '"';
		case CI_ATTRIBUTE_NUMBER:
			return json[0] == '-' || (json[0] >= '0' && json[0] <= '9');
		case CI_ATTRIBUTE_BOOLEAN:
			return json[0] == 't' || json[0] == 'f';
		case CI_ATTRIBUTE_DATE:
			return is_date(json);
		case CI_ATTRIBUTE_CHOICE:
			for (int i = 0; i < declared->nchoices; i++)
			{
				if (strcmp(declared->choices[i], json) == 0)
					return true;
			}
			return false;
	}
	return false;
}

static int
compare_names(const void *name, const void *declared)
{
	return strcmp((const char *) name, ((const CiDeclared *) declared)->name);
}

/*
 * [4.11] Whether an attribute may be stored: an account that declares none
 * takes all, else it must be declared and of its type.  Each may be cleared.
 */
bool
ci_attribute_is_declared(const CiConfig *config, const CiAttribute *attribute)
{
	const CiDeclared *declared;

	if (config->ndeclared == 0)
		return true;
	declared = bsearch(attribute->name, config->declared, config->ndeclared,
					   sizeof(CiDeclared), compare_names);
	return declared != NULL &&
		(attribute->json == NULL || has_type(declared, attribute->json));
}
