/*-------------------------------------------------------------------------
 *
 * normalize.c
 *	  RULES 7 for bytes that nobody thought of.
 *
 * The first byte says what the others are a value of.  What is accepted is
 * held against the rules by other means than the code under test has; what is
 * refused must be refused in the right words.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <uninorm.h>
#include <unictype.h>
#include <unistr.h>

#include "resolver.h"

static const CiPhoneLibrary phone_library = {
	.normalize = ci_phone_normalize,
	.version = ci_phone_version
};

/* As an account's table would answer, with two of its own. */
static bool
in_blocked_table(void *arg, const char *folded)
{
	for (int i = 0; ci_blocked_defaults[i] != NULL; i++)
	{
		if (strcmp(ci_blocked_defaults[i], folded) == 0)
			return true;
	}
	return strcmp(folded, "nobody@example.org") == 0 || strcmp(folded, "+12065550100") == 0;
}

/* What the first byte can be; any other is one of these, too. */
static const struct
{
	char		letter;
	CiNormalizer how;
	const char *field;
	int			max_octets;
	const char *region;
}			forms[] = {
	{'i', CI_NORMALIZE_EXACT, "ext_id", CI_MAX_EXT_ID},
	{'k', CI_NORMALIZE_EXACT, "push", CI_MAX_KEY},
	{'e', CI_NORMALIZE_EMAIL, "email"},
	{'p', CI_NORMALIZE_PHONE, "phone"},
	{'G', CI_NORMALIZE_PHONE, "phone", 0, "GB"},
	{'D', CI_NORMALIZE_PHONE, "whatsapp", 0, "DE"},
	{'U', CI_NORMALIZE_PHONE, "landline", 0, "us"},
	{'M', CI_NORMALIZE_PHONE, "phone", 0, "MX"},
	{'A', CI_NORMALIZE_PHONE, "phone", 0, "AR"},
	{'I', CI_NORMALIZE_PHONE, "phone", 0, "IT"},
	{'R', CI_NORMALIZE_PHONE, "phone", 0, "RU"},
	{'Z', CI_NORMALIZE_PHONE, "phone", 0, "XX"},
	{'0', CI_NORMALIZE_PHONE, "phone", 0, ""},
};

static CiNormalizeRules rules;

/* Spaces of several lengths and scripts. */
static const char *const spaces[] = {" ", "\t\n\v\f\r", "\xC2\xA0", "\xE3\x80\x80 \xE2\x80\xA8"};

static bool
is_space(ucs4_t c)
{
	return uc_is_property(c, UC_PROPERTY_WHITE_SPACE);
}

/* The first or last character. */
static ucs4_t
first_of(const char *value)
{
	ucs4_t		c = 0;

	(void) u8_mbtouc(&c, (const uint8_t *) value, strlen(value));
	return c;
}

static ucs4_t
last_of(const char *value)
{
	ucs4_t		c = 0;

	(void) u8_prev(&c, (const uint8_t *) value + strlen(value), (const uint8_t *) value);
	return c;
}

static bool
is_valid(const char *value)
{
	return u8_check((const uint8_t *) value, strlen(value)) == NULL;
}

/* What a message may be of, in any case: our words, not somebody's value. */
static void
check_words(const char *text, bool sentence)
{
	if (text == NULL)
		return;
	for (const char *c = text; *c != '\0'; c++)
		promise(*c >= ' ' && *c <= '~', "[7.4] a message is of plain words");
	promise((text[strlen(text) - 1] == '.') == sentence, "[7.4] a message has the form of one");
}

static void
check_refusal(const CiNormalized *out, const CiError *err)
{
	promise(out->value == NULL && out->given == NULL, "[7.4] what is refused has no value");
	promise(err->code == CI_INVALID, "[7.4] malformed is 22023");
	promise(err->message != NULL && strncmp(err->message, rules.field, strlen(rules.field)) == 0,
			"[7.4] the message names the field");
	promise(err->detail != NULL, "[7.4] and says what is expected");
	check_words(err->message, false);
	check_words(err->detail, true);
	check_words(err->hint, true);
}

