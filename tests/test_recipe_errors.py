"""Every way to break the recipe language has one plain line: file, line, key, expected and found."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import RecipeError
from datafetch.recipe.expand import read
from datafetch.recipe.issues import Bad

ARTIFACT = "name: a\nartifacts:\n  - {name: real, url: 'http://h/x.zip'%s}\n"
TOP = "name: a\nartifacts: [{name: real, url: 'http://h/x.zip'}]\n%s\n"
URL = "name: a\nartifacts:\n  - {name: real, url: '%s'}\n"
LONG = "/".join(["x" * 100] * 3)
SOURCES = "expected exactly one of url, shards, url_list, manual, bundled or derived"


def nothing_beside(name: str) -> bytes:
    raise Bad(f"{name} cannot be read: no such file")


def issues(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
    with pytest.raises(RecipeError) as caught:
        read(data, "r.yaml", nothing_beside)
    return [str(issue).removeprefix("r.yaml:").strip() for issue in caught.value.issues]


YAML = {
    "empty": ("", "expected a recipe, found an empty file"),
    "list": ("- a", "1: expected a recipe, found a list"),
    "not yaml": ("name: 'a", "1: not valid YAML: found unexpected end of stream"),
    "tab": ("name: a\n\tb: c", "2: not valid YAML: found a tab character that violates indentation"),
    "not utf-8": (b"name: a\ntitle: \xff", "2: expected UTF-8 text, found byte 0xff"),
    "control character": (
        b"name: a\x07",
        "not valid YAML: unacceptable character #x0007: control characters are not allowed",
    ),
    "too large": (b"#" * ((1 << 20) + 1), "expected at most 1,048,576 bytes, found 1,048,577"),
    "two documents": ("name: a\n---\nname: b", "2: expected one document in a file, found a second"),
    "too deep": ("name: " + "[" * 21 + "]" * 21, "1: nested deeper than 20 levels"),
}


@pytest.mark.parametrize(("text", "message"), YAML.values(), ids=YAML)
def test_a_file_that_is_no_recipe_is_one_issue(text: str | bytes, message: str) -> None:
    assert issues(text) == [message]


BEYOND_YAML = {
    "anchor": (
        TOP % "note: &n x",
        '3: an anchor "&n": anchors and aliases are not part of the language',
    ),
    "alias": (
        TOP % "note: *n",
        '3: an alias "*n": anchors and aliases are not part of the language',
    ),
    "merge": (
        TOP % "<<: {note: x}",
        "3: key <<: not a key of a recipe; the keys are name, artifacts, matrix, ",
    ),
    "tag": (TOP % "note: !!str x", '3: a tag "tag:yaml.org,2002:str": tags are not part of the language'),
    "python tag": (
        TOP % "note: !!python/name:os.system x",
        '3: a tag "tag:yaml.org,2002:python/name:os.system": tags are not part of the language',
    ),
    "tagged key": (TOP % "!x note: y", '3: a tag "!x": tags are not part of the language'),
    "key that is a list": (
        TOP % "? [a]\n: b",
        "3: expected a key that is text, found a list, a map or an alias",
    ),
    "duplicate key": (
        ARTIFACT % ", unpack: true, unpack: false",
        "3: key unpack: stands twice, first in line 3",
    ),
}


@pytest.mark.parametrize(("text", "message"), BEYOND_YAML.values(), ids=BEYOND_YAML)
def test_yaml_beyond_the_language_is_refused(text: str, message: str) -> None:
    assert issues(text)[0].startswith(message)


SHAPE = {
    "unknown key": (
        ARTIFACT % ", urll: x",
        '3: artifact real, key urll: not a key of an artifact; nearest is "url"',
    ),
    "unknown key without a neighbour": (
        TOP % "terms: {text: x, zzzz: y}",
        "3: key terms.zzzz: not a key of terms; the keys are text, link, accept",
    ),
    "unknown key of a rule": (
        TOP % "layout:\n  - {from: 'real/<file>', too: '<file>'}",
        '4: layout rule 1, key too: not a key of a layout rule; nearest is "to"',
    ),
    "missing name": ("artifacts: [{name: r, url: 'http://h/x'}]", "1: key name: missing; a recipe needs it"),
    "missing artifacts": ("name: a", "1: key artifacts: missing; a recipe needs it"),
    "nameless artifact": (
        "name: a\nartifacts:\n  - {url: 'http://h/x'}",
        "3: artifact 1, key name: missing; an artifact needs it",
    ),
    "number for text": (
        TOP % "title: 5",
        '3: key title: expected text, found the number 5; write "5" in quotes',
    ),
    "unquoted matrix value": (
        TOP % "matrix: {cfg: [4, '5']}",
        '3: key matrix.cfg.1: expected text or a map, found the number 4; write "4" in quotes',
    ),
    "unquoted choose": (
        ARTIFACT % ", choose: {cfg: 7.5}",
        "3: artifact real, key choose.cfg: expected text or true or false, found the number 7.5; "
        'write "7.5" in quotes',
    ),
    "yes for true": (
        ARTIFACT % ", unpack: yes",
        '3: artifact real, key unpack: expected true or false, found "yes"',
    ),
    "text for a list": (
        ARTIFACT % ", skip: '*_rej'",
        '3: artifact real, key skip: expected a list, found "*_rej"',
    ),
    "list for a map": (TOP % "let: [a]", "3: key let: expected a map, found a list"),
    "nothing": (TOP % "title:", "3: key title: expected text, found nothing"),
    "artifact that is text": (
        "name: a\nartifacts:\n  - real\n",
        '3: artifact 1: expected an artifact, found "real"',
    ),
    "bool in url_list": (
        "name: a\nartifacts:\n  - name: i\n"
        "    url_list: {file: i, read: map, url: <u>, save_as: y, min_bytes: true}",
        "4: artifact i, key url_list.min_bytes: expected a whole number, found true",
    ),
    "long text in a message is cut": (
        TOP % ("let: " + "x" * 100),
        f'3: key let: expected a map, found "{"x" * 57}..."',
    ),
}


@pytest.mark.parametrize(("text", "message"), SHAPE.values(), ids=SHAPE)
def test_unknown_keys_and_wrong_types_name_line_artifact_and_key(text: str, message: str) -> None:
    assert issues(text) == [message]


NAMES = {
    "recipe name": (
        "name: ../a\nartifacts: [{name: r, url: 'http://h/x'}]",
        '1: key name: expected lower-case letters, digits, _ and -, found "../a"',
    ),
    "plus in an artifact": (
        "name: a\nartifacts: [{name: a+b, url: 'http://h/x'}]",
        '2: artifact a+b, key name: expected letters, digits, . _ and - in segments parted by /, found "a+b"',
    ),
    "dots in an artifact": (
        "name: a\nartifacts: [{name: a/../b, url: 'http://h/x'}]",
        "2: artifact a/../b, key name: expected letters, digits, . _ and - in segments parted by /, "
        'found "a/../b"',
    ),
    "absolute artifact": (
        "name: a\nartifacts: [{name: /etc, url: 'http://h/x'}]",
        "2: artifact /etc, key name: expected letters, digits, . _ and - in segments parted by /, "
        'found "/etc"',
    ),
    "control character": (
        'name: a\nartifacts: [{name: "a\\e[1m", url: "http://h/x"}]',
        "2: artifact a\\x1b[1m, key name: expected letters, digits, . _ and - in segments parted by /, "
        'found "a\\x1b[1m"',
    ),
    "long artifact": (
        f"name: a\nartifacts: [{{name: {LONG}, url: 'http://h/x'}}]",
        f"2: artifact {LONG[:68]}..., key name: expected at most 200 characters, found 302",
    ),
    "two of one name": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x'}\n  - {name: R, url: 'http://h/y'}",
        '4: artifact R, key name: two artifacts with the name "R", the first in line 3',
    ),
    "two of one name by a matrix": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/{x}', matrix: {x: [a, b]}}",
        '3: artifact r, key name: two artifacts with the name "r", the first in line 3',
    ),
    "near a state file": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x'}\n  - {name: r.jsonl, url: 'http://h/y'}",
        '4: artifact r.jsonl, key name: too near to "r", whose state files may end in .jsonl',
    ),
    "two recipes of one name": (
        "matrix: {x: [a, b]}\n" + TOP % "",
        '2: key name: two recipes with the name "a"; the matrix variable belongs into it',
    ),
    "folder of another": (
        ARTIFACT % ", folder: b",
        '3: artifact real, key folder: expected a, or a name that begins with a_, found "b"',
    ),
    "folder that leaves": (
        ARTIFACT % ", folder: a_/../b",
        '3: artifact real, key folder: expected a, or a name that begins with a_, found "a_/../b"',
    ),
    "reserved option": (
        ARTIFACT % ", choose: {only: x}",
        "3: artifact real, key choose.only: --only is an option of get itself; choose another name",
    ),
    "option name": (
        ARTIFACT % ", choose: {Cfg: x}",
        '3: artifact real, key choose.Cfg: expected lower-case letters, digits and -, found "Cfg"',
    ),
    "option value": (
        ARTIFACT % ", choose: {cfg: 'a b'}",
        '3: artifact real, key choose.cfg: expected letters, digits, . _ and -, found "a b"',
    ),
    "false flag": (
        ARTIFACT % ", choose: {cfg: false}",
        "3: artifact real, key choose.cfg: expected true or a value, found false; "
        "an artifact without it is chosen without the flag",
    ),
    "no artifacts": (
        "name: a\nartifacts: []",
        "2: key artifacts: expected at least one artifact, found none",
    ),
}


@pytest.mark.parametrize(("text", "message"), NAMES.values(), ids=NAMES)
def test_unsafe_and_twice_given_names_are_refused(text: str, message: str) -> None:
    assert issues(text) == [message]


URLS = {
    "ftp://h/x": "expected http, https, hf, s3 or gdrive, found ftp",
    "file:///etc/passwd": "expected http, https, hf, s3 or gdrive, found file",
    "s3://bucket": 'expected s3://bucket/key, found "s3://bucket"',
    "s3://bucket/../x": 'expected s3://bucket/key, found "s3://bucket/../x"',
    "s3://KEY:hunter2@bucket/x": "an address with a user name or password; secrets come from the environment only",
    "hf://name/x": 'expected hf://datasets/owner/name@revision/path, found "hf://name/x"',
    "hf://datasets/owner/name": "expected hf://datasets/owner/name@revision/path,"
    ' found "hf://datasets/owner/name"',
    "hf://owner/name@main": 'expected hf://datasets/owner/name@revision/path, found "hf://owner/name@main"',
    "hf://owner/name/a//b": 'expected hf://datasets/owner/name@revision/path, found "hf://owner/name/a//b"',
    "hf://owner/name/x#y": 'expected an address without #, found "#y"',
    "gdrive://a/b": 'expected gdrive://ID or gdrive://folders/ID/name, found "gdrive://a/b"',
    "gdrive://folders/1xFdx5xuN": "expected gdrive://ID or gdrive://folders/ID/name,"
    ' found "gdrive://folders/1xFdx5xuN"',
    "x.zip": 'expected an address such as https://host/file.zip, found "x.zip"',
    "http:/h/x": 'expected a host and perhaps a port after ://, found ""',
    "http://user:secret@h/x": "an address with a user name or password; "
    "secrets come from the environment only",
    "http://h:0/x": 'expected a host and perhaps a port after ://, found "h:0"',
    "http://h:99999/x": 'expected a host and perhaps a port after ://, found "h:99999"',
    "http://h%2f/x": 'expected a host and perhaps a port after ://, found "h%2f"',
    "http://h/a b": 'expected unusual characters as %XX, found "http://h/a b"',
    "http://h/ü": 'expected unusual characters as %XX, found "http://h/ü"',
    "http://h/<class>": 'expected unusual characters as %XX, found "http://h/<class>"',
    "http://h/x#y": 'expected an address without #, found "#y"',
    "{base}/x": "{base} is not defined; there are no names",
    "http://h/{a..c}": "a count {a..c} stands only in shards and in matrix values",
    "http://h/{a b}": 'expected {name} or a count such as {a..l}, found "{a b}"',
    "http://h/{a": 'expected {name}, found a single "{"',
    "http://h/a}": 'expected {name}, found a single "}"',
}


@pytest.mark.parametrize(("url", "message"), URLS.items(), ids=URLS)
def test_bad_addresses_are_refused(url: str, message: str) -> None:
    assert issues(URL % url) == [f"3: artifact real, key url: {message}"]


def test_a_secret_in_an_address_is_not_repeated() -> None:
    assert "hunter2" not in "".join(issues(URL % "http://user:hunter2@h/x y"))


SOURCE = {
    "none": ("name: a\nartifacts:\n  - {name: r}", f"3: artifact r: {SOURCES}, found none"),
    "two": (ARTIFACT % ", bundled: x", f"3: artifact real: {SOURCES}, found url and bundled"),
    "empty list": (
        "name: a\nartifacts:\n  - {name: r, url: []}",
        "3: artifact r, key url: expected an address, found an empty list",
    ),
    "mirror twice": (
        "name: a\nartifacts:\n  - {name: r, url: ['http://h/x', 'http://h/x']}",
        "3: artifact r, key url: expected mirrors that differ, found one address twice",
    ),
    "bad mirror": (
        "name: a\nartifacts:\n  - name: r\n    url:\n      - http://h/x\n      - ftp://h/x",
        "6: artifact r, key url.2: expected http, https, hf, s3 or gdrive, found ftp",
    ),
    "shards that meet": (
        "name: a\nartifacts:\n  - {name: r, shards: ['http://h/a/x', 'http://h/b/x']}",
        "3: artifact r, key shards: expected file names that differ, found x twice",
    ),
    "shard without a name": (
        "name: a\nartifacts:\n  - {name: r, shards: 'http://h/{a..b}/'}",
        '3: artifact r, key shards: expected addresses that end in a plain file name, found ""',
    ),
    "no shards": (
        "name: a\nartifacts:\n  - {name: r, shards: []}",
        "3: artifact r, key shards: expected addresses, found an empty list",
    ),
    "shards backwards": (
        "name: a\nartifacts:\n  - {name: r, shards: 'http://h/{c..a}'}",
        "3: artifact r, key shards: expected a count that goes up, found {c..a}",
    ),
    "too many shards": (
        "name: a\nartifacts:\n  - {name: r, shards: 'http://h/{1..10001}'}",
        "3: artifact r, key shards: expected a count of at most 10,000, found {1..10001}",
    ),
    "far too many shards": (
        "name: a\nartifacts:\n  - {name: r, shards: 'http://h/{1..1000}{1..1000}'}",
        '3: artifact r, key shards: expected a count of at most 10,000, found "http://h/{1..1000}{1..1000}"',
    ),
    "bundled outside": (
        "name: a\nartifacts:\n  - {name: r, bundled: ../x}",
        '3: artifact r, key bundled: expected a path without empty, "." or ".." parts, found "../x"',
    ),
    "bundled absolute": (
        "name: a\nartifacts:\n  - {name: r, bundled: /etc/passwd}",
        '3: artifact r, key bundled: expected a relative path with /, found "/etc/passwd"',
    ),
    "manual nowhere": (
        "name: a\nartifacts:\n  - {name: r, manual: []}",
        "3: artifact r, key manual: expected a place to find the file, found an empty list",
    ),
    "manual link": (
        "name: a\nartifacts:\n  - {name: r, manual: [{at: form, link: 'javascript:x'}]}",
        "3: artifact r, key manual.1.link: expected http or https, found javascript",
    ),
    "expect of a url": (
        ARTIFACT % ", expect: {x: 1}",
        "3: artifact real, key expect: goes with manual, not with url",
    ),
    "expected count": (
        "name: a\nartifacts:\n  - {name: r, manual: [{at: f, link: 'http://h/x'}], expect: {x: many}}",
        '3: artifact r, key expect.x: expected a count such as 300, ">=71" or "71..201", found "many"',
    ),
    "list of nobody": (
        "name: a\nartifacts:\n"
        "  - {name: json, url: 'http://h/x'}\n"
        "  - {name: r, url_list: {file: jsn/x, read: map, url: '<u>', save_as: '<u>.jpg'}}",
        '4: artifact r, key url_list.file: expected a path that begins with an artifact, found "jsn/x"; '
        'nearest is "json"',
    ),
    "unknown reader": (
        "name: a\nartifacts:\n  - {name: r, url_list: {file: r, read: maps, url: '<u>', save_as: '<u>'}}",
        '3: artifact r, key url_list.read: found "maps"; nearest is "map"',
    ),
    "unknown check": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r, read: map, url: '<u>', save_as: '<u>', check: imgae}}",
        '3: artifact r, key url_list.check: found "imgae"; nearest is "image"',
    ),
    "scheme in a list": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r, read: map, url: 'ftp://<u>', save_as: '<u>'}}",
        '3: artifact r, key url_list.url: expected http, https or <name>, found "ftp://<u>"',
    ),
    "saved outside": (
        "name: a\nartifacts:\n  - {name: r, url_list: {file: r, read: map, url: '<u>', save_as: '../<u>'}}",
        '3: artifact r, key url_list.save_as: expected a path without empty, "." or ".." parts, '
        'found "../<u>"',
    ),
    "unpacked list": (
        "name: a\nartifacts:\n"
        "  - {name: r, unpack: true, url_list: {file: r, read: map, url: '<u>', save_as: '<u>'}}",
        "3: artifact r, key unpack: goes with a file, not with url_list",
    ),
    "negative": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r, read: map, url: '<u>', save_as: '<u>', min_bytes: -1}}",
        "3: artifact r, key url_list.min_bytes: expected a number of bytes, found -1",
    ),
    "nothing beside": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r/a, read: beside, keys: [u], url: '<u>', save_as: '<u>'}}",
        "3: artifact r, key url_list.beside: expected, with read: beside, files to put beside `file`, "
        "and a key for each and for it",
    ),
    "beside another": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r/a, beside: [s/b], read: beside, keys: [u, v], url: '<u>', save_as: '<u>'}}",
        "3: artifact r, key url_list.beside: expected files of the artifact that holds `file`",
    ),
    "captures that touch": (
        "name: a\nartifacts:\n"
        "  - {name: r, url_list: {file: r, read: lines, keys: ['<u><v>'], url: '<u>', save_as: '<u>'}}",
        '3: artifact r, key url_list.keys.1: expected something between two captures, found "<u><v>"',
    ),
    "no code page": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x.zip', unpack: true, encoding: cp8666}",
        '3: artifact r, key encoding: expected a code page such as cp866, found "cp8666"',
    ),
    "no tar of tars": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x.tar', nested: true}",
        "3: artifact r, key nested: goes with unpack, and not with rows",
    ),
    "mends what is no archive": (
        "name: a\nartifacts:\n"
        "  - {name: zip, url: 'http://h/x.zip', unpack: true}\n"
        "  - {name: r, url_list: {file: zip/x, read: damaged, url: 'http://h/<file>', save_as: '<file>'}}",
        "4: artifact r, key url_list.file: expected, with read: damaged, the name of an archive that is unpacked,"
        ' found "zip/x"',
    ),
    "copies that nothing asks for": (
        "name: a\nartifacts:\n"
        "  - {name: json, url: 'http://h/x'}\n"
        "  - {name: r, url_list: {file: json, read: map, url: '<u>', save_as: '<u>', known: {a: 'http://h/a'}}}",
        "4: artifact r, key url_list.known: goes with read: damaged",
    ),
    "copy that is no address": (
        "name: a\nartifacts:\n"
        "  - {name: zip, url: 'http://h/x.zip', unpack: true}\n"
        "  - {name: r, url_list: {file: zip, read: damaged, url: '<known>', save_as: '<file>', known: {a: 'file:/x'}}}",
        "4: artifact r, key url_list.known.a: expected http or https, found file",
    ),
    "captions without their pictures": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x', unpack: true}\n"
        "finish:\n  - {make: neuraltalk2, from: [r/a.json, r/b.json], pictures: [val], to: a.json}",
        "5: finish 1, key pictures: expected a folder for each path of `from`",
    ),
    "captions of no artifact": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x', unpack: true}\n"
        "finish:\n  - {make: neuraltalk2, from: s/a.json, pictures: [val], to: a.json}",
        '5: finish 1, key from: expected a path that begins with an artifact, found "s/a.json"',
    ),
    "several where one is read": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x', unpack: true}\n"
        "finish:\n  - {make: captions, from: [r/a.json, r/b.json], to: a.json}",
        "5: finish 1, key from: expected one path, found 2",
    ),
    "finish of no list": (
        "name: a\nartifacts:\n  - {name: r, url: 'http://h/x'}\n"
        "finish:\n  - {make: sbu, from: pictures, to: a.json}",
        '5: finish 1, key from: expected the name of a list, found "pictures"',
    ),
}


@pytest.mark.parametrize(("text", "message"), SOURCE.values(), ids=SOURCE)
def test_a_source_that_cannot_be_fetched_is_refused(text: str, message: str) -> None:
    assert issues(text) == [message]


VALUES = {
    "size in words": (
        ARTIFACT % ", size: 12 GB",
        '3: artifact real, key size: expected a number of bytes or unknown, found "12 GB"',
    ),
    "negative size": (
        ARTIFACT % ", size: -1",
        '3: artifact real, key size: expected a number of bytes or unknown, found "-1"',
    ),
    "needs": (
        TOP % "needs: 12 GX",
        '3: key needs: expected a size such as 12 GB, or unknown, found "12 GX"',
    ),
    "percent": (
        TOP % "min_complete: 101%",
        '3: key min_complete: expected a percentage such as 99.5, found "101%"',
    ),
    "status": (
        ARTIFACT % ", status: offline",
        '3: artifact real, key status: expected live, manual, historic or withdrawn, found "offline"',
    ),
    "count": (
        TOP % 'counts: {"a/*": "9..1"}',
        '3: key counts.a/*: expected a count such as 300, ">=71" or "71..201", found "9..1"',
    ),
    "count outside": (
        TOP % 'counts: {"b/*": 1}',
        "3: key counts.b/*: expected a path that begins with a",
    ),
    "digest length": (
        ARTIFACT % ", checksums: [{md5: abc}]",
        '3: artifact real, key checksums.1.md5: expected 32 hex digits, found 3 characters "abc"',
    ),
    "digest of nothing": (
        ARTIFACT % ", checksums: [{source: x}]",
        "3: artifact real, key checksums.1: expected exactly one of md5, sha1 or sha256, found none",
    ),
    "two digests in one": (
        ARTIFACT % f", checksums: [{{md5: {'a' * 32}, sha1: {'a' * 40}}}]",
        "3: artifact real, key checksums.1: expected exactly one of md5, sha1 or sha256, found md5 and sha1",
    ),
    "digests that differ": (
        ARTIFACT % f", checksums: [{{md5: {'a' * 32}, source: x}}, {{md5: {'b' * 32}}}]",
        "3: artifact real, key checksums: two md5 that differ, by x and the recipe; leave both out",
    ),
    "checksums in a word": (
        ARTIFACT % ", checksums: none",
        "3: artifact real, key checksums: expected unknown or a list such as [{md5: …, source: …}], "
        'found "none"',
    ),
    "skip": (
        ARTIFACT % ", skip: [/x]",
        '3: artifact real, key skip.1: expected a pattern such as "*_rej", found "/x"',
    ),
    "terms link": (
        TOP % "terms: {text: x, link: ftp://h}",
        "3: key terms.link: expected http or https, found ftp",
    ),
    "checksum file of no kind": (
        TOP % "checksums: a.txt",
        "3: key checksums: a.txt cannot be read: no such file",
    ),
    "checksum file outside": (
        TOP % "checksums: ../a.md5",
        '3: key checksums: expected a path without empty, "." or ".." parts, found "../a.md5"',
    ),
    "default of nobody": (
        TOP % "default: [rael]",
        '3: key default: "rael" matches no artifact; nearest is "real"',
    ),
    "title of two lines": (
        TOP % 'title: "a\\nb"',
        '3: key title: expected text without control characters, found "a\\nb"',
    ),
}


@pytest.mark.parametrize(("text", "message"), VALUES.values(), ids=VALUES)
def test_values_that_mean_nothing_are_refused(text: str, message: str) -> None:
    assert issues(text) == [message]


LET_AND_MATRIX = {
    "circle": (
        TOP % "let: {a: '{b}', b: '{c}', c: '{a}'}",
        [f"3: key let.{name}: goes in a circle: a -> b -> c -> a" for name in "abc"],
    ),
    "unknown in let": (
        TOP % "let: {base: http, syn: '{bse}/x', deep: '{syn}'}",
        [
            "3: key let.deep: {syn} has a fault of its own",
            '3: key let.syn: {bse} is not defined; nearest is "base"',
        ],
    ),
    "let over matrix": (
        "matrix: {x: [a]}\nname: '{x}'\nlet: {x: b}\nartifacts: [{name: r, url: 'http://h/x'}]",
        ["3: key let.x: is a matrix variable already"],
    ),
    "let name": (TOP % "let: {a-b: c}", ["3: key let.a-b: expected a name of letters, digits and _"]),
    "empty matrix": (
        TOP % "matrix: {exclude: []}",
        ["3: key matrix: expected a variable with values, or include, found neither"],
    ),
    "empty values": (TOP % "matrix: {x: []}", ["3: key matrix: expected values for x, found an empty list"]),
    "value twice": (TOP % "matrix: {x: [a, a]}", ['3: key matrix: x has the value "a" twice']),
    "row among values": (
        TOP % "matrix: {x: [{y: a}]}",
        ["3: key matrix: expected text as the values of x, found a map; only include and exclude hold rows"],
    ),
    "value among rows": (
        TOP % "matrix: {x: [a], include: [b]}",
        ['3: key matrix: expected rows such as {name: value} in include, found "b"'],
    ),
    "empty row": (
        TOP % "matrix: {x: [a], include: [{}]}",
        ["3: key matrix: expected rows such as {name: value} in include, found an empty one"],
    ),
    "variable name": (
        TOP % "matrix: {a-b: [a]}",
        ['3: key matrix: expected a variable of letters, digits and _, found "a-b"'],
    ),
    "variable name in a row": (
        TOP % "matrix: {include: [{a-b: a}]}",
        ['3: key matrix: expected a variable of letters, digits and _ in include, found "a-b"'],
    ),
    "exclude of nothing": (
        TOP % "matrix: {x: [a], exclude: [{x: b}]}",
        ["3: key matrix: exclude {x: b} matches no row"],
    ),
    "exclude of a stranger": (
        TOP % "matrix: {cfg: [a], exclude: [{cgf: a}]}",
        ['3: key matrix: exclude names cgf, which the matrix does not hold; nearest is "cfg"'],
    ),
    "too many rows": (
        TOP % "matrix: {x: ['{1..101}'], y: ['{1..100}']}",
        ["3: key matrix: expected at most 2,000 rows, found more"],
    ),
}


@pytest.mark.parametrize(("text", "messages"), LET_AND_MATRIX.values(), ids=LET_AND_MATRIX)
def test_let_and_matrix_that_lead_nowhere_are_refused(text: str, messages: list[str]) -> None:
    assert sorted(issues(text)) == sorted(messages)


CHOICES = {
    "of nobody": (
        ARTIFACT % ", choose: {cfg: '4'}" + "choices: {cgf: {}}",
        '4: choice cgf: no artifact chooses it; nearest is "cfg"',
    ),
    "flag with values": (
        "name: a\nartifacts:\n"
        "  - {name: r, url: 'http://h/x', choose: {neg: true}}\n"
        "  - {name: s, url: 'http://h/y', choose: {neg: some}}\n"
        "choices:\n  neg: {help: x}",
        "6: choice neg: expected a flag or values, found artifacts that choose true and some",
    ),
    "flag with a default": (
        ARTIFACT % ", choose: {neg: true}" + "choices: {neg: {default: 'true'}}",
        "4: choice neg: expected neither default nor values, for the artifacts make it a flag",
    ),
    "default of nobody": (
        ARTIFACT % ", choose: {cfg: '4'}" + "choices: {cfg: {default: '5'}}",
        '4: choice cfg, key default: expected one of 4, found "5"',
    ),
    "values of nobody": (
        ARTIFACT % ", choose: {cfg: '4'}" + "choices: {cfg: {values: ['4', '5']}}",
        "4: choice cfg, key values: expected what the artifacts choose, 4",
    ),
}


@pytest.mark.parametrize(("text", "message"), CHOICES.values(), ids=CHOICES)
def test_choices_that_fit_no_artifact_are_refused(text: str, message: str) -> None:
    assert issues(text) == [message]


def test_all_issues_of_a_file_are_raised_at_once_in_order_of_lines() -> None:
    text = """\
    name: a
    titel: x
    artifacts:
      - {name: real, urll: x}
      - {name: neg, url: ftp://h/x, unpack: 1}
      - {name: neg, url: "http://h/{x}", size: huge}
    """
    assert issues(text) == [
        '2: key titel: not a key of a recipe; nearest is "title"',
        '4: artifact real, key urll: not a key of an artifact; nearest is "url"',
        "5: artifact neg, key unpack: expected true or false, found the number 1",
        "5: artifact neg, key url: expected http, https, hf, s3 or gdrive, found ftp",
        "6: artifact neg, key url: {x} is not defined; there are no names",
        '6: artifact neg, key size: expected a number of bytes or unknown, found "huge"',
    ]


def test_what_speaks_of_an_artifact_at_fault_is_not_blamed_for_it() -> None:
    text = """\
    name: a
    default: [json]
    choices: {cfg: {help: x}}
    artifacts:
      - {name: json, url: ftp://h/x, choose: {cfg: "4"}}
      - {name: i, url_list: {file: json/x, read: map, url: <u>, save_as: <u>}}
    """
    assert issues(text) == ["5: artifact json, key url: expected http, https, hf, s3 or gdrive, found ftp"]


def test_an_issue_in_a_family_is_said_once() -> None:
    text = "matrix: {x: [a, b, c]}\nname: '{x}'\nartifacts:\n  - {name: r, url: ftp://h/x}"
    assert issues(text) == ["4: artifact r, key url: expected http, https, hf, s3 or gdrive, found ftp"]


def test_the_error_counts_what_it_does_not_show() -> None:
    with pytest.raises(RecipeError) as caught:
        read(b"nam: a", "r.yaml", nothing_beside)
    error = caught.value
    assert str(error) == 'r.yaml:1: key nam: not a key of a recipe; nearest is "name" (and 1 more)'
    assert (error.exit_code, error.hint) == (2, "datafetch lint shows every issue of a recipe")


KEYS = st.sampled_from(
    [
        *(
            "name",
            "artifacts",
            "matrix",
            "let",
            "title",
            "choices",
            "layout",
            "counts",
            "checksums",
            "default",
        ),
        *("url", "shards", "url_list", "manual", "choose", "folder", "skip", "from", "to", "file", "read"),
        *("include", "exclude", "md5", "terms", "text", "a", "b", "unpack", "size", "needs", "expect"),
    ]
)
WORDS = st.sampled_from(
    ["a", "b", "real", "{a}", "{b}", "{a..c}", "{", "https://h/{a}.zip", "a/<file>", "<file>", "../x", "\x1b"]
)
SCALARS = WORDS | st.integers(-1, 5) | st.booleans() | st.none() | st.floats(0, 9, width=16)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
ENTRIES = st.fixed_dictionaries(
    {"name": WORDS, "url": WORDS | TREES}, optional={"matrix": TREES, "choose": TREES}
)
FILES = st.fixed_dictionaries(
    {"name": WORDS, "artifacts": st.lists(ENTRIES | TREES, max_size=3)},
    optional={
        "matrix": TREES,
        "let": TREES,
        "layout": TREES,
        "counts": TREES,
        "choices": TREES,
        "default": TREES,
    },
)


@given(FILES | TREES)
def test_any_document_is_a_recipe_or_a_recipe_error(tree: object) -> None:
    try:
        found = read(yaml.safe_dump(tree).encode(), "r.yaml", nothing_beside)
    except RecipeError as error:
        for issue in error.issues:
            assert str(issue).isprintable()
            assert not issue.message.endswith(".") or issue.message.endswith("...")
        return
    for one in found:
        assert one.recipe.artifacts
        assert len(one.artifact_lines) == len(one.recipe.artifacts)
        assert len(one.rule_lines) == len(one.recipe.layout)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recipe_or_a_recipe_error(data: bytes) -> None:
    try:
        read(data, "r.yaml", nothing_beside)
    except RecipeError as error:
        assert error.issues
