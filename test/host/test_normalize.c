/*-------------------------------------------------------------------------
 *
 * test_normalize.c
 *	  RULES 7 without a server: prints TAP.
 *
 * What is expected comes from the rules, never from what the code answered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "normalize.h"

/* UTF-8 that would not show, or show wrongly, in this file. */
#define NBSP				"\xC2\xA0"
#define SOFT_HYPHEN			"\xC2\xAD"
#define ZERO_WIDTH_SPACE	"\xE2\x80\x8B"
#define ZWNJ				"\xE2\x80\x8C"
#define LRM					"\xE2\x80\x8E"
#define LRE					"\xE2\x80\xAA"
#define PDF					"\xE2\x80\xAC"
#define RLO					"\xE2\x80\xAE"
#define WORD_JOINER			"\xE2\x81\xA0"
#define BOM					"\xEF\xBB\xBF"
#define IDEOGRAPHIC_SPACE	"\xE3\x80\x80"
#define LINE_SEPARATOR		"\xE2\x80\xA8"
#define NEXT_LINE			"\xC2\x85"
#define VARIATION_16		"\xEF\xB8\x8F"
#define UMLAUT				"\xCC\x88"	/* combining */
#define ACUTE				"\xCC\x81"
#define DOT_ABOVE			"\xCC\x87"
#define DOT_BELOW			"\xCC\xA3"
#define MACRON_BELOW		"\xCC\xB1"
#define KELVIN				"\xE2\x84\xAA"
#define ANGSTROM			"\xE2\x84\xAB"
#define GREEK_QUESTION		"\xCD\xBE"
#define UNASSIGNED			"\xF3\xA0\x82\x80"	/* U+E0080 */
#define PRIVATE_USE			"\xEE\x80\x80"	/* U+E000 */

#define TEN		"aaaaaaaaaa"
#define SIXTY	TEN TEN TEN TEN TEN TEN
#define L63		SIXTY "aaa"

static int	tests = 0;
static int	failures = 0;

static const CiPhoneLibrary phone_library = {
	.normalize = ci_phone_normalize,
	.version = ci_phone_version
};

/* As an account's table would answer, with one address of its own. */
static bool
in_blocked_table(void *arg, const char *folded)
{
	for (int i = 0; ci_blocked_defaults[i] != NULL; i++)
	{
		if (strcmp(ci_blocked_defaults[i], folded) == 0)
			return true;
	}
	return arg != NULL && strcmp((const char *) arg, folded) == 0;
}

static CiNormalizeRules
rules_for(CiNormalizer how, const char *field, int max_octets,
		  const char *region)
{
	CiNormalizeRules rules = {0};

	rules.how = how;
	rules.field = field;
	rules.max_octets = max_octets;
	rules.region = region;
	rules.is_blocked = in_blocked_table;
	rules.phone = &phone_library;
	return rules;
}

static void
ok(bool passed, const char *rule, const char *what)
{
	tests++;
	if (!passed)
		failures++;
	printf("%sok %d - [%s] %s\n", passed ? "" : "not ", tests, rule, what);
}

/* The value must come out as wanted; NULL: it must be refused as malformed. */
static void
check(const CiNormalizeRules *rules, const char *rule, const char *what,
	  const char *input, const char *wanted)
{
	CiNormalized out;
	CiError		err;
	bool		done = ci_normalize_value(rules, input, &out, &err);
	bool		passed;

	if (wanted != NULL)
	{
		CiNormalized again;
		CiError		err2;

		/* What is stored must be found by itself. */
		passed = done && err.code == CI_OK && out.given != NULL &&
			strcmp(out.value, wanted) == 0 &&
			ci_normalize_value(rules, out.value, &again, &err2) &&
			strcmp(again.value, wanted) == 0;
	}
	else
	{
		/* 7.4: the field named, what is expected said, the value not shown */
		passed = !done && err.code == CI_INVALID &&
			out.value == NULL && out.given == NULL &&
			strstr(err.message, rules->field) == err.message &&
			err.message[strlen(err.message) - 1] != '.' &&
			err.detail != NULL &&
			err.detail[strlen(err.detail) - 1] == '.' &&
			(input == NULL || strlen(input) < 3 ||
			 (strstr(err.message, input) == NULL &&
			  strstr(err.detail, input) == NULL &&
			  (err.hint == NULL || strstr(err.hint, input) == NULL)));
	}
	ok(passed, rule, what);
	if (!passed)
		printf("# got %s, wanted %s\n",
			   done ? out.value : (err.detail ? err.detail : "?"),
			   wanted != NULL ? wanted : "an error");
}

static void
email(const char *what, const char *input, const char *wanted)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_EMAIL, "email", 0, NULL);

	check(&rules, "7.1", what, input, wanted);
}

static void
phone(const char *what, const char *region, const char *input,
	  const char *wanted)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_PHONE, "phone", 0, region);

	check(&rules, "7.2", what, input, wanted);
}

/* A number must be refused, and the account's region blamed or not. */
static void
blames_region(const char *what, const char *region, const char *input, bool blamed)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_PHONE, "phone", 0, region);
	CiNormalized out;
	CiError		err;

	ok(!ci_normalize_value(&rules, input, &out, &err) &&
	   (strstr(err.detail, "default region does not exist") != NULL) == blamed, "7.4", what);
}

static void
exact(const char *what, const char *field, int max_octets, const char *input,
	  const char *wanted)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_EXACT, field, max_octets,
									   NULL);

	check(&rules, "7.3", what, input, wanted);
}

