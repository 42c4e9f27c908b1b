/*-------------------------------------------------------------------------
 *
 * phone.cc
 *	  Telephone numbers to E.164, by Google's libphonenumber.
 *
 * No server header here, and no exception out of here: the server's error
 * handling jumps over C++ frames, and does not know what to do with a throw.
 *
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

#include "phone.h"

using i18n::phonenumbers::NullLogger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

/*
 * How often a result is read back until it stays the same.  Four times was the
 * most that a million random numbers needed.
 */
#define MAX_ROUNDS 8

/*
 * Answer the library's one instance, made when it is first asked for.
 */
static const PhoneNumberUtil *
get_library(void)
{
	static PhoneNumberUtil *library = NULL;

	if (library == NULL)
	{
		PhoneNumberUtil *instance = PhoneNumberUtil::GetInstance();

		/* Its own logger writes to standard output, numbers included. */
		instance->SetLogger(new NullLogger());
		library = instance;
	}
	return library;
}

/*
 * Is this an optional plus sign and at least one digit, and short enough?
 *
 * Extensions, letters and second numbers, which libphonenumber would quietly
 * understand or drop, cannot get past this.
 */
static bool
is_plain_number(const char *input)
{
	size_t		len = strnlen(input, CI_PHONE_MAX_INPUT + 1);
	size_t		start = input[0] == '+' ? 1 : 0;

	return len <= CI_PHONE_MAX_INPUT && len > start &&
		strspn(input + start, "0123456789") == len - start;
}

static CiPhoneCode
code_of_parse(PhoneNumberUtil::ErrorType error)
{
	switch (error)
	{
		case PhoneNumberUtil::NO_PARSING_ERROR:
			return CI_PHONE_OK;
		case PhoneNumberUtil::INVALID_COUNTRY_CODE_ERROR:
			return CI_PHONE_COUNTRY;
		case PhoneNumberUtil::NOT_A_NUMBER:
			/* Of digits alone it says so only where there are too few. */
			return CI_PHONE_TOO_SHORT;
		case PhoneNumberUtil::TOO_SHORT_AFTER_IDD:
		case PhoneNumberUtil::TOO_SHORT_NSN:
			return CI_PHONE_TOO_SHORT;
		case PhoneNumberUtil::TOO_LONG_NSN:
			return CI_PHONE_TOO_LONG;
	}
	return CI_PHONE_MALFORMED;
}

static CiPhoneCode
code_of_length(PhoneNumberUtil::ValidationResult result)
{
	switch (result)
	{
		case PhoneNumberUtil::IS_POSSIBLE:
			return CI_PHONE_OK;
		case PhoneNumberUtil::IS_POSSIBLE_LOCAL_ONLY:
			return CI_PHONE_LOCAL_ONLY;
		case PhoneNumberUtil::INVALID_COUNTRY_CODE:
			return CI_PHONE_COUNTRY;
		case PhoneNumberUtil::TOO_SHORT:
			return CI_PHONE_TOO_SHORT;
		case PhoneNumberUtil::INVALID_LENGTH:
			return CI_PHONE_LENGTH;
		case PhoneNumberUtil::TOO_LONG:
			return CI_PHONE_TOO_LONG;
	}
	return CI_PHONE_MALFORMED;
}

/*
 * Read one number and write it as E.164.
 */
static CiPhoneCode
to_e164(const std::string &input, const std::string &region,
		std::string *result)
{
	const PhoneNumberUtil *library = get_library();
	PhoneNumber number;
	CiPhoneCode code;

	code = code_of_parse(library->Parse(input, region, &number));
	if (code != CI_PHONE_OK)
		return code;

	/* Possible, not valid: the numbering plans change faster than packages. */
	code = code_of_length(library->IsPossibleNumberWithReason(number));
	if (code != CI_PHONE_OK)
		return code;

	library->Format(number, PhoneNumberUtil::E164, result);
	return CI_PHONE_OK;
}

