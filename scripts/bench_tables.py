"""Tables of POG's shape: 2,000 users drawn and the items they touch, beside pandas, polars and DuckDB."""

import hashlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USERS, ITEMS, ROWS, CLICKED = 400_000, 600_000, 2_000_000, 32  # 5 rows a user and 32 clicks a row, as POG has
COUNT, LEAST, SEED = 2_000, 4, "42"

OURS = """
import sys
from collections import Counter
from datafetch.annotate.preference import draw, raw
users, items = sys.argv[1:]
seen = Counter()
rows = draw.draw(open(users, "rb"), {count}, {least}, "{seed}", seen)
wanted = {{item for row in rows.values() for item in raw.items_of(row.partition(",")[2])}}
found = draw.items(open(items, "rb"), wanted, seen)
print(len(rows), len(wanted), len(found))
"""

# Each draws by the same digest of the id, of users with a row of four items or more, the last of which counts.
DIGEST = """
import sys
from hashlib import blake2b
users, items = sys.argv[1:]
def rank(user): return blake2b(user.encode(), digest_size=16, key=b"{seed}").digest()
"""
PANDAS = (
    DIGEST
    + """
import pandas as pd
table = pd.read_csv(users, header=None, names=["user", "items", "outfit"], dtype=str)
table = table[table["items"].str.count(";") >= {least} - 1].drop_duplicates("user", keep="last")
names = sorted(table["user"], key=rank)[:{count}]
table = table[table["user"].isin(names)]
wanted = set(table["items"].str.split(";").explode())
found = pd.read_csv(items, header=None, sep="\\x01", names=["row"], dtype=str)
found = found["row"].str.split(",", n=3, expand=True)
found = found[found[0].isin(wanted)]
print(len(table), len(wanted), len(found))
"""
)
POLARS = (
    DIGEST
    + """
import polars as pl
table = (
    pl.scan_csv(users, has_header=False, new_columns=["user", "items", "outfit"], infer_schema=False)
    .filter(pl.col("items").str.count_matches(";", literal=True) >= {least} - 1)
    .unique("user", keep="last", maintain_order=True)
)
names = sorted(table.select("user").collect(engine="streaming")["user"], key=rank)[:{count}]
table = table.filter(pl.col("user").is_in(names)).collect(engine="streaming")
wanted = set(table["items"].str.split(";").explode())
found = (
    pl.scan_csv(items, has_header=False, separator="\\x01", new_columns=["row"], quote_char=None, infer_schema=False)
    .with_columns(pl.col("row").str.splitn(",", 4).struct.field("field_0").alias("item"))
    .filter(pl.col("item").is_in(list(wanted)))
    .collect(engine="streaming")
)
print(len(table), len(wanted), len(found))
"""
)
DUCKDB = (
    DIGEST
    + """
import duckdb
db = duckdb.connect()
db.execute("SET memory_limit = '8GB'")
db.execute("SET enable_progress_bar = false")
table = db.execute(
    "SELECT column0, last(column1 ORDER BY n) FROM (SELECT *, row_number() OVER () AS n FROM read_csv(?, header=false, "
    "all_varchar=true, columns={{'column0': 'VARCHAR', 'column1': 'VARCHAR', 'column2': 'VARCHAR'}})) "
    "WHERE length(column1) - length(replace(column1, ';', '')) >= {least} - 1 GROUP BY column0", [users]
).fetchall()
rows = dict(table)
names = sorted(rows, key=rank)[:{count}]
wanted = {{item for name in names for item in rows[name].split(";")}}
db.execute("CREATE TABLE wanted AS SELECT unnest(?) AS item", [list(wanted)])
found = db.execute(
    "SELECT row FROM read_csv(?, header=false, sep='\\x01', quote='', columns={{'row': 'VARCHAR'}}) "
    "SEMI JOIN wanted ON split_part(row, ',', 1) = item", [items]
).fetchall()
print(len(names), len(wanted), len(found))
"""
)
PEERS = {"pandas": PANDAS, "polars": POLARS, "duckdb": DUCKDB}


def tables() -> None:
    with tempfile.TemporaryDirectory() as name:
        users, items = Path(name) / "user_data.txt", Path(name) / "item_data.txt"
        _write(users, items)
        print(f"{ROWS:,} rows of users, {users.stat().st_size:,} bytes; {ITEMS:,} of items", flush=True)
        expected = ""
        for who, code in {"datafetch": OURS, **PEERS}.items():
            if importlib.util.find_spec(who) is None:
                print(f"{who:10} is not installed here", flush=True)
                continue
            said = _measured(who, code, users, items)
            if expected and said not in ("", expected):
                print(f"           found something else: {said} instead of {expected}")
            expected = expected or said


def _measured(who: str, code: str, users: Path, items: Path) -> str:
    """Prints the speed and the memory of one way in a process of its own; what it found comes back."""
    filled = code.format(count=COUNT, least=LEAST, seed=SEED)
    watched = f"{filled}\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", watched, users, items], capture_output=True, text=True)
    spent = time.perf_counter() - started
    if done.returncode:
        print(f"{who:10} failed: {(done.stderr.strip().splitlines() or ['killed'])[-1]}", flush=True)
        return ""
    said, memory = done.stdout.strip().splitlines()
    size = int(memory) * (1 if sys.platform == "darwin" else 1024) / 1e6
    print(
        f"{who:10} {spent:7.1f} s {(ROWS + ITEMS) / spent:12,.0f} rows/s {size:8,.0f} MB   bar <= 500 MB",
        flush=True,
    )
    return said


def _write(users: Path, items: Path) -> None:
    """Tables without heads, of hashes: `user,item;item;…,outfit` and `item,category,address,title with, commas`."""
    lot = random.Random(8)
    ids = [hashlib.md5(f"item {n}".encode()).hexdigest() for n in range(ITEMS)]
    people = [hashlib.md5(f"user {n}".encode()).hexdigest() for n in range(USERS)]
    with users.open("w") as out:
        for _ in range(ROWS):
            own = ";".join(lot.choices(ids, k=lot.randint(1, 2 * CLICKED)))
            out.write(f"{lot.choice(people)},{own},{lot.getrandbits(64):x}\n")
    with items.open("w") as out:
        for n, item in enumerate(ids):
            out.write(f"{item},{n % 75},http://img.example/i/{item}.jpg,新款 连衣裙, 夏季 {n}\n")
