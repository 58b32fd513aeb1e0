"""What each reason means and what a reader can do about it, in a person's words.

The reasons are the symptoms of `archive.verdicts` and the conclusions of `archive.readiness`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from archive.verdicts import RULES, Symptom

NO_CREDENTIALS: Final = "no-credentials"
"""Of the pause of an account that a host can do nothing for."""


class Meaning(NamedTuple):
    """What was seen, and what can be done; the remedy is empty where nothing need be done."""

    words: str
    remedy: str = ""


_SYMPTOMS: Final[dict[Symptom, str]] = {
    Symptom.API_UNREACHABLE: "the provider's API could not be connected to",
    Symptom.API_DNS: "the name of the provider's API could not be resolved",
    Symptom.API_TLS: "the provider's API showed a certificate that does not fit",
    Symptom.API_FORBIDDEN_ADDRESS: "the provider's API would be at an address that is not public",
    Symptom.API_TIMEOUT: "the provider's API did not answer in time",
    Symptom.API_SERVER_ERROR: "the provider's API answered with an error of its own",
    Symptom.API_TOO_MANY: "the provider's API kept answering that it is asked too often",
    Symptom.API_NONSENSE: "the provider's API gave an answer that makes no sense",
    Symptom.API_UNAUTHORISED: (
        "the provider's API did not accept the key and token, or does not know the account"
    ),
    Symptom.API_PAYMENT: "the provider's API said that the plan does not allow it",
    Symptom.API_FORBIDDEN: "the provider's API forbade the request",
    Symptom.API_REFUSED: "the provider's API refused to be asked for this call",
    Symptom.API_REFUSES_ALL: "the provider's API refused to be asked for any call",
    Symptom.CALL_UNKNOWN: "the provider knows no such call",
    Symptom.CALL_OUT_OF_HISTORY: "the call is older than the six months the provider remembers",
    Symptom.URL_UNTRUSTED: "the recording's URL is of a host that is not to be asked",
    Symptom.FETCH_UNREACHABLE: "the recording's host could not be connected to",
    Symptom.FETCH_DNS: "the name of the recording's host could not be resolved",
    Symptom.FETCH_TLS: "the recording's host showed a certificate that does not fit",
    Symptom.FETCH_FORBIDDEN_ADDRESS: (
        "the recording's host would be at an address that is not public"
    ),
    Symptom.FETCH_TIMEOUT: "the recording's host stopped sending",
    Symptom.FETCH_SLOW: "the recording came too slowly to go on with",
    Symptom.FETCH_SERVER_ERROR: "the recording's host answered with an error of its own",
    Symptom.FETCH_TOO_MANY: "the recording's host answered that it is asked too often",
    Symptom.FETCH_REFUSED: "the recording's host refused to hand it out",
    Symptom.FETCH_EXPIRED: "the recording's URL had expired",
    Symptom.FETCH_HOST_DOWN: "no recording came, one after the other: their host is down",
    Symptom.FETCH_REFUSES_ALL: "the recordings' host refused to hand out any of them",
    Symptom.FETCH_BAD_ADDRESS: "the recording's host does not serve this machine's address",
    Symptom.FETCH_NOT_YET: "the recording's URL was known, but the recording was not there yet",
    Symptom.FETCH_GONE: "the recording is no longer where its URL points",
    Symptom.FETCH_REDIRECT: "the recording's host sent us elsewhere, and we do not go",
    Symptom.FETCH_ODD_STATUS: "the recording's host gave an answer of an unknown kind",
    Symptom.BODY_SHORT: "the recording came with fewer or more bytes than promised",
    Symptom.BODY_DIGEST: "the recording came with other bytes than its checksum says",
    Symptom.BODY_ENDLESS: "the recording is longer than any recording can be",
    Symptom.BODY_EMPTY: "the recording came without a single byte",
    Symptom.BODY_NOT_AUDIO: "what came in the recording's place is no audio",
    Symptom.DISK_FULL: "the disk has no room",
    Symptom.DISK_REFUSES: "the disk could not be written to",
    Symptom.INTERNAL_ERROR: "callvault itself made a mistake",
}

_REMEDIES: Final[dict[Symptom, str]] = {
    Symptom.CALL_UNKNOWN: "check that the Sid is right and of this account",
    Symptom.URL_UNTRUSTED: "add its host to recording_hosts, if that is the provider's",
    Symptom.FETCH_DNS: "check this machine's DNS, and the names in recording_hosts",
    Symptom.FETCH_REFUSED: "see whether the key may read recordings, or only listed addresses",
    Symptom.FETCH_EXPIRED: "raise url_validity_minutes, or lower downloads",
    Symptom.FETCH_REDIRECT: "tell the provider, or look whether a proxy is in between",
    Symptom.BODY_NOT_AUDIO: "look at what came: it is kept in .quarantine",
    Symptom.INTERNAL_ERROR: "look into the log and report it",
}

_CONCLUSIONS: Final[dict[str, Meaning]] = {
    "call-in-progress": Meaning("the call was still going on"),
    "not-ready": Meaning("the provider was still processing the recording"),
    "no-recording-yet": Meaning("the provider had no recording, though it had had its time"),
    "no-answer": Meaning("nobody answered the call, so nothing was recorded"),
    "too-short": Meaning("the call was too short to be recorded"),
    "not-recorded": Meaning(
        "the call was talked, and not recorded", "look whether its flow is set to record"
    ),
    "status-trusted": Meaning(
        "its export says that nobody answered, and --trust-status was given",
        "to ask the provider all the same: callvault retry --reason status-trusted",
    ),
    "past-retention": Meaning(
        "the call is so old that its recording, if there was one, is deleted",
        "archive sooner, or ask the provider for a longer retention",
    ),
    "reappeared": Meaning("the provider tells of a recording of it after all"),
    "another-recording": Meaning("a source told of a further recording of it"),
    "operator": Meaning("somebody paused it", "let it go on with: callvault resume"),
    NO_CREDENTIALS: Meaning(
        "the account has no key or token", "give it them, and start the workers again"
    ),
    "retried": Meaning("somebody asked for it to be tried again"),
    "keep-days": Meaning("its recordings were kept for as long as the settings say"),
    "on-request": Meaning("somebody asked for its recordings to be deleted"),
    "file-missing": Meaning("its file was not where the archive had put it"),
    "file-changed": Meaning("its file had other bytes than were archived"),
    "file-truncated": Meaning("its file was shorter than what was archived"),
    "file-longer": Meaning("its file was longer than what was archived"),
    "file-damaged": Meaning("its file was audio that is damaged within"),
}

MEANINGS: Final[dict[str, Meaning]] = {
    **{
        symptom.value: Meaning(words, _REMEDIES.get(symptom, RULES[symptom].hint))
        for symptom, words in _SYMPTOMS.items()
    },
    **_CONCLUSIONS,
}


def meaning_of(reason: str) -> Meaning:
    """Return what a reason means; an unknown one (of a newer callvault) means itself."""
    return MEANINGS.get(reason, Meaning(reason))
