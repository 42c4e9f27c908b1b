/*-------------------------------------------------------------------------
 *
 * normalize.c
 *	  Values of identifiers and keys: made comparable, or refused (RULES 7).
 *
 * Nothing here knows SQL, settings or tables, so that it can be built into a
 * host program and tested there.  A bad value is answered, not thrown: a batch
 * goes on with its next row.  No message contains the value.
 *
 * Every step is linear in its input, or has its input bounded before; what is
 * too long is refused before anything costly looks at it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include <idn2.h>
#include <unictype.h>
#include <unistr.h>

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"

#include "normalize.h"

#define EMAIL_MAX_OCTETS	254
#define DOMAIN_MAX_OCTETS	255
#define LABEL_MAX_OCTETS	63

/*
 * An e-mail address is measured as it is compared.  As it is given it may be
 * longer, in decomposed or fullwidth letters, but not without bound.
 */
#define EMAIL_MAX_GIVEN		(4 * EMAIL_MAX_OCTETS)

/* Likewise, each character of a number may have four octets. */
#define PHONE_MAX_GIVEN		(4 * CI_PHONE_MAX_INPUT)

#define ZERO_WIDTH_NON_JOINER	0x200C
#define ZERO_WIDTH_JOINER		0x200D

/*
 * What programs write when they have nothing to say.  Only what no real number,
 * key or customer's name can be: an account can add to these, and not every
 * account would think of removing one.
 */
const char *const ci_blocked_defaults[] = {
	"null", "(null)", "<null>", "[null]", "\\n", "dbnull",
	"undefined", "(undefined)",
	"none", "(none)", "nil", "<nil>",
	"nan", "n/a", "#n/a", "n.a.", "not set", "(not set)",
	"0", "-1", "-", "--", "---", ".", "..", "...", "?", "_",
	"true", "false",
	"anonymous", "guest", "unknown", "(unknown)", "test",
	"unidentified", "not_authenticated",
	"distinct_id", "ext_id", "external_id", "user_id", "visitor_id",
	"[object object]", "[object undefined]", "[object null]",
	"[object promise]", "[object window]",
	"{}", "[]", "()",
	"00000000-0000-0000-0000-000000000000",
	"{00000000-0000-0000-0000-000000000000}",
	"00000000000000000000000000000000",
	"ffffffff-ffff-ffff-ffff-ffffffffffff",
	NULL
};

/*
 * Fill in the error of a malformed value, and answer false for the caller to
 * pass on.
 */
static bool
refuse(const CiNormalizeRules *rules, CiError *err, const char *detail,
	   const char *hint)
{
	err->code = CI_INVALID;
	err->message = psprintf("%s is malformed", rules->field);
	err->detail = detail;
	err->hint = hint;
	return false;
}

/*
 * The same for a library that failed, which is not the value's fault.
 */
