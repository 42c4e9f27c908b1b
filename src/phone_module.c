/*-------------------------------------------------------------------------
 *
 * phone_module.c
 *	  The shared module contact_identity_phone: what the server must see of it.
 *
 * It is a module of its own so that a session pays for libphonenumber only
 * when its first telephone number arrives.  The C++ part is phone.cc.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "phone.h"

PG_MODULE_MAGIC;

/* Not in phone.h, because the macro is the server's. */
extern PGDLLEXPORT const CiPhoneLibrary *ci_phone_library(void);

/*
 * Answer the functions of this module.
 *
 * The caller finds this with load_external_function and casts the result; it
 * is a plain C function, not one that SQL could call.
 */
const CiPhoneLibrary *
ci_phone_library(void)
{
	static const CiPhoneLibrary library = {
		.normalize = ci_phone_normalize,
		.version = ci_phone_version
	};

	return &library;
}
