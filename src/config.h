/*-------------------------------------------------------------------------
 *
 * config.h
 *	  The settings of an account, read from its tables and kept.
 *
 * Tables may be older than the library: they stay as the setup() of an earlier
 * release made them until it is run again, and everything that release had goes
 * on working meanwhile.  So whatever reads or writes a table or column that is
 * new since 1.0.0
 *
 * - in a call that 1.0.0 had already: asks config->has_1_1_tables first, and
 *	 does without where it is false.  That costs nothing: it is kept with the
 *	 settings, and setup() makes every session read them again.
 * - in a function that is new: begins with ci_require_1_1_tables(), which says
 *	 that setup() has to be run (55000).
 *
 * Statements are prepared when they are first run, so one that names new tables
 * may stand beside those that do not; one statement with both needs two forms.
 * Where there is no account's configuration at hand ci_has_1_1_tables() looks.
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
extern bool ci_has_1_1_tables(void);
extern void ci_require_1_1_tables(const CiConfig *config);
extern const char *ci_list_name(const CiConfig *config, int list_id);
extern bool ci_normalize_identifier(const CiConfig *config, const CiKind *kind,
									const char *input, CiNormalized *out, CiError *err);

/* error.c */
extern int	ci_error_sqlstate(CiCode code);
extern char *ci_error_text(const CiError *err);
CI_NORETURN extern void ci_report_error(const CiError *err);
CI_NORETURN extern void ci_refuse(CiCode code, const char *message, const char *hint);

#endif							/* CI_CONFIG_H */