static bool
refuse_for_now(const CiNormalizeRules *rules, CiError *err)
{
	err->code = CI_RETRY;
	err->message = psprintf("%s could not be normalized", rules->field);
	err->detail = "A library ran out of memory or failed.";
	err->hint = "Try the call again.";
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * ASCII only: what is unique must not depend on a locale.
 */
static void
fold_ascii(char *s)
{
	for (; *s != '\0'; s++)
	{
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
	}
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
	{
		if (IS_HIGHBIT_SET(*s))
			return false;
	}
	return true;
}

static bool
is_white_space(ucs4_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return uc_is_property_white_space(c);
}

/*
 * Quotation marks of any script, and the accents that stand in for them.
 */
static bool
is_quote(ucs4_t c)
{
	if (c < 0x80)
		return c == '\'' || c == '"' || c == '`';
	return c == 0x00B4 || uc_is_property_quotation_mark(c);
}

/*
 * Letters, marks, digits, punctuation and symbols, unless they show nothing.
 *
 * Not assigned counts as not printable: how such a character is to be composed
 * may yet change, and with it which values are equal.
 */
static bool
is_printable(ucs4_t c)
{
	if (c < 0x80)
		return c > ' ' && c < 0x7F;
	return !uc_is_general_category_withtable(c, UC_CATEGORY_MASK_C |
											 UC_CATEGORY_MASK_Z) &&
		!uc_is_property_default_ignorable_code_point(c);
}

/*
 * Move both ends of a string inwards over white space, and over quotes where
 * that is asked for.  Stops at anything that is not UTF-8.
 */
static void
trim(const char **start, const char **end, bool quotes)
{
	const uint8_t *s = (const uint8_t *) *start;
	const uint8_t *e = (const uint8_t *) *end;

	while (s < e)
	{
		ucs4_t		c;
		int			n = u8_mbtoucr(&c, s, e - s);

		if (n <= 0 || !(is_white_space(c) || (quotes && is_quote(c))))
			break;
		s += n;
	}
	while (e > s)
	{
		ucs4_t		c;
		const uint8_t *prev = u8_prev(&c, e, s);

		if (prev == NULL || !(is_white_space(c) || (quotes && is_quote(c))))
			break;
		e = prev;
	}
	*start = (const char *) s;
	*end = (const char *) e;
}

/*
 * Answer the form in which a value is looked up among the blocked ones:
 * without white space and quotes around it, ASCII letters in lower case.
 *
 * A quote need not have its partner.  Nobody is called 'null, and a spreadsheet
 * writes exactly that.
 */
char *
ci_blocked_form(const char *input)
{
	const char *end;
	char	   *result;

	if (input == NULL)
		input = "";
	end = input + strlen(input);
	trim(&input, &end, true);
	result = pnstrdup(input, end - input);
	fold_ascii(result);
	return result;
}

/*
 * Answer whether a value says that there is none.  That nothing is left between
 * quotes says so too, whatever an account blocks.
 */
static bool
is_blocked(const CiNormalizeRules *rules, const char *folded)
{
	return folded[0] == '\0' ||
		(rules->is_blocked != NULL &&
		 rules->is_blocked(rules->blocked_arg, folded));
}

static bool
refuse_blocked(const CiNormalizeRules *rules, CiError *err)
{
	return refuse(rules, err,
				  "It must not be a placeholder: this value is empty or blocked.",
				  "Leave out what is not known.");
}

/*
 * Answer the composed form (NFC) of a string of valid UTF-8.
 */
static char *
compose(const char *s)
{
	size_t		len = strlen(s);
	const uint8_t *p = (const uint8_t *) s;
	const uint8_t *end = p + len;
	pg_wchar   *wide = palloc((len + 1) * sizeof(pg_wchar));
	pg_wchar   *composed;
	pg_wchar   *w = wide;
	uint8_t    *result;
	uint8_t    *r;

	while (p < end)
	{
		ucs4_t		c;

		p += u8_mbtouc(&c, p, end - p);
		*w++ = c;
	}
	*w = 0;

	composed = unicode_normalize(UNICODE_NFC, wide);
	pfree(wide);
	for (w = composed; *w != 0; w++)
		;
	result = palloc((w - composed) * 4 + 1);
	r = result;
	for (w = composed; *w != 0; w++)
		r += u8_uctomb(r, *w, 4);
	*r = '\0';
	pfree(composed);
	return (char *) result;
}

/*
 * Make the part before the @ comparable.  Answers what is wrong with it, or
 * NULL.
 */
static const char *
normalize_local(const char *given, char **result)
{
	char	   *local = pstrdup(given);
	const uint8_t *p;
	const uint8_t *end;
	bool		after_dot = true;

	if (is_ascii(local))
		fold_ascii(local);
	else
	{
		char	   *composed = compose(local);

		/*
		 * Compose before folding, so that I and a combining dot are the
		 * letter that they look like, which no ASCII folding touches; and
		 * again after it, because there are composed letters in lower case
		 * that do not exist in upper case.
		 */
		pfree(local);
		fold_ascii(composed);
		local = compose(composed);
		pfree(composed);
	}

	/*
	 * Only now look at the characters: some that are harmless compose to ones
	 * that are not, as the Greek question mark to a semicolon.
	 */
	p = (const uint8_t *) local;
	end = p + strlen(local);
	while (p < end)
	{
		ucs4_t		c;
		bool		dot;

		p += u8_mbtouc(&c, p, end - p);
		dot = (c == '.');
		if (dot && after_dot)
			return "The part before the @ must not have a dot at its start or two in a row.";
		after_dot = dot;
		if (dot)
			continue;
		if (c == '"' || c == '\\')
			return "The part before the @ must not be quoted.";
		if (c == '(' || c == ')')
			return "It must not have a comment.";
		if (c < 0x80 && c > ' ' && strchr("<>,:;[]", (int) c) != NULL)
			return "It must be the address alone, and its part before the @ of letters, digits and !#$%&'*+-/=?^_`{|}~.";
		if (!is_printable(c))
			return "It must not have white space, control characters or invisible characters inside.";
	}
	if (local[0] == '\0')
		return "It must have something before the @.";
	if (after_dot)
		return "The part before the @ must not end with a dot.";
	*result = local;
	return NULL;
}

/*
 * Check the labels of a domain in its ASCII form.  Answers what is wrong, or
 * NULL.
 */
static const char *
check_labels(const char *domain)
{
	const char *label = domain;

	for (;;)
	{
		size_t		len = strcspn(label, ".");
		bool		last = (label[len] == '\0');
		bool		all_digits = true;
		size_t		i;

		if (len == 0)
			return "The domain must not have an empty label or a dot at its start or end.";
		if (len > LABEL_MAX_OCTETS)
			return "Each label of the domain must be at most 63 octets long.";
		if (label[0] == '-' || label[len - 1] == '-')
			return "No label of the domain may start or end with a hyphen.";
		for (i = 0; i < len; i++)
		{
			char		c = label[i];

			if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-')
				return "The domain must be of letters, digits, hyphens and dots.";
			if (!is_digit(c))
				all_digits = false;
		}
		if (last)
		{
			if (label == domain)
				return "The domain must have at least one dot.";
			if (all_digits)
				return "The last label of the domain must not be all digits.";
			return NULL;
		}
		label += len + 1;
	}
}

/*
 * Is the last label all digits, of whatever script?
 */
static bool
ends_in_digits(const uint8_t *domain)
{
	const uint8_t *start = domain;
	const uint8_t *p = domain + u8_strlen(domain);
	bool		any = false;

	while (p > start)
	{
		ucs4_t		c;

		p = u8_prev(&c, p, start);
		if (p == NULL || c == '.')
			break;
		if (!uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Nd))
			return false;
		any = true;
	}
	return any;
}

