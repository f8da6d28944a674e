"""The bundler: ES modules joined into the text of one."""

import hashlib
import re

import pytest

from vaebook.live.bundle import SCRIPTS, bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def modules(tmp_path):
    """Write modules into a folder, by name."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_module_comes_after_all_that_it_imports_and_once(modules):
    folder = modules(
        main='import { b } from "./b.js";\nimport { c } from "./c.js";\nexport default b + c;\n',
        b='import { d } from "./d.js";\nexport const b = d;\n',
        c='import { d } from "./d.js";\nexport const c = d;\n',
        d="export const d = 1;\n",
    )
    text = bundle("main.js", folder)
    order = [text.index(f"const ${name} =") for name in "dbc"]
    assert order == sorted(order)
    assert text.count("const d = 1;") == 1
    assert "import" not in text
    assert text.endswith("export default b + c;\n")


def test_lines_that_are_comments_stay_behind(modules, node):
    main = '// First.\nconsole.log("// kept"); // so is this\n  // Last.\n'
    text = bundle("main.js", modules(main=main))
    assert text == 'console.log("// kept"); // so is this\n'
    assert node(text) == "// kept\n"


def test_each_module_keeps_its_own_names(modules, node):
    folder = modules(
        main='import { b } from "./b.js";\nconst a = 1;\nconsole.log(a + b);\n',
        b="const a = 20;\nexport const b = 2 * a;\nexport function unused() {}\n",
    )
    assert node(bundle("main.js", folder)) == "41\n"


def test_several_lines_of_names_are_one_import(modules, node):
    folder = modules(
        main='import {\n  one,\n  two,\n} from "./b.js";\nconsole.log(one + two);\n',
        b="export const one = 1;\nexport const two = 2;\n",
    )
    assert node(bundle("main.js", folder)) == "3\n"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {
                "main": 'import { b } from "./b.js";\n',
                "b": 'import { c } from "./c.js";\nexport const b = 1;\n',
                "c": 'import { b } from "./b.js";\nexport const c = 1;\n',
            },
            r"must not import each other, got b.js -> c.js -> b.js",
        ),
        (
            {"main": 'import { main } from "./main.js";\nexport const main = 1;\n'},
            r"got main.js -> main.js",
        ),
        ({"main": 'import { b } from "./b.js";\n'}, "main.js imports b.js, which does not exist"),
        (
            {"main": 'import { b } from "./b.js";\n', "b": "const b = 1;\n"},
            "main.js imports b, which b.js does not export",
        ),
        ({"main": 'import b from "./b.js";\n'}, "main.js has a form that is not known: import b"),
        ({"main": 'import { d3 } from "d3";\n'}, "main.js has a form that is not known"),
        ({"main": "export { b };\n"}, "main.js has a form that is not known: export"),
    ],
)
def test_what_cannot_be_joined_is_refused(modules, texts, message):
    with pytest.raises(ValueError, match=message):
        bundle("main.js", modules(**texts))


def test_the_script_of_the_figures_can_stand_inside_a_page():
    text = bundle()
    assert not re.search(r"</script|<!--|^import|\bfetch\(|https?://", text, re.MULTILINE)
    assert text is bundle()


def test_every_module_is_reached_and_none_is_long():
    text = bundle()
    files = list(SCRIPTS.rglob("*.js"))
    assert len(files) > 10
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 250, file.name
        own = next(line for line in lines if re.match(r"(export )?(const|function|class) ", line))
        assert own.removeprefix("export ") in text, f"{file.name} is imported by nobody"
    assert not re.search(r"^ *//", text, re.MULTILINE)


@pytest.mark.parametrize("n", [0, 1, 55, 56, 63, 64, 65, 1000])
def test_the_page_hashes_as_python_does(n, node):
    text = "abcXYZ019+/="[:12] * (n // 12 + 1)
    text = text[:n]
    assert node(f'{bundle("bytes.js")}\nconsole.log(sha256("{text}"));\n') == (
        hashlib.sha256(text.encode()).hexdigest() + "\n"
    )
