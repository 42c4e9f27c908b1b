/*-------------------------------------------------------------------------
 *
 * contact_identity.c
 *	  What the server needs to load the library: magic and settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "statement.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

int			ci_setting_account_id = 1;
int			ci_setting_batch_size = 1000;
int			ci_setting_report_interval = 5;

/*
 * Defines the settings. None of them authorises anything: they choose among
 * what the caller may do anyway.
 */
void
_PG_init(void)
{
	DefineCustomIntVariable("contact_identity.account_id",
							"The account that calls without an account_id mean.",
							NULL,
							&ci_setting_account_id,
							1, 1, PG_INT32_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("contact_identity.batch_size",
							"How many requests the view inbox, import() and attached tables play at a time.",
							"Fewer where they are large.",
							&ci_setting_batch_size,
							1000, 1, 100000,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("contact_identity.report_interval",
							"How often import() says how far it is; 0: with each batch.",
							NULL,
							&ci_setting_report_interval,
							5, 0, 3600,
							PGC_USERSET, GUC_UNIT_S,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("contact_identity");
	ci_install_hooks();
}