/*
 * Make the ASCII form of an international domain.
 *
 * result has room for DOMAIN_MAX_OCTETS and the NUL.  Answers what is wrong, or
 * NULL; *failed is set where that is not the domain's fault.  The library's
 * memory is not the server's, so nothing in here may throw.
 */
static const char *
domain_to_ascii(const char *domain, char *result, bool *failed)
{
	const int	flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
	const char *wrong = NULL;
	uint8_t    *ascii = NULL;
	char	   *unicode = NULL;
	uint8_t    *again = NULL;
	int			rc;

	rc = idn2_lookup_u8((const uint8_t *) domain, &ascii, flags);
	if (rc == IDN2_OK)
		rc = idn2_to_unicode_8z8z((const char *) ascii, &unicode, 0);
	if (rc == IDN2_OK)
		rc = idn2_lookup_u8((const uint8_t *) unicode, &again, flags);

	if (rc == IDN2_MALLOC)
	{
		*failed = true;
		wrong = "";
	}
	else if (rc == IDN2_TOO_BIG_LABEL || rc == IDN2_PUNYCODE_BIG_OUTPUT)
		wrong = "Each label of the domain must be at most 63 octets long.";
	else if (rc == IDN2_TOO_BIG_DOMAIN ||
			 (rc == IDN2_OK &&
			  strlen((const char *) ascii) > DOMAIN_MAX_OCTETS))
		wrong = "It must be at most 254 octets long.";
	else if (rc != IDN2_OK ||
			 strcmp((const char *) ascii, (const char *) again) != 0)
		wrong = "The domain must be a valid international domain name.";
	else if (ends_in_digits((const uint8_t *) unicode))
		wrong = "The last label of the domain must not be all digits.";
	else
		strcpy(result, (const char *) ascii);

	idn2_free(ascii);
	idn2_free(unicode);
	idn2_free(again);
	return wrong;
}

/*
 * Make the part behind the @ comparable.  Answers what is wrong with it, or
 * NULL; *failed as above.
 */