static void
blocked(const char *input)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_EXACT, "ext_id", 255,
									   NULL);
	CiNormalized out;
	CiError		err;
	bool		done = ci_normalize_value(&rules, input, &out, &err);

	ok(!done && err.code == CI_INVALID, "7.5",
	   psprintf("blocked: %s", input));
}

static void
detail_says(const CiNormalizeRules *rules, const char *rule, const char *what,
			const char *input, const char *word)
{
	CiNormalized out;
	CiError		err;

	ok(!ci_normalize_value(rules, input, &out, &err) &&
	   err.detail != NULL && strstr(err.detail, word) != NULL, rule, what);
}

static char *
repeat(const char *s, int times)
{
	size_t		len = strlen(s);
	char	   *result = palloc(len * times + 1);

	for (int i = 0; i < times; i++)
		memcpy(result + i * len, s, len);
	result[len * times] = '\0';
	return result;
}

static void
test_email(void)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_EMAIL, "email", 0, NULL);
	CiNormalized out;
	CiError		err;
	char	   *domain;

	/* white space around it removed */
	email("plain address", "ann@example.com", "ann@example.com");
	email("spaces around it", "  ann@example.com  ", "ann@example.com");
	email("tab and newlines around it", "\tann@example.com\r\n", "ann@example.com");
	email("no-break space around it", NBSP "ann@example.com" NBSP, "ann@example.com");
	email("ideographic space around it", IDEOGRAPHIC_SPACE "ann@example.com" IDEOGRAPHIC_SPACE, "ann@example.com");
	email("line separator and next line around it", LINE_SEPARATOR "ann@example.com" NEXT_LINE, "ann@example.com");
	email("space inside the local part", "an n@example.com", NULL);
	email("space before the @", "ann @example.com", NULL);
	email("space behind the @", "ann@ example.com", NULL);
	email("space inside the domain", "ann@exa mple.com", NULL);
	email("no-break space inside", "an" NBSP "n@example.com", NULL);
	email("no-break space inside the domain", "ann@exa" NBSP "mple.com", NULL);
	email("newline inside", "ann@example.com\nbob@example.com", NULL);

	/* ASCII letters to lower case, and only those */
	email("upper case", "ANN@EXAMPLE.COM", "ann@example.com");
	email("mixed case", "Ann.O'Neil@Example.Com", "ann.o'neil@example.com");
	email("a letter with umlaut keeps its case", "\xC3\x84rger@example.com", "\xC3\x84rger@example.com");
	email("dotted capital I is no i", "\xC4\xB0x@example.com", "\xC4\xB0x@example.com");
	email("dotless i is no i", "\xC4\xB1x@example.com", "\xC4\xB1x@example.com");
	email("long s is no s", "\xC5\xBFx@example.com", "\xC5\xBFx@example.com");
	email("fullwidth letter is no ASCII letter", "\xEF\xBC\xA1@example.com", "\xEF\xBC\xA1@example.com");

	/* local part to NFC */
	email("composed stays", "j\xC3\xB6rg@example.com", "j\xC3\xB6rg@example.com");
	email("decomposed is composed", "jo" UMLAUT "rg@example.com", "j\xC3\xB6rg@example.com");
	email("decomposed upper case is the composed letter", "O" UMLAUT "@example.com", "\xC3\x96@example.com");
	email("I and combining dot are the dotted capital I", "I" DOT_ABOVE "x@example.com", "\xC4\xB0x@example.com");
	email("order of combining marks does not matter (1)", "q" DOT_ABOVE DOT_BELOW "@example.com", "q" DOT_BELOW DOT_ABOVE "@example.com");
	email("order of combining marks does not matter (2)", "q" DOT_BELOW DOT_ABOVE "@example.com", "q" DOT_BELOW DOT_ABOVE "@example.com");
	email("folded, then composed again", "H" MACRON_BELOW "@example.com", "\xE1\xBA\x96@example.com");
	email("Kelvin sign is the K that NFC makes of it", KELVIN "im@example.com", "kim@example.com");
	email("Angstrom sign is the letter that NFC makes of it", ANGSTROM "@example.com", "\xC3\x85@example.com");
	email("NFC, not NFKC: a ligature stays", "\xEF\xAC\x81@example.com", "\xEF\xAC\x81@example.com");
	email("Hangul is composed", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB@example.com", "\xED\x95\x9C@example.com");
	email("what NFC makes a semicolon is refused", "a" GREEK_QUESTION "b@example.com", NULL);

	/* international domain to its ASCII form */
	email("international domain", "a@m\xC3\xBCnchen.de", "a@xn--mnchen-3ya.de");
	email("its ASCII form", "a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de");
	email("its ASCII form in upper case", "a@XN--MNCHEN-3YA.DE", "a@xn--mnchen-3ya.de");
	email("in upper case", "a@M\xC3\x9CNCHEN.DE", "a@xn--mnchen-3ya.de");
	email("decomposed", "a@mu" UMLAUT "nchen.de", "a@xn--mnchen-3ya.de");
	email("decomposed upper case", "a@MU" UMLAUT "NCHEN.de", "a@xn--mnchen-3ya.de");
	email("sharp s is kept (nontransitional)", "a@stra\xC3\x9F" "e.de", "a@xn--strae-oqa.de");
	email("final sigma is kept (nontransitional)", "a@\xCF\x83\xCF\x82.gr", "a@xn--3xab.gr");
	email("ideographic full stop is a dot", "a@ex\xE3\x80\x82" "com", "a@ex.com");
	email("fullwidth full stop is a dot", "a@ex\xEF\xBC\x8E" "com", "a@ex.com");
	email("fullwidth letters", "a@\xEF\xBD\x85\xEF\xBD\x98.com", "a@ex.com");
	email("international top level", "a@\xE4\xB8\xAD\xE5\x9B\xBD.\xE4\xB8\xAD\xE5\x9B\xBD", "a@xn--fiqs8s.xn--fiqs8s");
	email("an international domain beside an ASCII label", "a@Mail.m\xC3\xBCnchen.de", "a@mail.xn--mnchen-3ya.de");
	email("bad punycode with a backslash and a star", "a@xn--\\*.com", NULL);
	email("empty punycode", "a@xn--.com", NULL);
	email("punycode of nothing but ASCII", "a@xn--example-.com", NULL);
	email("punycode that overflows", "a@xn--99999999.com", NULL);
	email("punycode of a character that no domain has", "a@xn--ls8h.la", NULL);
	email("punycode in a later label", "a@example.xn--0", NULL);
	email("heart is no letter", "a@\xE2\x99\xA5.com", NULL);
	email("leading combining mark in a label", "a@" UMLAUT "a.com", NULL);
	email("mixed directions in a label", "a@\xD7\x90" "a.com", NULL);
	email("fullwidth @ in the domain", "a@b\xEF\xBC\xA0" "c.com", NULL);
	email("fullwidth underscore in the domain", "a@b\xEF\xBC\xBF" "c.com", NULL);
	email("underscore beside an international label", "a@b_c.m\xC3\xBCnchen.de", NULL);
	email("space beside an international label", "a@b c.m\xC3\xBCnchen.de", NULL);
	email("trailing dot of an international domain", "a@m\xC3\xBCnchen.de.", NULL);
	email("trailing ideographic full stop", "a@m\xC3\xBCnchen.de\xE3\x80\x82", NULL);
	email("two dots of an international domain", "a@m\xC3\xBCnchen..de", NULL);
	email("hyphen at the start of an international label", "a@-m\xC3\xBCnchen.de", NULL);
	email("hyphen at the end of an international label", "a@m\xC3\xBCnchen-.de", NULL);

	/* what cannot be seen is refused, not deleted */
	email("soft hyphen in the domain", "a@exa" SOFT_HYPHEN "mple.com", NULL);
	email("zero width space in the domain", "a@exa" ZERO_WIDTH_SPACE "mple.com", NULL);
	email("word joiner in the domain", "a@exa" WORD_JOINER "mple.com", NULL);
	email("byte order mark in the domain", "a@" BOM "example.com", NULL);
	email("direction mark behind the domain", "a@example.com" LRM, NULL);
	email("joiner where it has no meaning", "a@exa" ZWNJ "mple.com", NULL);
	email("joiner where it has one", "a@\xD9\x86\xD8\xA7\xD9\x85\xD9\x87" ZWNJ "\xD8\xA7\xDB\x8C.com", "a@xn--mgba3gch31f060k.com");
	email("zero width space in the local part", "a" ZERO_WIDTH_SPACE "b@example.com", NULL);
	email("byte order mark before it", BOM "a@example.com", NULL);
	email("right-to-left override in the local part", "a" RLO "b@example.com", NULL);
	email("variation selector in the local part", "a" VARIATION_16 "@example.com", NULL);
	email("unassigned character in the local part", "a" UNASSIGNED "@example.com", NULL);
	email("private use character in the local part", "a" PRIVATE_USE "@example.com", NULL);
	email("an emoji in the local part is printable", "\xF0\x9F\x98\x80@example.com", "\xF0\x9F\x98\x80@example.com");

	/* the spelling given is kept */
	ok(ci_normalize_value(&rules, " A.Mu" UMLAUT "ller@M\xC3\x9CNCHEN.de\t", &out, &err) &&
	   strcmp(out.given, "A.Mu" UMLAUT "ller@M\xC3\x9CNCHEN.de") == 0 &&
	   strcmp(out.value, "a.m\xC3\xBCller@xn--mnchen-3ya.de") == 0,
	   "7.1", "the spelling given is kept, trimmed");

	/* one @ */
	email("no @", "ann.example.com", NULL);
	email("two @", "ann@bob@example.com", NULL);
	email("@ in the domain, which must not become ab.com", "x@a@b.com", NULL);
	email("nothing before the @", "@example.com", NULL);
	email("nothing behind the @", "ann@", NULL);
	email("nothing but the @", "@", NULL);
	email("two addresses", "a@example.com,b@example.com", NULL);
	email("address with a name", "Ann <ann@example.com>", NULL);
	email("address in angle brackets", "<ann@example.com>", NULL);
	email("mailto", "mailto:ann@example.com", NULL);

	/* whole up to 254 octets, domain labels of 1 to 63 */
	email("label of 63", "a@" L63 ".com", "a@" L63 ".com");
	email("label of 64", "a@" L63 "a.com", NULL);
	email("last label of 63", "a@b." L63, "a@b." L63);
	email("last label of 64", "a@b." L63 "a", NULL);
	email("label of one", "a@b.c", "a@b.c");
	domain = L63 "." L63 "." L63 "." TEN TEN TEN TEN TEN;	/* 242 */
	email("whole of 254", psprintf("elevenaaaaa@%s", domain), psprintf("elevenaaaaa@%s", domain));
	email("whole of 255", psprintf("twelveaaaaaa@%s", domain), NULL);
	email("white space around it does not count", psprintf("   elevenaaaaa@%s  ", domain), psprintf("elevenaaaaa@%s", domain));
	email("octets count, not characters", psprintf("elevenaaaa\xC3\xB6@%s", domain), NULL);
	email("label that is longer than 63 in its ASCII form", psprintf("a@%s.de", repeat("\xC3\xBC\xC3\xB6", 32)), NULL);
	email("a long local part", psprintf("%s@example.com", repeat("a", 242)), psprintf("%s@example.com", repeat("a", 242)));
	email("a longer one", psprintf("%s@example.com", repeat("a", 243)), NULL);
	email("measured composed", psprintf("%s@example.com", repeat("o" UMLAUT, 121)), psprintf("%s@example.com", repeat("\xC3\xB6", 121)));

	/* at least one dot; dots, hyphens */
	email("no dot in the domain", "ann@localhost", NULL);
	email("trailing dot", "ann@example.com.", NULL);
	email("leading dot of the domain", "ann@.example.com", NULL);
	email("two dots in the domain", "ann@example..com", NULL);
	email("only a dot", "ann@.", NULL);
	email("hyphen at the start of a label", "ann@-example.com", NULL);
	email("hyphen at the end of a label", "ann@example-.com", NULL);
	email("hyphen at the start of the last label", "ann@example.-com", NULL);
	email("hyphen at the end of the last label", "ann@example.com-", NULL);
	email("hyphen inside", "ann@ex-ample.com", "ann@ex-ample.com");
	email("two hyphens inside", "ann@r3--sn.com", "ann@r3--sn.com");
	email("digits at the start of a label", "ann@1und1.de", "ann@1und1.de");
	email("label of digits that is not the last", "ann@163.com", "ann@163.com");
	email("last label all digits", "ann@example.123", NULL);
	email("last label all fullwidth digits", "ann@example.\xEF\xBC\x91\xEF\xBC\x92", NULL);
	email("last label all Devanagari digits", "ann@example.\xE0\xA5\xA7\xE0\xA5\xA8", NULL);
	email("the same as punycode", "ann@example.xn--e4bcd", NULL);
	email("last label with a digit", "ann@example.c0m", "ann@example.c0m");
	email("bare IPv4 address", "ann@127.0.0.1", NULL);
	email("underscore in the domain", "ann@exa_mple.com", NULL);
	email("plus in the domain", "ann@exa+mple.com", NULL);

	/* no quoted local parts, comments, address literals, control characters */
	email("quoted local part", "\"ann\"@example.com", NULL);
	email("quoted local part with @", "\"a@b\"@example.com", NULL);
	email("backslash", "a\\b@example.com", NULL);
	email("comment in the local part", "ann(work)@example.com", NULL);
	email("comment in the domain", "ann@example.com(work)", NULL);
	email("address literal", "ann@[127.0.0.1]", NULL);
	email("IPv6 address literal", "ann@[IPv6:::1]", NULL);
	email("control character", "an\x01n@example.com", NULL);
	email("DEL", "an\x7Fn@example.com", NULL);
	email("C1 control character", "an\xC2\x80n@example.com", NULL);
	email("control character in the domain", "ann@exa\x1Fmple.com", NULL);

	/* local part: parts joined by dots, and these characters */
	email("every punctuation that is allowed", "a!#$%&'*+-/=?^_`{|}~z@example.com", "a!#$%&'*+-/=?^_`{|}~z@example.com");
	email("digits", "0123456789@example.com", "0123456789@example.com");
	email("parts", "a.b.c@example.com", "a.b.c@example.com");
	email("leading dot", ".ann@example.com", NULL);
	email("trailing dot of the local part", "ann.@example.com", NULL);
	email("two dots in the local part", "a..n@example.com", NULL);
	email("comma", "a,n@example.com", NULL);
	email("colon", "a:n@example.com", NULL);
	email("semicolon", "a;n@example.com", NULL);
	email("square bracket", "a[n@example.com", NULL);
	email("printable beyond ASCII", "\xE7\x94\xA8\xE6\x88\xB7@example.com", "\xE7\x94\xA8\xE6\x88\xB7@example.com");

	/* no provider's private rules */
	email("dots of gmail count", "a.n.n@gmail.com", "a.n.n@gmail.com");
	email("plus of gmail counts", "ann+shop@gmail.com", "ann+shop@gmail.com");
	email("googlemail is not gmail", "ann@googlemail.com", "ann@googlemail.com");

	/* not UTF-8 */
	email("stray continuation byte", "a\x80@example.com", NULL);
	email("Latin-1", "j\xF6rg@example.com", NULL);
	email("overlong slash", "a\xC0\xAF@example.com", NULL);
	email("overlong @", "a\xC1\x80" "example.com", NULL);
	email("surrogate", "a\xED\xA0\x80@example.com", NULL);
	email("beyond the last code point", "a\xF4\x90\x80\x80@example.com", NULL);
	email("cut off in the domain", "a@example.com\xC3", NULL);
	email("cut off at the start", "\x80\x80" "a@example.com", NULL);

	email("empty", "", NULL);
	email("NULL", NULL, NULL);
	email("white space only", " \t" NBSP, NULL);
}

