"""What S3 refuses, in few words and with what helps."""

from __future__ import annotations

from typing import Any

__all__ = ["code_of", "reason_of"]

_ALLOW = (
    "allow this key s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and s3:GetObject, s3:PutObject, "
    "s3:DeleteObject and s3:AbortMultipartUpload in it"
)
_REGION = "set AWS_DEFAULT_REGION to the region of the bucket"
_LATER = "the store takes no more requests now; try again later"
_NEW_KEY = "sign in again, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to what is valid now"
_WHAT_HELPS = {
    "301": _REGION,
    "403": f"see that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are right; {_ALLOW}",
    "AccessDenied": _ALLOW,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": _NEW_KEY,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": "see that AWS_ACCESS_KEY_ID is right, and AWS_ENDPOINT_URL where the store is not Amazon's",
    "InvalidToken": _NEW_KEY,
    "NoSuchBucket": "make it first: aws s3 mb s3://{bucket}",
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "set the clock of this machine right",
    "ServiceUnavailable": _LATER,
    "SignatureDoesNotMatch": "see that AWS_SECRET_ACCESS_KEY is right",
    "SlowDown": _LATER,
}
_UNSIGNED = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"})


def code_of(error: BaseException) -> str:
    """Return the code that S3 gives an error, or nothing."""
    return str(_response_of(error).get("Error", {}).get("Code", ""))


def reason_of(error: BaseException, *, bucket: str) -> str:
    """Return what S3 says in few words; never its own text, in which there may be an address with a key."""
    response = _response_of(error)
    if response:
        status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", "unknown"))
        code = code_of(error)
        helps = _WHAT_HELPS.get(code, "try again, and if that does not help look the code up").format(bucket=bucket)
        # Where an answer has no body its status is taken for the code.
        said = "without a code" if code in {"", status} else code
        return f"status {status} {said}; {helps}"
    name = type(error).__name__
    if name in _UNSIGNED:
        return (
            f"nothing signs the requests in ({name}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile "
            "that is there in AWS_PROFILE, or give the machine a role"
        )
    return f"{name}; see that AWS_ENDPOINT_URL, if it is set, is right and can be reached, then try again"


def _response_of(error: BaseException) -> dict[str, Any]:
    """Return the answer that an error of botocore has; s3fs chains its own errors to it."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        if isinstance(response, dict):
            return response
    return {}