static const char *
normalize_domain(const char *given, char **result, bool *failed)
{
	const uint8_t *p = (const uint8_t *) given;
	const uint8_t *end = p + strlen(given);
	bool		international = false;
	bool		at_label = true;
	char	   *domain;
	const char *wrong;

	/*
	 * The mapping of UTS 46 drops what cannot be seen, and with some flags
	 * more than that: look before it, so that no two names become one because
	 * something was deleted.  The joiners have a meaning in some scripts; the
	 * library knows where.
	 */
	if (given[0] == '[')
		return "The domain must be a name, not an address literal.";
	while (p < end)
	{
		ucs4_t		c;

		if (at_label && pg_strncasecmp((const char *) p, "xn--", 4) == 0)
			international = true;
		p += u8_mbtouc(&c, p, end - p);
		at_label = (c == '.');
		if (c == '(' || c == ')')
			return "It must not have a comment.";
		if (c >= 0x80)
		{
			if (!is_printable(c) && c != ZERO_WIDTH_JOINER &&
				c != ZERO_WIDTH_NON_JOINER)
				return "It must not have white space, control characters or invisible characters inside.";
			international = true;
		}
		else if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
				 !(c >= '0' && c <= '9') && c != '-' && c != '.')
			return "The domain must be of letters, digits, hyphens and dots.";
	}

	if (international)
	{
		char		ascii[DOMAIN_MAX_OCTETS + 1];

		wrong = domain_to_ascii(given, ascii, failed);
		if (wrong != NULL)
			return wrong;
		domain = pstrdup(ascii);
	}
	else
		domain = pstrdup(given);
	fold_ascii(domain);
	wrong = check_labels(domain);
	if (wrong != NULL)
		return wrong;
	*result = domain;
	return NULL;
}

/*
 * RULES 7.1.  given is trimmed, valid UTF-8 and not too long.
 */
static bool
normalize_email(const CiNormalizeRules *rules, const char *given,
				char **value, CiError *err)
{
	const char *at = strchr(given, '@');
	const char *wrong;
	char	   *local;
	char	   *domain;
	bool		failed = false;

	if (at == NULL || strchr(at + 1, '@') != NULL)
		return refuse(rules, err, "It must have exactly one @.", NULL);

	wrong = normalize_local(pnstrdup(given, at - given), &local);
	if (wrong == NULL)
		wrong = normalize_domain(at + 1, &domain, &failed);
	if (failed)
		return refuse_for_now(rules, err);
	if (wrong != NULL)
		return refuse(rules, err, wrong, NULL);
	if (strlen(local) + 1 + strlen(domain) > EMAIL_MAX_OCTETS)
		return refuse(rules, err, "It must be at most 254 octets long.", NULL);
	*value = psprintf("%s@%s", local, domain);
	return true;
}

/*
 * White space, dashes, dots, slashes and brackets, also in their fullwidth
 * forms.  A tilde, comma or semicolon is none: they announce an extension.
 */
static bool
is_phone_separator(ucs4_t c)
{
	if (c < 0x80)
		return c == ' ' || c == '\t' || c == '-' || c == '.' || c == '/';
	return is_white_space(c) || c == 0x2212 || c == 0xFF0E || c == 0xFF0F ||
		uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Pd);
}

static bool
is_phone_bracket(ucs4_t c)
{
	return c == '(' || c == ')' || c == '[' || c == ']' ||
		c == 0xFF08 || c == 0xFF09 || c == 0xFF3B || c == 0xFF3D;
}

/*
 * Does what follows a number look like an extension?  This decides about the
 * message only.
 */
static bool
is_extension(const char *rest)
{
	while (*rest == ';' || *rest == ',' || *rest == ' ' || *rest == '~')
		rest++;
	return *rest == '#' || *rest == 'x' || *rest == 'X' || is_digit(*rest) ||
		pg_strncasecmp(rest, "ext", 3) == 0;
}

/*
 * Reduce a number as it is written to an optional plus sign and ASCII digits.
 *
 * result has room for CI_PHONE_MAX_INPUT and the NUL, and one octet of it stays
 * free for the plus sign of a number without one.  *digits_alone is set if there
 * was nothing else.  Answers what is wrong, or NULL.
 */
