/*-------------------------------------------------------------------------
 *
 * normalize.h
 *	  Values of identifiers and keys: made comparable, or refused.
 *
 * Include postgres.h, or postgres_fe.h in a host program, first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_NORMALIZE_H
#define CI_NORMALIZE_H

#include "phone.h"

typedef enum CiNormalizer
{
	CI_NORMALIZE_EXACT,
	CI_NORMALIZE_EMAIL,
	CI_NORMALIZE_PHONE
} CiNormalizer;

typedef enum CiCode
{
	CI_OK = 0,
	CI_INVALID,					/* 22023 */
	CI_TAKEN,					/* 23505 */
	CI_NOT_FOUND,				/* P0002 */
	CI_STATE,					/* 55000 */
	CI_TOO_LARGE,				/* 54000 */
	CI_UNSUPPORTED,				/* 0A000 */
	CI_DENIED,					/* 42501 */
	CI_RETRY					/* 40001 */
} CiCode;

/*
 * An error that is reported, or stored with a rejected row, by somebody else.
 * The strings are palloc'd or static, and never contain the value itself.
 * detail and hint may be NULL.
 */
typedef struct CiError
{
	CiCode		code;
	const char *message;
	const char *detail;
	const char *hint;
} CiError;

typedef struct CiNormalizeRules
{
	CiNormalizer how;
	const char *field;			/* name for messages: the kind */
	int			max_octets;		/* for CI_NORMALIZE_EXACT */
	const char *region;			/* default region for CI_NORMALIZE_PHONE, or
								 * NULL */

	/* Is this folded form (see ci_blocked_form) blocked?  NULL: nothing is. */
	bool		(*is_blocked) (void *arg, const char *folded);
	void	   *blocked_arg;

	/* NULL: CI_NORMALIZE_PHONE is refused with CI_UNSUPPORTED. */
	const CiPhoneLibrary *phone;
} CiNormalizeRules;

typedef struct CiNormalized
{
	char	   *value;			/* what is compared */
	char	   *given;			/* the spelling given, trimmed */
} CiNormalized;

/* The built-in blocked values, in their folded form; the last is NULL. */
extern const char *const ci_blocked_defaults[];

extern bool ci_normalize_value(const CiNormalizeRules *rules,
							   const char *input, CiNormalized *out,
							   CiError *err);
extern char *ci_blocked_form(const char *input);

#endif							/* CI_NORMALIZE_H */