/* RULES 7.1, of what was accepted. */
static void
check_email(const char *value)
{
	static const char *const allowed = "!#$%&'*+-/=?^_`{|}~";
	const char *at = strchr(value, '@');
	const char *label;
	const uint8_t *p = (const uint8_t *) value;
	size_t		size;
	uint8_t    *composed;
	bool		after_dot = true;

	promise(at != NULL && strchr(at + 1, '@') == NULL, "[7.1] one @");
	promise(strlen(value) <= 254, "[7.1] up to 254 octets");
	while (p < (const uint8_t *) at)
	{
		ucs4_t		c;

		p += u8_mbtouc(&c, p, (const uint8_t *) at - p);
		promise(c != '.' || !after_dot, "[7.1] no part is empty");
		after_dot = c == '.';
		if (c < 0x80)
			promise(c == '.' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
					(c > ' ' && strchr(allowed, (int) c) != NULL), "[7.1] characters of the local part");
		else
			promise((uc_is_general_category(c, UC_CATEGORY_L) || uc_is_general_category(c, UC_CATEGORY_M) ||
					 uc_is_general_category(c, UC_CATEGORY_N) || uc_is_general_category(c, UC_CATEGORY_P) ||
					 uc_is_general_category(c, UC_CATEGORY_S)) &&
					!uc_is_property(c, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT),
					"[7.1] printable characters beyond ASCII");
	}
	promise(!after_dot, "[7.1] nor the last part");

	composed = u8_normalize(UNINORM_NFC, (const uint8_t *) value, at - value, NULL, &size);
	promise(composed != NULL && size == at - value && memcmp(composed, value, size) == 0,
			"[7.1] the local part is composed");
	free(composed);

	for (label = at + 1;;)
	{
		size_t		len = strcspn(label, ".");

		promise(len >= 1 && len <= 63, "[7.1] labels of 1 to 63 octets");
		promise(strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == len,
				"[7.1] of letters, digits and hyphens");
		promise(label[0] != '-' && label[len - 1] != '-', "[7.1] no hyphen at either end");
		if (label[len] == '\0')
		{
			promise(label != at + 1, "[7.1] at least one dot");
			promise(strspn(label, "0123456789") != len, "[7.1] the last is not all digits");
			break;
		}
		label += len + 1;
	}
}

/* RULES 7.2, of what was accepted: the same number wherever it is read. */
static void
check_phone(const char *value)
{
	size_t		len = strlen(value);

	promise(value[0] == '+' && value[1] >= '1' && value[1] <= '9' &&
			len >= 4 && len <= 18 && strspn(value + 1, "0123456789") == len - 1,
			"[7.2] E.164");
	for (int i = 0; i < lengthof(forms); i++)
	{
		CiNormalizeRules other = rules;
		CiNormalized out;
		CiError		err;

		if (forms[i].how != CI_NORMALIZE_PHONE)
			continue;
		other.region = forms[i].region;
		promise(ci_normalize_value(&other, value, &out, &err) && strcmp(out.value, value) == 0,
				"[7.2] a number with its country code is the same in every region");
	}
}

/* The same answer, in whatever way something that means nothing was added. */
static void
check_same(const char *input, const char *value, const char *detail, const char *what)
{
	CiNormalized out;
	CiError		err;
	bool		accepted = ci_normalize_value(&rules, input, &out, &err);

	promise(accepted == (value != NULL), what);
	if (accepted)
		promise(strcmp(out.value, value) == 0, what);
	else if (detail != NULL)
		promise(strcmp(err.detail, detail) == 0, what);
}

