/*-------------------------------------------------------------------------
 *
 * request.c
 *	  A request as it was given becomes one that can be played, or refused.
 *
 * Here are RULES 1.6, 4.13 and 7.4 to 7.6: what needs the account's settings
 * but none of its contacts.  A bad request is marked, not thrown, so that a
 * batch goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pipeline.h"

/* Marks a request as one that cannot be used; always false. */
static bool
refuse(CiRequest *request, CiCode code, const char *message, const char *hint)
{
	request->error.code = code;
	request->error.message = message;
	request->error.detail = NULL;
	request->error.hint = hint;
	return false;
}

/* The names of an account's sources, or of the vias of one, for a hint. */
static const char *
names_of(const CiConfig *config, const CiSource *source)
{
	StringInfoData out;
	int			count = source == NULL ? config->nsources : source->nvias;

	initStringInfo(&out);
	for (int i = 0; i < count; i++)
		appendStringInfo(&out, "%s%s", i == 0 ? "" : ", ",
						 source == NULL ? config->sources[i].name : source->vias[i].name);
	return count == 0 ? "none" : out.data;
}

/* [1.6] [4.13] The source of a request, and the kind of key that it makes. */
static bool
read_source(const CiConfig *config, const CiRawRequest *raw, CiRequest *request)
{
	const CiSource *source;

	if (raw->source == NULL)
		return refuse(request, CI_INVALID, "source must be given",
					  psprintf("Sources of this account: %s.", names_of(config, NULL)));
	source = ci_find_source(config, raw->source);
	if (source == NULL)
		return refuse(request, CI_INVALID, "source does not exist",
					  psprintf("Sources of this account: %s.", names_of(config, NULL)));
	if (!source->enabled)
		return refuse(request, CI_INVALID, psprintf("source \"%s\" is switched off", source->name),
					  "Set enabled in contact_identity.source to switch it on.");
	request->source = source;
	request->key_kind = source->key_kind;
	if (raw->via == NULL)
		return true;
	for (int i = 0; i < source->nvias; i++)
	{
		if (strcmp(source->vias[i].name, raw->via) == 0)
		{
			request->via = source->vias[i].name;
			request->key_kind = source->vias[i].kind;
			return true;
		}
	}
	return refuse(request, CI_INVALID, psprintf("source \"%s\" has no such via", source->name),
				  psprintf("It has: %s.", names_of(config, source)));
}

/* [7.3] The key, where the source takes one. */
static bool
read_key(const CiConfig *config, const CiRawRequest *raw, CiRequest *request, bool required)
{
	CiNormalized normalized;

	if (raw->key == NULL && !required)
		return true;
	if (request->key_kind == NULL)
		return refuse(request, CI_INVALID,
					  psprintf("source \"%s\" takes no key", request->source->name),
					  raw->key == NULL ? NULL : "Leave out the key, or use another source.");
	if (!ci_normalize_identifier(config, request->key_kind, raw->key, &normalized, &request->error))
		return false;
	request->key = normalized.value;
	return true;
}

/* [7.1] to [7.5] The identifiers, strongest first. */
static bool
read_identifiers(const CiConfig *config, const CiRawRequest *raw, CiRequest *request)
{
	request->given = palloc(sizeof(CiGiven) * Max(1, raw->nidentifiers));
	for (int i = 0; i < config->nkinds && config->kinds[i].identifying; i++)
	{
		const CiKind *kind = &config->kinds[i];

		for (int j = 0; j < raw->nidentifiers; j++)
		{
			CiNormalized normalized;
			CiGiven    *given;

			if (raw->identifiers[j].value == NULL ||
				strcmp(raw->identifiers[j].kind, kind->name) != 0)
				continue;
			if (!ci_normalize_identifier(config, kind, raw->identifiers[j].value,
										 &normalized, &request->error))
				return false;
			given = &request->given[request->ngiven++];
			given->kind = kind;
			given->value = normalized.value;
			given->given = normalized.given;
			break;
		}
	}
	for (int j = 0; j < raw->nidentifiers; j++)
	{
		const CiKind *kind = ci_find_kind(config, raw->identifiers[j].kind);

		if (raw->identifiers[j].value != NULL && (kind == NULL || !kind->identifying))
			return refuse(request, CI_INVALID,
						  psprintf("kind \"%s\" is not an identifying one of this account",
								   raw->identifiers[j].kind), NULL);
	}
	return true;
}