static void
test_phone(void)
{
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_PHONE, "whatsapp", 0, NULL);
	CiNormalized out;
	CiError		err;

	/*
	 * What was asked lately is remembered: by region, and whether it was a
	 * number; more of them than are kept.
	 */
	for (int round = 0; round < 2; round++)
	{
		phone("the same digits in one region", "US", "2061234567", "+12061234567");
		phone("the same digits in another", "DE", "02061234567", "+492061234567");
		phone("the same digits without a region", NULL, "(206) 123-4567", NULL);
		phone("too short, and again", "US", "2061", NULL);
		for (int i = 0; i < 1000; i++)
		{
			char		given[32];

			snprintf(given, sizeof(given), "+447700900%03d", i);
			if (!ci_normalize_value(&rules, given, &out, &err) || strcmp(out.value, given) != 0)
				break;
			if (i == 999)
				phone("of a thousand numbers each is itself", NULL, given, given);
		}
	}

	/* the numbers of the rule itself */
	phone("digits alone are international", NULL, "919788824675", "+919788824675");
	phone("with plus and space", NULL, "+91 9788824675", "+919788824675");
	phone("with 00 and space", NULL, "0091 9788824675", "+919788824675");
	phone("00 and digits alone", NULL, "00919788824675", "+919788824675");
	phone("national prefix in brackets", NULL, "+44 (0)7771234567", "+447771234567");
	phone("separators and brackets", NULL, "+1 (206) 123-4567", "+12061234567");
	phone("no country code, no region", NULL, "(206) 123-4567", NULL);
	phone("no country code, region US", "US", "(206) 123-4567", "+12061234567");

	/* a leading 00 is always + */
	phone("00 with region US", "US", "00447771234567", "+447771234567");
	phone("00 with region US and spaces", "US", "00 44 7771 234567", "+447771234567");
	phone("00 with region DE", "DE", "0044 7771 234567", "+447771234567");
	phone("00 in brackets", NULL, "(0044) 7771 234567", "+447771234567");
	phone("00 and national prefix in brackets", NULL, "0044 (0)7771 234567", "+447771234567");
	phone("00 alone", NULL, "00", NULL);
	phone("000", NULL, "00012061234567", NULL);
	phone("+00", NULL, "+0044 7771234567", NULL);
	phone("a doubled national prefix is not 00", "DE", "(0)089 12345678", NULL);

	/* separators */
	phone("dots", NULL, "+1.206.123.4567", "+12061234567");
	phone("slash", NULL, "+49 89/12345678", "+498912345678");
	phone("square brackets", NULL, "+1 [206] 123 4567", "+12061234567");
	phone("plus in brackets", NULL, "(+1) 206 123 4567", "+12061234567");
	phone("no-break spaces", NULL, "+1" NBSP "206" NBSP "123" NBSP "4567", "+12061234567");
	phone("non-breaking hyphen and en dash", NULL, "+1 206\xE2\x80\x91" "123\xE2\x80\x93" "4567", "+12061234567");
	phone("no-break space around it", NULL, NBSP "+12061234567" NBSP, "+12061234567");
	phone("white space around digits alone", NULL, "  12061234567\n", "+12061234567");
	phone("direction marks of an address book", NULL, LRE "+1 206 123 4567" PDF, "+12061234567");
	phone("direction marks around digits alone", NULL, LRM "12061234567" LRM, "+12061234567");
	phone("national prefix without brackets", NULL, "+44 07771 234567", "+447771234567");
	phone("national prefix twice", NULL, "+49 (0)089 12345678", "+498912345678");
	phone("German national prefix in brackets", NULL, "+49 (0) 89 12345678", "+498912345678");
	phone("the Italian zero belongs to the number", NULL, "+39 06 12345678", "+390612345678");
	phone("Mexican mobile prefix", NULL, "+52 1 55 1234 5678", "+525512345678");
	phone("Mexican number", NULL, "+52 55 1234 5678", "+525512345678");

	/* region */
	phone("separators without country code, no region", NULL, "1 206 123 4567", NULL);
	phone("hyphens without country code, no region", NULL, "1-206-123-4567", NULL);
	phone("national digits with region US", "US", "2061234567", "+12061234567");
	phone("national digits with region us", "us", "2061234567", "+12061234567");
	phone("national number with region GB", "GB", "07771 234567", "+447771234567");
	phone("national number with region DE", "DE", "089 12345678", "+498912345678");
	phone("national number with region IN", "IN", "97888 24675", "+919788824675");
	phone("international number with another region", "DE", "+1 206 123 4567", "+12061234567");
	phone("country code of the region without plus", "IN", "919788824675", "+919788824675");
	phone("international prefix of the region", "US", "011 44 7771 234567", "+447771234567");
	phone("digits alone are national where a region is set", "DE", "12061234567", "+4912061234567");
	phone("digits alone that are no number of the region", "US", "919788824675", NULL);
	phone("empty region is none", "", "919788824675", "+919788824675");
	phone("unknown region, national number", "XX", "2061234567", NULL);
	phone("unknown region, international number", "XX", "+12061234567", "+12061234567");
	blames_region("a region that is none is named as what is wrong", "UK", "020 7946 0958", true);
	blames_region("a country code that is none is not the region's fault", "UK", "+999 123456789", false);
	blames_region("nor after the region's international prefix", "US", "011 999 123456789", false);

	/* too short, possible only locally, too long, letters, country code */
	phone("too short", NULL, "+1 2345", NULL);
	phone("too short, digits alone", NULL, "12345", NULL);
	phone("one digit", NULL, "7", NULL);
	phone("country code only", NULL, "+1", NULL);
	phone("emergency number", "US", "911", NULL);
	phone("possible only locally", "US", "123-4567", NULL);
	phone("possible only locally, with country code", NULL, "+1 123 4567", NULL);
	phone("too long", NULL, "+1 206 123 45678", NULL);
	phone("far too long", NULL, "+123456789012345678901234", NULL);
	phone("31 digits", NULL, "1234567890123456789012345678901", NULL);
	phone("32 digits", NULL, "12345678901234567890123456789012", NULL);
	phone("33 digits", NULL, "123456789012345678901234567890123", NULL);
	phone("32 characters", NULL, psprintf("+1 206 123 4567%s)", repeat(" ", 16)), "+12061234567");
	phone("33 characters", NULL, psprintf("+1 206 123 4567%s)", repeat(" ", 17)), NULL);
	phone("two numbers", NULL, "+12061234567 / 2061234568", NULL);
	phone("two international numbers", NULL, "+12061234567 +12061234568", NULL);
	phone("unknown country code 999", NULL, "+999 1234567", NULL);
	phone("unknown country code 210", NULL, "+210 1234567", NULL);
	phone("country code that begins with 0", NULL, "+0 206 123 4567", NULL);
	phone("digits alone that begin with 0", NULL, "07771234567", NULL);
	phone("vanity number", NULL, "+1 800 FLOWERS", NULL);
	phone("letters before it", NULL, "call +1 206 123 4567", NULL);
	phone("letters behind it", NULL, "+1 206 123 4567 mobile", NULL);
	phone("letters only", NULL, "private", NULL);
	phone("Cyrillic letters", NULL, "+1 206 123 4567 \xD0\xB4\xD0\xBE\xD0\xBC", NULL);
	phone("O for 0", NULL, "+1 2O6 123 4567", NULL);
	phone("superscript is no digit", NULL, "+1206123456\xC2\xB2", NULL);

	/* extensions */
	phone("ext", NULL, "+1 206 123 4567 ext 5", NULL);
	phone("ext.", NULL, "+1 206 123 4567 ext. 5", NULL);
	phone("extension", "US", "(206) 123-4567 extension 5", NULL);
	phone("x5", NULL, "+1 206 123 4567x5", NULL);
	phone("x 5", NULL, "+1 206 123 4567 x 5", NULL);
	phone(";ext=5", NULL, "+12061234567;ext=5", NULL);
	phone("#5", NULL, "+12061234567#5", NULL);
	phone("comma, a pause", NULL, "+12061234567,5", NULL);
	phone("two commas", NULL, "+12061234567,,5#", NULL);
	phone("tilde", NULL, "+1 206 123~4567", NULL);
	phone("Russian dob.", NULL, "+7 495 123 45 67 \xD0\xB4\xD0\xBE\xD0\xB1. 5", NULL);
	phone("fullwidth number sign", NULL, "+12061234567\xEF\xBC\x83" "5", NULL);
	phone("tel: has letters", NULL, "tel:+12061234567", NULL);
	phone("tel: with extension", NULL, "tel:+1-206-123-4567;ext=5", NULL);
	phone("tel: with context", NULL, "tel:2061234567;phone-context=+1", NULL);
	phone("sub-address", NULL, "+12061234567;isub=12", NULL);
	detail_says(&rules, "7.2", "an extension is called one", "+1 206 123 4567 ext 5", "extension");
	detail_says(&rules, "7.2", "so is #5", "+12061234567#5", "extension");
	detail_says(&rules, "7.2", "letters are called letters", "+1 800 FLOWERS", "letters");
	detail_says(&rules, "7.2", "a missing country code is named", "(206) 123-4567", "country code");
	detail_says(&rules, "7.2", "a missing area code is named", "+1 123 4567", "area code");

	/* digits of other scripts */
	phone("Arabic-Indic digits", NULL, "+\xD9\xA9\xD9\xA1\xD9\xA9\xD9\xA7\xD9\xA8\xD9\xA8\xD9\xA8\xD9\xA2\xD9\xA4\xD9\xA6\xD9\xA7\xD9\xA5", "+919788824675");
	phone("Arabic-Indic digits alone", NULL, "\xD9\xA9\xD9\xA1\xD9\xA9\xD9\xA7\xD9\xA8\xD9\xA8\xD9\xA8\xD9\xA2\xD9\xA4\xD9\xA6\xD9\xA7\xD9\xA5", "+919788824675");
	phone("Devanagari digits", NULL, "+\xE0\xA5\xAF\xE0\xA5\xA7 9788824675", "+919788824675");
	phone("fullwidth plus, digits and brackets", NULL, "\xEF\xBC\x8B\xEF\xBC\x91\xEF\xBC\x88\xEF\xBC\x92\xEF\xBC\x90\xEF\xBC\x96\xEF\xBC\x89\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x93\xEF\xBC\x8D\xEF\xBC\x94\xEF\xBC\x95\xEF\xBC\x96\xEF\xBC\x97", "+12061234567");

	/* signs */
	phone("two plus signs", NULL, "++12061234567", NULL);
	phone("plus inside", NULL, "+1+2061234567", NULL);
	phone("plus behind", NULL, "12061234567+", NULL);
	phone("plus only", NULL, "+", NULL);
	phone("negative number", "US", "-2061234567", NULL);
	phone("separators only", "US", "(--)", NULL);
	phone("star", NULL, "+1*2061234567", NULL);
	phone("invalid UTF-8", NULL, "+1206123456\xFF", NULL);
	phone("overlong digit", NULL, "+1206123456\xC0\xB7", NULL);
	phone("e-mail address", "US", "ann@example.com", NULL);
	phone("scientific notation", NULL, "9.19789E+11", NULL);
	phone("empty", NULL, "", NULL);
	phone("NULL", NULL, NULL, NULL);

	ok(ci_normalize_value(&rules, " +44 (0)7771 234567 ", &out, &err) &&
	   strcmp(out.given, "+44 (0)7771 234567") == 0 &&
	   strcmp(out.value, "+447771234567") == 0,
	   "7.2", "the spelling given is kept, trimmed");

	rules.phone = NULL;
	ok(!ci_normalize_value(&rules, "+447771234567", &out, &err) &&
	   err.code == CI_UNSUPPORTED && err.hint != NULL &&
	   strstr(err.message, "whatsapp") == err.message,
	   "7.2", "without the module phone kinds are refused");

	/* the C interface by itself */
	{
		char		buf[CI_PHONE_MAX_OUTPUT];
		char		little[5];

		ok(ci_phone_normalize(NULL, NULL, buf, sizeof(buf)) == CI_PHONE_MALFORMED,
		   "7.2", "library: no input");
		ok(ci_phone_normalize("+1206123456789012345678901234567890", NULL, buf, sizeof(buf)) == CI_PHONE_MALFORMED,
		   "7.2", "library: no more than 32 octets go in");
		ok(ci_phone_normalize("+1 206 123 4567 ext 5", NULL, buf, sizeof(buf)) == CI_PHONE_MALFORMED,
		   "7.2", "library: an extension does not go in");
		ok(ci_phone_normalize("+12061234567", NULL, little, sizeof(little)) != CI_PHONE_OK,
		   "7.2", "library: buffer too small");
		ok(ci_phone_normalize("2061234567", "US", buf, sizeof(buf)) == CI_PHONE_OK &&
		   strcmp(buf, "+12061234567") == 0,
		   "7.2", "library: national number");
		ok(strncmp(ci_phone_version(), "libphonenumber ", 15) == 0 &&
		   ci_phone_version()[15] >= '0' && ci_phone_version()[15] <= '9',
		   "7.2", "library: it tells its version");
	}
}