static const char *
reduce_phone(const char *given, char *result, bool *digits_alone)
{
	static const char *const too_long = "It is too long for a telephone number.";
	static const char *const unclear = "It must be a telephone number: digits, separators and brackets, with at most one + before them.";
	const uint8_t *p = (const uint8_t *) given;
	const uint8_t *end = p + strlen(given);
	int			seen = 0;		/* characters */
	int			len = 0;		/* in result */
	int			first_zero = -1;	/* where a number begins with 0 */
	bool		two_zeros = false;	/* and another directly behind it */
	bool		plus = false;

	*digits_alone = true;
	while (p < end)
	{
		const char *here = (const char *) p;
		ucs4_t		c;
		int			digit;

		p += u8_mbtouc(&c, p, end - p);

		/*
		 * Marks of direction come with numbers that are copied from an
		 * address book, and mean nothing.
		 */
		if (uc_is_property_default_ignorable_code_point(c))
			continue;
		if (seen++ >= CI_PHONE_MAX_INPUT)
			return too_long;

		digit = uc_decimal_value(c);
		if (digit >= 0)
		{
			if (len == 0 && digit == 0)
				first_zero = seen;
			else if (len == 1 && digit == 0 && first_zero == seen - 1)
				two_zeros = true;
			if (len >= CI_PHONE_MAX_INPUT - 1)
				return too_long;
			result[len++] = (char) ('0' + digit);
			continue;
		}

		*digits_alone = false;
		if (c == '+' || c == 0xFF0B)
		{
			if (plus || len > 0)
				return unclear;
			plus = true;
			result[len++] = '+';
		}
		else if (is_phone_separator(c))
		{
			/* A number that begins with a dash is a negative one. */
			if (seen == 1)
				return unclear;
		}
		else if (!is_phone_bracket(c))
		{
			if (len > 2 && is_extension(here))
				return "It must not have an extension: one number can stand for one contact only.";
			if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L))
				return "It must not have letters.";
			return unclear;
		}
	}
	result[len] = '\0';

	if (two_zeros)
	{
		/* 00 is the +, wherever one is. */
		memmove(result + 1, result + 2, len - 1);
		result[0] = '+';
		len--;
	}
	else if (result[0] == '0' && result[1] == '0')
	{
		/*
		 * A national prefix in brackets and a second one: the library would
		 * take them for the 00 that they are not.
		 */
		return unclear;
	}
	if (len == 0 || (len == 1 && result[0] == '+'))
		return unclear;
	return NULL;
}

/*
 * RULES 7.2.  given is trimmed, valid UTF-8 and not too long.
 */
static bool
normalize_phone(const CiNormalizeRules *rules, const char *given,
				char **value, CiError *err)
{
	static const char *const country_hint =
		"Give the country code, as in +44 7771 234567, or set the account's default region.";
	const char *region = rules->region;
	const char *wrong;
	char		number[CI_PHONE_MAX_INPUT + 2];
	char		result[CI_PHONE_MAX_OUTPUT];
	bool		digits_alone;

	if (region != NULL && region[0] == '\0')
		region = NULL;

	wrong = reduce_phone(given, number + 1, &digits_alone);
	if (wrong != NULL)
		return refuse(rules, err, wrong, NULL);

	number[0] = '+';
	if (number[1] != '+' && region == NULL && !digits_alone)
		return refuse(rules, err,
					  "It must have a country code: the account has no default region.",
					  country_hint);

	if (rules->phone == NULL)
	{
		err->code = CI_UNSUPPORTED;
		err->message = psprintf("%s cannot be normalized on this server",
								rules->field);
		err->detail = "Telephone numbers need the module contact_identity_phone.";
		err->hint = "Install contact_identity with its phone module, which needs libphonenumber.";
		return false;
	}

	/* Without a region, digits alone are international and get the plus. */
	switch (rules->phone->normalize(number[1] != '+' && region == NULL ?
									number : number + 1,
									region, result, sizeof(result)))
	{
		case CI_PHONE_OK:
			*value = pstrdup(result);
			return true;
		case CI_PHONE_COUNTRY:
			return refuse(rules, err,
						  "It must have a country code that exists.",
						  country_hint);
		case CI_PHONE_REGION:
			return refuse(rules, err,
						  "It must have a country code: the account's default region does not exist.",
						  "Correct default_region in contact_identity.account: a code of ISO 3166, as in GB.");
		case CI_PHONE_TOO_SHORT:
			return refuse(rules, err,
						  "It is too short for a telephone number of its country.",
						  NULL);
		case CI_PHONE_LOCAL_ONLY:
			return refuse(rules, err,
						  "It is too short: it must have its area code.",
						  NULL);
		case CI_PHONE_TOO_LONG:
			return refuse(rules, err,
						  "It is too long for a telephone number of its country.",
						  NULL);
		case CI_PHONE_LENGTH:
			return refuse(rules, err,
						  "It is too short or too long for a telephone number of its country.",
						  NULL);
		case CI_PHONE_FAILED:
			return refuse_for_now(rules, err);
		default:
			return refuse(rules, err, "It must be a telephone number.", NULL);
	}
}