static void
check(const char *input)
{
	CiNormalized out;
	CiError		err;
	bool		accepted = ci_normalize_value(&rules, input, &out, &err);
	char	   *folded = ci_blocked_form(input);
	char	   *upper = pstrdup(input);
	bool		plain = true;

	promise(strcmp(ci_blocked_form(folded), folded) == 0, "[7.5] a folded form is its own");
	if (in_blocked_table(NULL, folded) || folded[0] == '\0')
		promise(!accepted, "[7.5] a blocked value is refused");
	for (char *c = upper; *c != '\0'; c++)
	{
		plain = plain && (unsigned char) *c < 0x80;
		if (*c >= 'a' && *c <= 'z')
			*c -= 'a' - 'A';
	}

	if (!accepted)
	{
		check_refusal(&out, &err);
		if (strstr(err.detail, "placeholder") != NULL)
		{
			check_same(psprintf("\"%s'", input), NULL, NULL, "[7.5] also inside quotes");
			check_same(upper, NULL, NULL, "[7.5] in any case");
		}
	}
	else
	{
		promise(err.code == CI_OK, "[7.4] what is accepted has no error");
		promise(is_valid(out.value) && is_valid(out.given), "[7] what is accepted is UTF-8");
		promise(strstr(input, out.given) != NULL && !is_space(first_of(out.given)) &&
				!is_space(last_of(out.given)), "[7.1] the spelling given, without white space around it");
		promise(!in_blocked_table(NULL, ci_blocked_form(out.value)), "[7.5] nothing blocked is accepted");
		check_same(out.value, out.value, NULL, "[7] a value is its own normalised form");
		check_same(out.given, out.value, NULL, "[7] the spelling leads to the value");
	}

	switch (rules.how)
	{
		case CI_NORMALIZE_EXACT:
			for (int i = 0; i < lengthof(spaces); i++)
			{
				check_same(psprintf("%s%s", spaces[i], input), NULL, NULL, "[7.3] no leading white space");
				check_same(psprintf("%s%s", input, spaces[i]), NULL, NULL, "[7.3] nor trailing");
			}
			if (!accepted)
				break;
			promise(strcmp(out.value, input) == 0, "[7.3] exact");
			promise(strlen(input) <= rules.max_octets, "[7.3] up to so many octets");
			promise(!is_space(first_of(input)) && !is_space(last_of(input)), "[7.3] no white space around it");
			for (const uint8_t *p = (const uint8_t *) input; *p != '\0';)
			{
				ucs4_t		c;

				p += u8_mbtouc(&c, p, strlen((const char *) p));
				promise(c >= 0x20 && !(c >= 0x7F && c < 0xA0), "[7.3] no control characters");
			}
			break;
		case CI_NORMALIZE_EMAIL:
		case CI_NORMALIZE_PHONE:
			/* Where white space ends cannot be seen of what is not UTF-8. */
			for (int i = 0; i < lengthof(spaces) && is_valid(input); i++)
				check_same(psprintf("%s%s%s", spaces[i], input, spaces[lengthof(spaces) - 1 - i]),
						   accepted ? out.value : NULL, accepted ? NULL : err.detail,
						   "[7.1] white space around it means nothing");
			if (rules.how == CI_NORMALIZE_EMAIL && plain)
				check_same(upper, accepted ? out.value : NULL, accepted ? NULL : err.detail,
						   "[7.1] nor does the case of ASCII letters");
			if (!accepted)
				break;
			if (rules.how == CI_NORMALIZE_EMAIL)
				check_email(out.value);
			else
				check_phone(out.value);
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	int			form = -1;

	if (size == 0)
		return 0;
	for (int i = 0; i < lengthof(forms); i++)
	{
		if (forms[i].letter == data[0])
			form = i;
	}
	if (form < 0)
		form = data[0] % lengthof(forms);
	rules.how = forms[form].how;
	rules.field = forms[form].field;
	rules.max_octets = forms[form].max_octets;
	rules.region = forms[form].region;
	rules.is_blocked = in_blocked_table;
	rules.phone = &phone_library;
	check(pnstrdup((const char *) data + 1, size - 1));
	free_all();
	return 0;
}
