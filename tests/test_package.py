"""The package and its README: the wheel works away from the checkout, and what the README says can be typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from archives import zip_of
from PIL import Image

from datafetch.demo.server import FaultServer, Thing

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def run(words: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(ROOT)]
    assert run(build, folder).returncode == 0
    (wheel,) = folder.glob("datafetch-*.whl")
    target = folder / "site"
    assert (
        run(
            [*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], folder
        ).returncode
        == 0
    )
    return target


def test_the_wheel_works_from_another_folder_with_its_registry(installed: Path, tmp_path: Path) -> None:
    where = run(
        [sys.executable, "-c", "import datafetch; print(datafetch.__file__)"],
        tmp_path,
        PYTHONPATH=str(installed),
    )
    assert where.stdout.startswith(str(installed))
    listed = run([sys.executable, "-m", "datafetch", "list"], tmp_path, PYTHONPATH=str(installed))
    assert {"pods", "dogs", "df2", "demo"} <= set(listed.stdout.split())
    assert (installed / "datafetch" / "py.typed").exists()


def test_the_demo_command_of_the_wheel_runs_the_main_job(installed: Path, tmp_path: Path) -> None:
    done = run([sys.executable, "-m", "datafetch", "demo"], tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert "demo_dreambooth_cfg_5/" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_readme_has_the_two_commands_and_ci_runs_the_second() -> None:
    demo, tests = (block.strip() for block in blocks("sh"))
    assert demo.endswith("datafetch demo")
    ci = (ROOT / ".ci" / "run").read_text()
    assert tests in ci.splitlines()


def commands_of_the_readme() -> list[str]:
    inline = re.findall(r"`(datafetch [^`]+)`", README)
    session = [
        line[2:].partition("#")[0].strip()
        for block in blocks("console")
        for line in block.splitlines()
        if line[:2] == "$ "
    ]
    return list(dict.fromkeys([*inline, *session]))


def test_every_command_of_the_readme_exists_with_its_options(tmp_path: Path) -> None:
    """Each is asked for its help, which fails for a command, dataset or choice that does not exist."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "shapes.yaml").write_text(blocks("yaml")[0])
    commands = commands_of_the_readme()
    assert len(commands) >= 10
    for command in commands:
        if command == "datafetch --install-completion":  # it would write to the user's shell files
            continue
        words = [{"NAME": "pods"}.get(word, word) for word in command.split()[1:]]
        done = run([sys.executable, "-m", "datafetch", *words, "--help"], tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        options = [word for word in words if word.startswith("--")]
        assert all(option in done.stdout for option in options), command


def test_the_readme_recipe_is_built_as_the_readme_says(tmp_path: Path) -> None:
    recipe = blocks("yaml")[0]
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "shapes.yaml").write_text(recipe)
    lint = run([sys.executable, "-m", "datafetch", "lint", "recipes"], tmp_path)
    assert lint.returncode == 0, lint.stdout
    picture = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(picture)
    real = {"shapes/train/round/0.png": picture.read_bytes(), "shapes/test/round/1.png": picture.read_bytes()}
    drawn = {
        "drawn_v2/round/0.png": picture.read_bytes(),
        "drawn_v2/round_rejected/1.png": picture.read_bytes(),
    }
    files = {
        "/example.org/shapes/shapes.zip": zip_of(real),
        "/example.org/shapes/shapes_drawn.zip": zip_of(drawn),
    }
    with FaultServer({path: Thing(body) for path, body in files.items()}.get) as server:
        words = [
            "get",
            "shapes",
            "--extra",
            "drawn",
            "--registry",
            "recipes",
            "--mirror",
            server.url,
            "--mirror-only",
        ]
        done = run([sys.executable, "-m", "datafetch", *words], tmp_path)
    assert done.returncode == 0, done.stderr
    built = {
        str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").glob("shapes*/**/*.png")
    }
    assert built == {"shapes/train/round/0.png", "shapes/test/round/1.png", "shapes_drawn/round/0.png"}


def test_the_readme_list_of_addresses_is_built_as_the_readme_says(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "birds.yaml").write_text(blocks("yaml")[1])
    lint = run([sys.executable, "-m", "datafetch", "lint", "recipes"], tmp_path)
    assert lint.returncode == 0, lint.stdout
    rows = ["label,link", *(f"wren,https://example.org/{number}.jpg" for number in (1, 2))]
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.jpg")
    files = {"/example.org/birds.csv": ("\n".join(rows) + "\n").encode()}
    for number in (1, 2):
        files[f"/example.org/{number}.jpg"] = (tmp_path / "picture.jpg").read_bytes()
    with FaultServer({path: Thing(body) for path, body in files.items()}.get) as server:
        words = ["get", "birds", "--registry", "recipes", "--mirror", server.url, "--mirror-only"]
        done = run([sys.executable, "-m", "datafetch", *words, "--first", "2", "--count", "1"], tmp_path)
        built = {
            path.relative_to(tmp_path / "data").as_posix() for path in tmp_path.glob("data/birds/**/*.jpg")
        }
        assert (done.returncode, len(built)) == (0, 1), done.stderr
        done = run([sys.executable, "-m", "datafetch", *words, "--first", "1"], tmp_path)
    assert done.returncode == 0, done.stderr
    built = {path.relative_to(tmp_path / "data").as_posix() for path in tmp_path.glob("data/birds/**/*.jpg")}
    assert built == {"birds/photos/wren/1.jpg", "birds/photos/wren/2.jpg"}


def test_the_readme_table_names_every_recipe_and_its_true_status() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*?\|.*?\| (.*?) \|", README, re.MULTILINE))
    names = set()
    for path in (ROOT / "registry").glob("*.yaml"):
        document = yaml.safe_load(path.read_text())
        rows_of = document.get("matrix", {}).get("include") or [{}]
        names |= {document["name"].format(**row) for row in rows_of}
    assert set(rows) == names
    assert "withdrawn" in rows["df2"]


def test_python_get_returns_the_report(tmp_path: Path) -> None:
    code = (
        "import datafetch, json\n"
        "from datafetch.model import Settings\n"
        "settings = Settings(root='out', offline=True)\n"
        "report = datafetch.get('pods', synthetic='dreambooth_llm', cfg='5', settings=settings)\n"
        "print(json.dumps(report.as_json()))"
    )
    done = run([sys.executable, "-c", code], tmp_path)
    assert '"exit_code": 5' in done.stdout, done.stderr