/*
 * RULES 7.3.  given is valid UTF-8 and not too long.
 */
static bool
check_exact(const CiNormalizeRules *rules, const char *given, CiError *err)
{
	const uint8_t *p = (const uint8_t *) given;
	const uint8_t *end = p + strlen(given);

	while (p < end)
	{
		ucs4_t		c;

		p += u8_mbtouc(&c, p, end - p);
		if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc))
			return refuse(rules, err,
						  "It must not have control characters.", NULL);
	}
	return true;
}

/*
 * Make a value comparable, or refuse it.
 *
 * On success out has the value to compare and the spelling to show; on failure
 * err says what is wrong, in words that do not contain the value.  input may be
 * NULL, which is as empty.
 */
bool
ci_normalize_value(const CiNormalizeRules *rules, const char *input,
				   CiNormalized *out, CiError *err)
{
	const char *start = input != NULL ? input : "";
	const char *end = start + strlen(start);
	const char *untrimmed = start;
	const char *untrimmed_end = end;
	size_t		max_octets = 0;
	char	   *given;
	char	   *value = NULL;
	char	   *folded;

	out->value = NULL;
	out->given = NULL;
	err->code = CI_OK;
	err->message = NULL;
	err->detail = NULL;
	err->hint = NULL;

	/* What is too long goes no further, not even to the blocked values. */
	trim(&start, &end, false);
	switch (rules->how)
	{
		case CI_NORMALIZE_EXACT:
			max_octets = rules->max_octets;
			break;
		case CI_NORMALIZE_EMAIL:
			max_octets = EMAIL_MAX_GIVEN;
			break;
		case CI_NORMALIZE_PHONE:
			max_octets = PHONE_MAX_GIVEN;
			break;
	}
	if (end == start)
		return refuse(rules, err, "It must not be empty.",
					  "Leave out what is not known.");
	if ((size_t) (end - start) > max_octets)
	{
		if (rules->how == CI_NORMALIZE_PHONE)
			return refuse(rules, err,
						  "It is too long for a telephone number.", NULL);
		return refuse(rules, err,
					  psprintf("It must be at most %d octets long.",
							   rules->how == CI_NORMALIZE_EMAIL ?
							   EMAIL_MAX_OCTETS : (int) max_octets),
					  NULL);
	}

	given = pnstrdup(start, end - start);
	folded = ci_blocked_form(given);
	if (is_blocked(rules, folded))
		return refuse_blocked(rules, err);
	if (u8_check((const uint8_t *) given, end - start) != NULL)
		return refuse(rules, err, "It must be valid UTF-8.", NULL);

	switch (rules->how)
	{
		case CI_NORMALIZE_EXACT:
			if (start != untrimmed || end != untrimmed_end)
				return refuse(rules, err,
							  "It must not have white space before or after it.",
							  NULL);
			if (!check_exact(rules, given, err))
				return false;
			value = pstrdup(given);
			break;
		case CI_NORMALIZE_EMAIL:
			if (!normalize_email(rules, given, &value, err))
				return false;
			break;
		case CI_NORMALIZE_PHONE:
			if (!normalize_phone(rules, given, &value, err))
				return false;
			break;
	}

	/* A blocked address may be spelled in a way that only now is known. */
	if (strcmp(value, folded) != 0 &&
		is_blocked(rules, ci_blocked_form(value)))
		return refuse_blocked(rules, err);

	out->value = value;
	out->given = given;
	return true;
}
