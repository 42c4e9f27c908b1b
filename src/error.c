/*-------------------------------------------------------------------------
 *
 * error.c
 *	  Errors that the pipeline found, as the server reports them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config.h"

/* The SQLSTATE of an error. */
int
ci_error_sqlstate(CiCode code)
{
	switch (code)
	{
		case CI_OK:
			return ERRCODE_SUCCESSFUL_COMPLETION;
		case CI_INVALID:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case CI_TAKEN:
			return ERRCODE_UNIQUE_VIOLATION;
		case CI_NOT_FOUND:
			return ERRCODE_NO_DATA_FOUND;
		case CI_STATE:
			return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		case CI_TOO_LARGE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case CI_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case CI_DENIED:
			return ERRCODE_INSUFFICIENT_PRIVILEGE;
		case CI_RETRY:
			return ERRCODE_T_R_SERIALIZATION_FAILURE;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/*
 * Raises an error.  The statement is hidden: the values in it are personal
 * (RULES 9.6).
 */
void
ci_report_error(const CiError *err)
{
	ereport(ERROR,
			(errcode(ci_error_sqlstate(err->code)),
			 errmsg_internal("%s", err->message),
			 err->detail != NULL ? errdetail_internal("%s", err->detail) : 0,
			 err->hint != NULL ? errhint("%s", err->hint) : 0,
			 errhidestmt(true)));
	pg_unreachable();
}

/* An error as one text, without its hint. */
char *
ci_error_text(const CiError *err)
{
	return psprintf("%s%s%s", err->message, err->detail == NULL ? "" : ": ",
					err->detail == NULL ? "" : err->detail);
}

/* Raises an error that has no detail. */
void
ci_refuse(CiCode code, const char *message, const char *hint)
{
	CiError		err = {
		.code = code,
		.message = message,
		.hint = hint
	};

	ci_report_error(&err);
}
