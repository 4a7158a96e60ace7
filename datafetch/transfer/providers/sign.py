"""Signatures of S3, made by botocore from the credentials that its own chain finds.

That is: the AWS variables, a profile, a web identity, the role of a container or of the machine. For the last
the library asks the metadata service itself; no transfer of ours may.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import TYPE_CHECKING

from datafetch.transfer.asking import Headers

if TYPE_CHECKING:
    from botocore.credentials import Credentials


class Signer:
    """One per run; its methods block, and may be called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = False
        self._unusable = (
            ""  # what was the matter: asking again, once for each file, would take as long each time
        )
        self._credentials: Credentials | None = None

    @property
    def installed(self) -> bool:
        """Whether the extra `s3` is."""
        return importlib.util.find_spec("botocore") is not None

    def sign(self, url: str, region: str, headers: Headers) -> Headers | None:
        """The headers with those of a signed GET; None when there are no credentials.

        Raises ValueError, in words for the user, when the AWS settings cannot be used.
        """
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        if self._unusable:
            raise ValueError(self._unusable)
        try:
            credentials = self._found()
            if credentials is None:
                return None
            request = AWSRequest("GET", url, headers=dict(headers))
            S3SigV4Auth(credentials.get_frozen_credentials(), "s3", region).add_auth(request)
        except Exception as error:
            # Of any kind: its chain reads files and answers of programs and services that say what they like.
            self._unusable = f"the AWS settings cannot be used: {error}"
            raise ValueError(self._unusable) from None
        return tuple(request.headers.items())

    def _found(self) -> Credentials | None:
        from botocore.session import Session

        with self._lock:
            if not self._looked:
                self._credentials = Session().get_credentials()
                self._looked = True
            return self._credentials