/* [4.11] What the account has not declared is left out, and named. */
static void
leave_out_undeclared(const CiConfig *config, CiRequest *request)
{
	CiAttributes *attributes = &request->attributes;
	int			kept = 0;

	request->undeclared = palloc(sizeof(char *) * Max(1, attributes->count));
	for (int i = 0; i < attributes->count; i++)
	{
		if (ci_attribute_is_declared(config, &attributes->items[i]))
			attributes->items[kept++] = attributes->items[i];
		else
			request->undeclared[request->nundeclared++] = attributes->items[i].name;
	}
	attributes->count = kept;
}

/* [0] [7.6] The attributes. */
static bool
read_attributes(const CiConfig *config, const CiRawRequest *raw, CiRequest *request)
{
	if (raw->attributes == NULL)
		return true;
	if (!ci_read_attributes(raw->attributes, &request->attributes, &request->error))
		return false;
	for (int i = 0; i < request->attributes.count; i++)
	{
		const CiKind *kind = ci_find_kind(config, request->attributes.items[i].name);

		if (kind != NULL)
			return refuse(request, CI_INVALID,
						  psprintf("\"%s\" is an identifier, not an attribute", kind->name),
						  kind->identifying ?
						  psprintf("Use the argument \"%s\" instead.", kind->name) :
						  "Use the argument \"key\" instead, with the source and via of that kind.");
	}
	leave_out_undeclared(config, request);
	return true;
}

/* An id of a contact, which is a positive number. */
static bool
read_contact_id(CiRequest *request, bool given, int64 contact_id, const char *name, int64 *result)
{
	if (!given)
		return refuse(request, CI_INVALID, psprintf("%s must be given", name), NULL);
	if (contact_id <= 0)
		return refuse(request, CI_NOT_FOUND,
					  psprintf("contact " INT64_FORMAT " does not exist", contact_id), NULL);
	*result = contact_id;
	return true;
}

/* Who asks; an empty name is none. */
static bool
read_actor(const CiRawRequest *raw, CiRequest *request)
{
	if (raw->actor == NULL || raw->actor[strspn(raw->actor, " \t\r\n")] == '\0')
		return true;
	if (strlen(raw->actor) > CI_MAX_NAME)
		return refuse(request, CI_INVALID,
					  psprintf("name of the agent must be at most %d octets long", CI_MAX_NAME), NULL);
	request->actor = raw->actor;
	return true;
}

/* A list by its name. */
static bool
read_list(const CiConfig *config, const CiRawRequest *raw, CiRequest *request)
{
	if (raw->list == NULL)
		return refuse(request, CI_INVALID, "list must be given", NULL);
	for (int i = 0; i < config->nlists; i++)
	{
		if (strcmp(config->lists[i].name, raw->list) == 0)
		{
			request->list_id = config->lists[i].list_id;
			return true;
		}
	}
	return refuse(request, CI_INVALID, "list does not exist",
				  "Add a row to contact_identity.list to make one.");
}

/* A channel by its name. */
static bool
read_channel(const CiRawRequest *raw, CiRequest *request)
{
	for (int channel = CI_CHANNEL_EMAIL; raw->channel != NULL && channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if (strcmp(raw->channel, ci_channel_name(channel)) == 0)
			request->channel = channel;
	}
	return request->channel != CI_CHANNEL_NONE ||
		refuse(request, CI_INVALID, "channel does not exist", "Channels: email, sms, whatsapp, push.");
}

