"""What a failed request to an S3 service means: worth another try, or what its user must do.

Messages name the object, what was refused and the remedy. They never quote what the service or a credential helper
said at length, because that may contain parts of credentials.
"""

import http.client

import urllib3.exceptions
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from enformer_core.errors import StorageError, TransientStorageError
from enformer_core.storage.s3_connection import quotable

FAILURES: tuple[type[Exception], ...] = (
    boto.BotoCoreError,
    boto.ClientError,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
"""Everything that a request, or reading its answer, may raise."""

# 409: another put of the same key is under way; 425: the service wants the request once the connection is proven.
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset(
    {
        "BadDigest",  # the body was damaged on its way
        "IncompleteBody",  # 400: it broke off on its way
        "InternalError",
        "RequestTimeout",  # 400: the body did not arrive in time
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_FULL_CODES = frozenset(
    {"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull"}
)

_RENEW = (
    "Renew the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID or your login) and run the same command again; "
    "one that computes goes on where it was."
)
_ALLOW = (
    "Allow this user s3:GetObject, s3:PutObject and s3:ListBucket there, or use other credentials (AWS_PROFILE), "
    "and run the same command again; one that computes goes on where it was."
)
_ALLOW_REMOVING = (
    "Workers need no s3:DeleteObject, and should not have it: run `enformer-ray repair` with "
    "credentials that do."
)
_REMEDIES = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "InvalidToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidAccessKeyId": _RENEW,
    "SignatureDoesNotMatch": _RENEW,
    "InvalidClientTokenId": _RENEW,
    "RequestTimeTooSkewed": "Set this machine's clock and run the same command again.",
    "NoSuchBucket": "Create the bucket, or correct its name, and run the same command again.",
    "PermanentRedirect": "Set AWS_REGION to the bucket's region and run the same command again.",
    "AuthorizationHeaderMalformed": "Set AWS_REGION to the bucket's region and run the same command again.",
    "EntityTooLarge": "One object holds at most 5 GiB: use a smaller --shard-size.",
    "NotImplemented": "This service cannot create only what is absent: with one writer at a time use --single-writer.",
}
_CERTIFICATE = "Its certificate was not accepted: set AWS_CA_BUNDLE to the authority's file, or correct the endpoint."
_CREDENTIAL_FAILURES = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.LoginError,
    boto.RefreshWithMFAUnsupportedError,
    boto.NoAuthTokenError,
)
_BROKEN_CONVERSATIONS = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.FlexibleChecksumError,
    boto.ChecksumError,
    boto.MetadataRetrievalError,
    boto.PaginationError,
)


class CredentialsError(StorageError):
    """No credentials, or such as the service does not accept."""


def status_of(error: boto.ClientError) -> int:
    """The HTTP status of an answer; 0 where there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: boto.ClientError) -> str:
    """The service's name for what is wrong; for answers without a body the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: Exception, place: str, *, action: str) -> StorageError:
    """What to raise in the place of a failure of the client library.

    Args:
        error: one of `FAILURES`.
        place: the object, `s3://bucket/key`.
        action: what was tried: "read", "written", "listed", "removed".
    """
    refusal = f"{place}: cannot be {action}"
    if isinstance(error, boto.ClientError):
        allow = _ALLOW_REMOVING if action == "removed" else _ALLOW
        return _explain_answer(error, refusal, allow=allow)
    if isinstance(error, _CREDENTIAL_FAILURES):
        kind = type(error).__name__
        return CredentialsError(f"{refusal}: no usable credentials ({kind}). {_RENEW}")
    if isinstance(error, boto.SSLError) and "CERTIFICATE" in str(error).upper():
        return StorageError(f"{refusal}. {_CERTIFICATE}")
    # What is left of the library's own errors is about files, profiles and settings: no later attempt succeeds.
    if isinstance(error, boto.BotoCoreError) and not isinstance(error, _BROKEN_CONVERSATIONS):
        return StorageError(
            f"{refusal}: the AWS configuration cannot be used: {type(error).__name__}: {quotable(error)}"
        )
    return TransientStorageError(f"{refusal}: {_reason(error)}.")


def _explain_answer(error: boto.ClientError, refusal: str, *, allow: str) -> StorageError:
    status = status_of(error)
    code = code_of(error)
    refusal = f"{refusal}: refused with {code or 'no reason'} (HTTP {status})."
    # A full disk may come as 503, which would be tried again for minutes: it is looked for first.
    if status == 507 or code in _FULL_CODES:
        return StorageError(
            f"{refusal} The storage is full: free some space, or raise the quota, and run it again."
        )
    remedy = _REMEDIES.get(code)
    if remedy is not None:
        kind = CredentialsError if remedy == _RENEW else StorageError
        return kind(f"{refusal} {remedy}")
    if status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES:
        return TransientStorageError(refusal)
    if status in {401, 403}:
        return CredentialsError(f"{refusal} {allow}")
    return StorageError(f"{refusal} What is committed stays; the same command continues it.")


def _reason(error: Exception) -> str:
    reasons: dict[type[Exception], str] = {
        boto.ConnectTimeoutError: "no connection in time",
        boto.ReadTimeoutError: "no answer in time",
        boto.EndpointConnectionError: "nobody answers at the endpoint (AWS_ENDPOINT_URL, or the region's)",
        boto.IncompleteReadError: "its body broke off",
        boto.ResponseStreamingError: "its body broke off",
        boto.FlexibleChecksumError: "its body has another checksum than the service says",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    # Of others only the name: what they say may quote addresses with passwords. The system's own errors do not.
    known = error if isinstance(error, OSError) else type(error).__name__
    return f"the connection failed ({known})"