static void
test_exact(void)
{
	exact("kept as it is", "ext_id", 255, "Customer-0042", "Customer-0042");
	exact("case counts", "ext_id", 255, "aB", "aB");
	exact("bytes count: decomposed stays", "ext_id", 255, "o" UMLAUT, "o" UMLAUT);
	exact("bytes count: composed stays", "ext_id", 255, "\xC3\xB6", "\xC3\xB6");
	exact("Kelvin sign stays", "ext_id", 255, KELVIN, KELVIN);
	exact("dotted capital I stays", "ext_id", 255, "\xC4\xB0", "\xC4\xB0");
	exact("space inside", "ext_id", 255, "a b", "a b");
	exact("quotes are kept", "ext_id", 255, "\"42\"", "\"42\"");
	exact("leading zeros are kept", "ext_id", 255, "007", "007");
	exact("1 is a number like any other", "ext_id", 255, "1", "1");
	exact("a plain uuid", "visitor", 2000, "6f1c9a52-3d7e-4a0b-9d38-1f0c2b7a5e64", "6f1c9a52-3d7e-4a0b-9d38-1f0c2b7a5e64");
	exact("a push endpoint", "push", 2000, "https://fcm.googleapis.com/fcm/send/abc:APA91b?x=1#y", "https://fcm.googleapis.com/fcm/send/abc:APA91b?x=1#y");
	exact("255 octets", "ext_id", 255, repeat("a", 255), repeat("a", 255));
	exact("256 octets", "ext_id", 255, repeat("a", 256), NULL);
	exact("octets count, not characters", "ext_id", 255, repeat("\xC3\xB6", 128), NULL);
	exact("2,000 octets of a key", "push", 2000, repeat("a", 2000), repeat("a", 2000));
	exact("2,001 octets of a key", "push", 2000, repeat("a", 2001), NULL);
	exact("leading space", "ext_id", 255, " a", NULL);
	exact("trailing space", "ext_id", 255, "a ", NULL);
	exact("trailing newline", "ext_id", 255, "a\n", NULL);
	exact("leading no-break space", "ext_id", 255, NBSP "a", NULL);
	exact("trailing no-break space", "visitor", 2000, "a" NBSP, NULL);
	exact("trailing ideographic space", "visitor", 2000, "a" IDEOGRAPHIC_SPACE, NULL);
	exact("newline inside", "ext_id", 255, "a\nb", NULL);
	exact("tab inside", "ext_id", 255, "a\tb", NULL);
	exact("escape inside", "ext_id", 255, "a\x1B[31mb", NULL);
	exact("DEL inside", "ext_id", 255, "a\x7F" "b", NULL);
	exact("C1 control inside", "ext_id", 255, "a\xC2\x9F" "b", NULL);
	exact("next line inside", "ext_id", 255, "a" NEXT_LINE "b", NULL);
	exact("invalid UTF-8", "ext_id", 255, "a\xFF", NULL);
	exact("overlong", "ext_id", 255, "a\xE0\x80\xAF", NULL);
	exact("surrogate", "ext_id", 255, "\xED\xBF\xBF", NULL);
	exact("empty", "ext_id", 255, "", NULL);
	exact("NULL", "ext_id", 255, NULL, NULL);
	exact("white space only", "ext_id", 255, "   ", NULL);
}