/* [4.10] When it happened. */
static bool
read_time(const CiRawRequest *raw, CiRequest *request)
{
	request->occurred_at = CI_NO_TIME;
	if (!raw->has_occurred_at)
		return true;
	if (TIMESTAMP_IS_NOBEGIN(raw->occurred_at))
		return refuse(request, CI_INVALID, "occurred_at must not be -infinity",
					  "Leave it out where the time is not known.");
	request->occurred_at = raw->occurred_at;
	return true;
}

/*
 * Fills in a request from what was given; its error is set where it cannot be
 * used.  The strings of raw must live as long as the request.
 */
void
ci_prepare_request(const CiConfig *config, const CiRawRequest *raw, CiRequest *request)
{
	bool		ok;

	memset(request, 0, sizeof(CiRequest));
	request->op = raw->op;
	request->verified = raw->verified;
	request->newer_wins = raw->newer_wins;
	request->lifted = raw->lifted;
	request->suppress = raw->suppress;
	request->confirmed = raw->confirmed;
	ok = read_time(raw, request) && read_actor(raw, request);
	if (!ok)
		return;

	switch (raw->op)
	{
		case CI_OP_IDENTIFY:
		case CI_OP_CAPTURE:
			ok = read_source(config, raw, request) &&
				read_key(config, raw, request, raw->op == CI_OP_CAPTURE) &&
				read_identifiers(config, raw, request) &&
				read_attributes(config, raw, request);
			request->only_contact = raw->only_contact;
			request->removed = palloc(sizeof(CiKind *) * Max(1, raw->nremoved));
			for (int i = 0; ok && i < raw->nremoved; i++)
				request->removed[request->nremoved++] = ci_find_kind(config, raw->removed[i]);
			if (ok && raw->has_contact_id)
				read_contact_id(request, true, raw->contact_id, "contact_id", &request->contact_id);
			break;
		case CI_OP_SUBSCRIBE:
		case CI_OP_UNSUBSCRIBE:
		case CI_OP_LOGOUT:
			if (read_source(config, raw, request))
				read_key(config, raw, request, true);
			break;
		case CI_OP_PROMOTE:
		case CI_OP_DISMISS:
			if (!raw->has_conflict_id)
				refuse(request, CI_INVALID, "conflict_id must be given", NULL);
			request->conflict_id = raw->conflict_id;
			break;
		case CI_OP_MERGE:
			if (read_contact_id(request, raw->has_contact_id, raw->contact_id,
								"survivor", &request->contact_id))
				read_contact_id(request, raw->has_loser_id, raw->loser_id,
								"loser", &request->loser_id);
			break;
		case CI_OP_SET_DISTINCT:
			if (read_contact_id(request, raw->has_contact_id, raw->contact_id, "a", &request->contact_id) &&
				read_contact_id(request, raw->has_loser_id, raw->loser_id, "b", &request->loser_id) &&
				request->contact_id == request->loser_id)
				refuse(request, CI_INVALID, "a contact is not another person than itself", NULL);
			break;
		case CI_OP_UNMERGE:
			read_contact_id(request, raw->has_contact_id, raw->contact_id, "loser", &request->contact_id);
			break;
		case CI_OP_BLOCK:
		case CI_OP_UNBLOCK:
			if (read_contact_id(request, raw->has_contact_id, raw->contact_id,
								"contact_id", &request->contact_id))
				read_channel(raw, request);
			break;
		case CI_OP_ADD_TO_LIST:
		case CI_OP_REMOVE_FROM_LIST:
			if (read_contact_id(request, raw->has_contact_id, raw->contact_id,
								"contact_id", &request->contact_id))
				read_list(config, raw, request);
			break;
		case CI_OP_ERASE:
			request->only_contact = raw->only_contact;
			read_contact_id(request, raw->has_contact_id, raw->contact_id,
							"contact_id", &request->contact_id);
			break;
	}
}
