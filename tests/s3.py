"""A real S3-compatible server, moto's, as a process of its own on loopback; and a small one that misbehaves."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY_ID = "AKIACANARYKEYID00000"
SECRET = "canary/secret+that/only/signs"
SESSION = "canary-session-token"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
ALONE = {"AWS_EC2_METADATA_DISABLED": "true"}  # no machine of a test has a role


@dataclass(frozen=True)
class Moto:
    url: str
    client: Any  # of botocore

    def bucket(self, name: str) -> None:
        self.client.create_bucket(Bucket=name)

    def put(self, bucket: str, key: str, data: bytes, *, public: bool = True, **more: Any) -> None:
        acl = "public-read" if public else "private"
        self.client.put_object(Bucket=bucket, Key=key, Body=data, ACL=acl, **more)

    def put_in_parts(self, bucket: str, key: str, *parts: bytes) -> None:
        began = self.client.create_multipart_upload(Bucket=bucket, Key=key, ACL="public-read")
        named = {"Bucket": bucket, "Key": key, "UploadId": began["UploadId"]}
        made = []
        for number, part in enumerate(parts, 1):
            etag = self.client.upload_part(**named, PartNumber=number, Body=part)["ETag"]
            made.append({"ETag": etag, "PartNumber": number})
        self.client.complete_multipart_upload(**named, MultipartUpload={"Parts": made})


@contextmanager
def moto(folder: Path) -> Iterator[Moto]:
    """The server while the block lasts."""
    from botocore.session import Session

    log = folder / "moto.log"
    with log.open("wb") as output:
        words = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(words, stdout=output, stderr=output, cwd=folder)
    try:
        url = _address(process, log)
        session = Session()
        session.set_credentials("owner", "owner")
        yield Moto(url, session.create_client("s3", "us-east-1", endpoint_url=url))
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Waits until the server says where it listens."""
    while True:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(log.read_text())