static void
test_blocked(void)
{
	static const char *const named[] = {
		"null", "undefined", "none", "nil", "nan", "0", "-1", "true", "false",
		"anonymous", "guest", "unknown", "test", "n/a", "[object Object]",
		"00000000-0000-0000-0000-000000000000",
		NULL
	};
	CiNormalizeRules rules = rules_for(CI_NORMALIZE_EXACT, "ext_id", 255, NULL);
	CiNormalized out;
	CiError		err;
	bool		folded = true;

	for (int i = 0; named[i] != NULL; i++)
	{
		blocked(named[i]);
		blocked(psprintf("\"%s\"", named[i]));
	}
	blocked("NULL");
	blocked("Null");
	blocked("NaN");
	blocked("N/A");
	blocked("[OBJECT OBJECT]");
	blocked("UNDEFINED");
	blocked("'null'");
	blocked("`null`");
	blocked("\"'null'\"");
	blocked("'\"' null '\"'");
	blocked("\xE2\x80\x9Cnull\xE2\x80\x9D");
	blocked("\xE2\x80\x9Enull\xE2\x80\x9C");
	blocked("\xE2\x80\x98null\xE2\x80\x99");
	blocked("\xC2\xABnull\xC2\xBB");
	blocked("\xE2\x80\xB9 None \xE2\x80\xBA");
	blocked("\xE3\x80\x8Cnull\xE3\x80\x8D");
	blocked("'null");
	blocked("\"\"");
	blocked("''");
	blocked("\" \"");
	blocked(" null ");
	blocked("\\N");
	blocked("(null)");

	/* not blocked: what only looks like it */
	exact("nullable", "ext_id", 255, "nullable", "nullable");
	exact("00", "ext_id", 255, "00", "00");
	exact("10", "ext_id", 255, "10", "10");
	exact("test1", "ext_id", 255, "test1", "test1");
	exact("Kelvin sign is not folded", "ext_id", 255, "un" KELVIN "nown", "un" KELVIN "nown");
	exact("true story", "ext_id", 255, "true story", "true story");

	/* every kind, and before anything else is looked at */
	rules = rules_for(CI_NORMALIZE_EMAIL, "email", 0, NULL);
	detail_says(&rules, "7.5", "an e-mail can be blocked", "null", "blocked");
	detail_says(&rules, "7.5", "in quotes and capitals", " 'N/A' ", "blocked");
	rules = rules_for(CI_NORMALIZE_PHONE, "phone", 0, "US");
	detail_says(&rules, "7.5", "a number can be blocked", "0", "blocked");
	detail_says(&rules, "7.5", "so can -1", "-1", "blocked");
	rules.phone = NULL;
	detail_says(&rules, "7.5", "also without the phone module", "undefined", "blocked");

	/* a table that an account can extend */
	rules = rules_for(CI_NORMALIZE_EMAIL, "email", 0, NULL);
	rules.blocked_arg = "noreply@xn--mnchen-3ya.de";
	ok(!ci_normalize_value(&rules, "NoReply@M\xC3\x9CNCHEN.de", &out, &err) &&
	   err.code == CI_INVALID, "7.5", "the normalized value is looked up too");
	ok(ci_normalize_value(&rules, "reply@m\xC3\xBCnchen.de", &out, &err),
	   "7.5", "and another address is not");
	rules = rules_for(CI_NORMALIZE_PHONE, "phone", 0, NULL);
	rules.blocked_arg = "+12065550100";
	ok(!ci_normalize_value(&rules, "+1 (206) 555-0100", &out, &err) &&
	   err.code == CI_INVALID, "7.5", "so is the normalized number");
	rules = rules_for(CI_NORMALIZE_EXACT, "ext_id", 255, NULL);
	rules.is_blocked = NULL;
	ok(ci_normalize_value(&rules, "null", &out, &err) &&
	   strcmp(out.value, "null") == 0, "7.5", "an account may block nothing");

	ok(strcmp(ci_blocked_form("  \" 'NuLL' \" "), "null") == 0, "7.5",
	   "folded form: trimmed, unquoted, lower case");
	ok(strcmp(ci_blocked_form("O\"Neil"), "o\"neil") == 0, "7.5",
	   "folded form: a quote inside stays");
	ok(strcmp(ci_blocked_form("\xC3\x84" KELVIN), "\xC3\x84" KELVIN) == 0,
	   "7.5", "folded form: only ASCII letters are folded");
	ok(strcmp(ci_blocked_form(NULL), "") == 0, "7.5", "folded form of NULL");
	ok(strcmp(ci_blocked_form("\xFF null \xFF"), "\xFF null \xFF") == 0,
	   "7.5", "folded form of what is not UTF-8");
	for (int i = 0; ci_blocked_defaults[i] != NULL; i++)
	{
		if (strcmp(ci_blocked_form(ci_blocked_defaults[i]),
				   ci_blocked_defaults[i]) != 0)
			folded = false;
	}
	ok(folded, "7.5", "the built-in values are in their folded form");
}