/*
 * Write the E.164 form of a number to out, which has room for it.
 */
static CiPhoneCode
normalize(const char *input, const char *region, char *out)
{
	try
	{
		std::string home = "ZZ";	/* the library's name of no region */
		std::string given = input;
		std::string result;
		int			rounds = 0;

		if (region != NULL && strnlen(region, 3) == 2)
		{
			home = region;
			for (char &c : home)
			{
				if (c >= 'a' && c <= 'z')
					c = (char) (c - 'a' + 'A');
			}
		}

		if (input[0] != '+' && get_library()->GetCountryCodeForRegion(home) == 0)
			return CI_PHONE_REGION;

		for (;;)
		{
			CiPhoneCode code = to_e164(given, home, &result);

			if (code != CI_PHONE_OK)
				return code;
			if (result == given)
				break;

			/*
			 * Read it back: of a national prefix that is written twice, as in
			 * +49 (0)089 ..., only one is removed at a time, and a stored
			 * value must be found again by itself.
			 */
			if (++rounds > MAX_ROUNDS)
				return CI_PHONE_MALFORMED;
			given = result;
		}

		if (result.size() >= CI_PHONE_MAX_OUTPUT)
			return CI_PHONE_FAILED;
		memcpy(out, result.c_str(), result.size() + 1);
		return CI_PHONE_OK;
	}
	catch (...)
	{
		return CI_PHONE_FAILED;
	}
}

/*
 * What was asked lately.  The library takes as long for a number as the server
 * for a small statement, and those who come back give the same number again.
 */
#define REMEMBERED 256

typedef struct Remembered
{
	char		input[CI_PHONE_MAX_INPUT + 1];	/* empty: nothing yet */
	char		region[3];
	CiPhoneCode code;
	char		output[CI_PHONE_MAX_OUTPUT];
} Remembered;

static Remembered remembered[REMEMBERED];

/*
 * See phone.h.  A number without a plus sign is a national one and needs the
 * region.
 */
extern "C" int
ci_phone_normalize(const char *input, const char *region,
				   char *out, size_t outlen)
{
	const char *home = region != NULL && strnlen(region, 3) == 2 ? region : "";
	unsigned	hash = 5381;
	Remembered *entry;

	if (input == NULL || out == NULL || !is_plain_number(input))
		return CI_PHONE_MALFORMED;
	for (const char *c = input; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char) *c;
	entry = &remembered[hash % REMEMBERED];
	if (strcmp(entry->input, input) != 0 || strcmp(entry->region, home) != 0)
	{
		entry->input[0] = '\0';
		entry->code = normalize(input, region, entry->output);
		if (entry->code == CI_PHONE_FAILED)
			return CI_PHONE_FAILED;	/* which need not be so the next time */
		strcpy(entry->region, home);
		strcpy(entry->input, input);
	}
	if (entry->code == CI_PHONE_OK)
	{
		if (strlen(entry->output) >= outlen)
			return CI_PHONE_FAILED;
		strcpy(out, entry->output);
	}
	return entry->code;
}

/*
 * Name the library and its version.
 *
 * It has no function that tells, so this looks at the name of the file that is
 * in use, which an upgrade of the package changes.
 */
extern "C" const char *
ci_phone_version(void)
{
	static char version[64] = "";

	if (version[0] == '\0')
	{
		static const char name[] = "libphonenumber";
		const char *number = NULL;
		char		path[PATH_MAX];
		Dl_info		info;

		/* Any data or function of the library that is not inline will do. */
		PhoneNumberUtil *(*member) () = &PhoneNumberUtil::GetInstance;

		if (dladdr((void *) member, &info) != 0 && info.dli_fname != NULL &&
			realpath(info.dli_fname, path) != NULL)
			number = strstr(path, ".so.");

		strcpy(version, name);
		if (number != NULL && strlen(number + 4) < sizeof(version) - sizeof(name) - 1)
		{
			strcat(version, " ");
			strcat(version, number + 4);
		}
	}
	return version;
}
