/*-------------------------------------------------------------------------
 *
 * config.h
 *	  The settings of an account, read from its tables and kept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_CONFIG_H
#define CI_CONFIG_H

#include "fmgr.h"

#include "compat.h"
#include "resolver.h"

extern int	ci_setting_account_id;

/* config.c */
extern int	ci_account_argument(FunctionCallInfo fcinfo, int argno);
extern const CiConfig *ci_get_config(int account_id);
extern const char *ci_list_name(const CiConfig *config, int list_id);
extern bool ci_normalize_identifier(const CiConfig *config, const CiKind *kind,
									const char *input, CiNormalized *out, CiError *err);

/* error.c */
extern int	ci_error_sqlstate(CiCode code);
extern char *ci_error_text(const CiError *err);
CI_NORETURN extern void ci_report_error(const CiError *err);
CI_NORETURN extern void ci_refuse(CiCode code, const char *message, const char *hint);

#endif							/* CI_CONFIG_H */