/*
 * Long and repetitive input must not cost more than its length.
 */
static void
test_time(void)
{
	static const char *const pieces[] = {
		"1", "+", "(", "a", ".", "@", "-", "\"", " ", "x", "a.", "xn--", "a@",
		"o" UMLAUT, UMLAUT, "q" DOT_ABOVE DOT_BELOW, "\xC3\xBC", ZWNJ, NBSP,
		"\xE3\x80\x82", "\xD9\xA9", "\xFF", "\xEF\xBC\x91"
	};
	clock_t		start = clock();
	bool		refused = true;

	for (int i = 0; i < lengthof(pieces); i++)
	{
		char	   *tail = repeat(pieces[i], 10000);
		char	   *fits = repeat(pieces[i], 1000 / strlen(pieces[i]));

		for (int how = CI_NORMALIZE_EXACT; how <= CI_NORMALIZE_PHONE; how++)
		{
			CiNormalizeRules rules = rules_for(how, "field", 255, "US");
			CiNormalized out;
			CiError		err;

			if (ci_normalize_value(&rules, tail, &out, &err) ||
				ci_normalize_value(&rules, psprintf("a@%s.com", tail), &out, &err) ||
				ci_normalize_value(&rules, psprintf("%s@example.com", tail), &out, &err) ||
				ci_normalize_value(&rules, psprintf("+1206%s", tail), &out, &err))
				refused = false;

			/* the longest that a costly step can see */
			ci_normalize_value(&rules, psprintf("a@%s.com", fits), &out, &err);
			ci_normalize_value(&rules, psprintf("%s@b.co", fits), &out, &err);
		}
	}
	ok(refused, "7.4", "10 kB and more of anything is refused");
	ok((double) (clock() - start) / CLOCKS_PER_SEC < 2.0, "7.4",
	   "and that takes no time");
}

int
main(void)
{
	test_email();
	test_phone();
	test_exact();
	test_blocked();
	test_time();
	printf("1..%d\n", tests);
	return failures == 0 ? 0 : 1;
}
