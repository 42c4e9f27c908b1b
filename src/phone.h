/*-------------------------------------------------------------------------
 *
 * phone.h
 *	  Telephone numbers through libphonenumber, behind a C interface.
 *
 * This header is read by C and by C++ and knows nothing of the server: the
 * C++ object must not see server headers, and no C++ exception may leave it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_PHONE_H
#define CI_PHONE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C"
{
#endif

/*
 * libphonenumber is quadratic in its input, so no more than this goes in.
 */
#define CI_PHONE_MAX_INPUT	32

/* Room for the longest result: a plus sign, 15 to 17 digits, and the NUL. */
#define CI_PHONE_MAX_OUTPUT 32

typedef enum CiPhoneCode
{
	CI_PHONE_OK = 0,
	CI_PHONE_MALFORMED,			/* not a + and digits, or digits */
	CI_PHONE_COUNTRY,			/* an unknown country code */
	CI_PHONE_REGION,			/* no country code, and an unknown region or
								 * none */
	CI_PHONE_TOO_SHORT,
	CI_PHONE_LOCAL_ONLY,		/* can be dialled from nearby at most */
	CI_PHONE_TOO_LONG,
	CI_PHONE_LENGTH,			/* between the lengths that are in use */
	CI_PHONE_FAILED				/* out of memory, or the library broke */
} CiPhoneCode;

/*
 * What the module contact_identity_phone offers.
 *
 * normalize: input is an optional + and ASCII digits, region an ISO 3166
 * code of two letters or NULL.  Writes the E.164 form to out and answers a
 * CiPhoneCode.  version: what is installed, for the record.
 */
typedef struct CiPhoneLibrary
{
	int			(*normalize) (const char *input, const char *region,
							  char *out, size_t outlen);
	const char *(*version) (void);
} CiPhoneLibrary;

extern int	ci_phone_normalize(const char *input, const char *region,
							   char *out, size_t outlen);
extern const char *ci_phone_version(void);

/*
 * The module's one entry, for load_external_function("contact_identity_phone",
 * "ci_phone_library", ...).
 */
extern const CiPhoneLibrary *ci_phone_library(void);

#ifdef __cplusplus
}
#endif

#endif							/* CI_PHONE_H */
